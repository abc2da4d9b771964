//! `skua send`: numbered datagrams at a steady rate.

mod flow;
mod pace;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::cli::SendArgs;
use crate::numbered::{Number, Pattern};
use crate::say;
use crate::signals::Stop;
use flow::Flow;
use pace::Schedule;

/// Sends until the count or the time is reached, or a signal comes, and says what was sent.
///
/// # Errors
/// [`SendError`] when a datagram could not be sent at all.
pub(crate) fn run(args: &SendArgs) -> Result<(), SendError> {
    let report = send(args, &Stop::on_signals().map_err(SendError::Signals)?)?;
    say(&report.to_string());
    Ok(())
}

/// Why sending ended before it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SendError {
    /// No socket could be had.
    #[error("{to}: no socket to send from: {source}; check the address and that there is a route to it")]
    Open { to: SocketAddr, source: io::Error },
    /// A datagram was refused by the system.
    #[error(
        "{to}: datagram {sequence} of {size} bytes was not sent: {source}; check --size, the route and the firewall"
    )]
    Send { to: SocketAddr, sequence: u64, size: u16, source: io::Error },
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
}

/// What was sent.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Report {
    datagrams: u64,
    size: u16,
    refused: u64,
    elapsed: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "sent {} datagrams, {} bytes, in {seconds:.3} s: {:.0}/s",
            self.datagrams,
            self.datagrams * u64::from(self.size),
            self.datagrams as f64 / seconds.max(1e-9),
        )?;
        if self.refused > 0 {
            write!(f, "; the receiver's host answered {} times that nobody listens there", self.refused)?;
        }
        Ok(())
    }
}

fn send(args: &SendArgs, stop: &Stop) -> Result<Report, SendError> {
    let to = args.to;
    let mut flows = (0..args.flows)
        .map(|_| Flow::open(to))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|source| SendError::Open { to, source })?;
    let flow_count = flows.len() as u64;
    let pattern = Pattern::new();
    let run = run_number();
    let mut datagram = vec![0; usize::from(args.size)];

    let start = Instant::now();
    let end = args.duration.map(|span| start + span.0);
    let count = args.count.unwrap_or(u64::MAX);
    let schedule = Schedule::new(args.rate, start);
    let mut sent = 0;
    while sent < count && !stop.is_asked() {
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            break;
        }
        for _ in 0..schedule.due(sent, now).min(count - sent) {
            let flow = sent % flow_count;
            let number = Number {
                run,
                flow: u32::try_from(flow).unwrap_or(u32::MAX),
                sequence: sent / flow_count,
                total: args.count.map_or(0, |count| share(count, flow, flow_count)),
            };
            pattern.write(number, &mut datagram);
            let index = usize::try_from(flow).unwrap_or(0);
            flows[index].send(&datagram).map_err(|source| SendError::Send {
                to,
                sequence: sent,
                size: args.size,
                source,
            })?;
            sent += 1;
        }
        if let Some(rest) = schedule.rest(sent, Instant::now()) {
            stop.wait(end.map_or(rest, |end| rest.min(end.saturating_duration_since(now))));
        }
    }
    Ok(Report {
        datagrams: sent,
        size: args.size,
        refused: flows.iter().map(Flow::refused).sum(),
        elapsed: start.elapsed(),
    })
}

/// How many of `count` datagrams, dealt in turn, fall to `flow`.
fn share(count: u64, flow: u64, flows: u64) -> u64 {
    count / flows + u64::from(flow < count % flows)
}

/// Tells this run from others.
fn run_number() -> u32 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.subsec_nanos() ^ std::process::id().rotate_left(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_count() {
        for (count, flows) in [(10, 3), (1, 4), (8, 4), (1_000_003, 7)] {
            assert_eq!((0..flows).map(|flow| share(count, flow, flows)).sum::<u64>(), count);
        }
    }

    #[test]
    fn the_report_is_one_line() {
        let report = Report { datagrams: 3000, size: 64, refused: 1, elapsed: Duration::from_millis(1500) };
        assert_eq!(
            report.to_string(),
            "sent 3000 datagrams, 192000 bytes, in 1.500 s: 2000/s; the receiver's host answered 1 times that nobody \
             listens there"
        );
    }
}
