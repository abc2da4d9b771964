//! The sender's process: datagrams from one socket to one address, as fast as it can or when they are due.
//!
//! Each line on standard input is one order, `RATE SECONDS` or `RATE SECONDS stamped`, answered by one line of JSON on standard
//! output when it is carried out. Stamped datagrams begin with the time at which they were due. The sender spins between datagrams, so that they go out when they are due; its core is its own.

mod burst;
mod pace;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use std::{io, process};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use self::burst::Burst;
use self::pace::Pace;
pub(crate) use self::pace::monotonic;
use super::waiting::Waiting;
use crate::case::Rate;

/// Ends an order for datagrams that begin with a time.
pub(super) const STAMPED: &str = " stamped";

/// Sends between two looks at the clock, at full speed.
const SENDS_A_LOOK: u32 = 16;

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
}

/// What was sent upon an order.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sent {
    /// Datagrams.
    pub(crate) datagrams: u64,
    pub(crate) seconds: f64,
    /// The part of that time in which the sender waited for its core.
    pub(crate) waited: f64,
}

/// Carries out orders until standard input is closed.
pub(crate) fn run(arguments: &SendArguments) -> Result<()> {
    let bind = if arguments.to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(bind)?;
    socket.connect(arguments.to).with_context(|| format!("cannot send to {}", arguments.to))?;
    for line in io::stdin().lines() {
        let line = line?;
        let (line, stamped) = line.strip_suffix(STAMPED).map_or((line.as_str(), false), |rest| (rest, true));
        let (rate, seconds) = line.split_once(' ').context("an order is RATE SECONDS")?;
        let (rate, seconds): (Rate, f64) = (rate.parse()?, seconds.parse()?);
        let size = arguments.burst.unwrap_or_else(|| crate::case::burst(rate));
        let mut burst = Burst::new(&socket, arguments.size, size, !arguments.unsegmented)?;
        let span = Duration::from_secs_f64(seconds);
        let (start, waiting) = (Instant::now(), Waiting::of(process::id()));
        let datagrams = match rate {
            Rate::Max => saturate(&mut burst, span)?,
            Rate::Paced(rate) => pace(&mut burst, rate, span, stamped)?,
        };
        let seconds = start.elapsed().as_secs_f64();
        let waited = Waiting::of(process::id()).for_others(&waiting).as_secs_f64() / seconds;
        println!("{}", serde_json::to_string(&Sent { datagrams, seconds, waited })?);
    }
    Ok(())
}

/// Says how many datagrams it sent.
fn saturate(burst: &mut Burst<'_>, span: Duration) -> io::Result<u64> {
    let start = Instant::now();
    let mut datagrams = 0;
    while start.elapsed() < span {
        for _ in 0..SENDS_A_LOOK {
            datagrams += burst.send()?;
        }
    }
    Ok(datagrams)
}

/// Open loop: what is late goes out at once, and what follows it keeps its time.
fn pace(burst: &mut Burst<'_>, rate: u32, span: Duration, stamped: bool) -> io::Result<u64> {
    let interval = Duration::from_secs_f64(burst.datagrams() as f64 / f64::from(rate));
    let mut pace = Pace::new(interval);
    let end = pace.begin() + span;
    let mut datagrams = 0;
    while let Some(due) = pace.next_before(end) {
        if stamped {
            burst.stamp(due);
        }
        datagrams += burst.send()?;
    }
    Ok(datagrams)
}
