//! The sender's process: datagrams from one socket to one address, as fast as it can or when they are due.
//!
//! Each line on standard input is one order, `RATE SECONDS`, answered by one line of JSON on standard output when it is
//! carried out. The sender spins between datagrams, so that they go out when they are due; its core is its own.

mod burst;
mod pace;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use self::burst::Burst;
use self::pace::Pace;
pub(crate) use self::pace::monotonic;
use crate::case::Rate;

/// How often a slower sender looks at the clock.
const LOOK: u32 = 16;

/// What `throughput send` is told.
#[derive(clap::Args, Debug)]
pub(crate) struct SendArguments {
    /// Where to.
    #[arg(long)]
    pub(crate) to: SocketAddr,
    /// Payload bytes.
    #[arg(long)]
    pub(crate) size: u16,
    /// Datagrams in one send; by rate when it is not given.
    #[arg(long)]
    pub(crate) burst: Option<u16>,
    /// Send datagrams one by one instead of by UDP_SEGMENT.
    #[arg(long)]
    pub(crate) unsegmented: bool,
    /// Put into each datagram the time at which it was due.
    #[arg(long)]
    pub(crate) stamped: bool,
}

/// What was sent upon an order.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sent {
    /// Datagrams.
    pub(crate) datagrams: u64,
    pub(crate) seconds: f64,
}

/// Carries out orders until standard input is closed.
pub(crate) fn run(arguments: &SendArguments) -> Result<()> {
    let bind = if arguments.to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(bind)?;
    socket.connect(arguments.to).with_context(|| format!("cannot send to {}", arguments.to))?;
    for line in io::stdin().lines() {
        let line = line?;
        let (rate, seconds) = line.split_once(' ').context("an order is RATE SECONDS")?;
        let (rate, seconds): (Rate, f64) = (rate.parse()?, seconds.parse()?);
        let size = arguments.burst.unwrap_or_else(|| crate::case::burst(rate));
        let mut burst = Burst::new(&socket, arguments.size, size, !arguments.unsegmented)?;
        let span = Duration::from_secs_f64(seconds);
        let sent = match rate {
            Rate::Max => saturate(&mut burst, span)?,
            Rate::Paced(rate) => pace(&mut burst, rate, span, arguments.stamped)?,
        };
        println!("{}", serde_json::to_string(&sent)?);
    }
    Ok(())
}

fn saturate(burst: &mut Burst<'_>, span: Duration) -> io::Result<Sent> {
    let start = Instant::now();
    let mut datagrams = 0;
    while start.elapsed() < span {
        for _ in 0..LOOK {
            datagrams += burst.send()?;
        }
    }
    Ok(Sent { datagrams, seconds: start.elapsed().as_secs_f64() })
}

/// Open loop: what is late goes out at once, and what follows it keeps its time.
fn pace(burst: &mut Burst<'_>, rate: u32, span: Duration, stamped: bool) -> io::Result<Sent> {
    let interval = Duration::from_secs_f64(burst.datagrams() as f64 / f64::from(rate));
    let start = Instant::now();
    let mut pace = Pace::new(interval);
    let end = pace.begin() + span;
    let mut datagrams = 0;
    while let Some(due) = pace.next_before(end) {
        if stamped {
            burst.stamp(due);
        }
        datagrams += burst.send()?;
    }
    Ok(Sent { datagrams, seconds: start.elapsed().as_secs_f64() })
}
