//! `skua send`: numbered datagrams at a steady rate.

mod engine;
mod flow;
mod pace;
mod shape;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use skua_engine::{CaptureError, OpenError, OpenSocketError, RegisterError};

use crate::cli::SendArgs;
use crate::numbered::{Pattern, Series};
use crate::say;
use crate::signals::Stop;
use engine::SendEngine;
use flow::Flow;
use pace::Schedule;
use shape::Shape;

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
    /// The WSK client could not be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// There is no WSK provider.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No memory for what is under way.
    #[error(transparent)]
    Engine(#[from] OpenError),
    /// No socket could be had.
    #[error("{to}: no socket to send from: {source}")]
    Open { to: SocketAddr, source: OpenSocketError },
    /// Datagrams were refused by the system.
    #[error(
        "{to}: of the datagrams of {size} bytes from number {sequence} on, one was not sent: {source}; check --size (with \
         --uso it must fit the link), the route and the firewall"
    )]
    Send { to: SocketAddr, sequence: u64, size: u16, source: skua_engine::SendError },
    /// The system takes no more.
    #[error(
        "{to}: the system has no room for datagram {sequence}, or refused one before it; check the route and the firewall"
    )]
    NoRoom { to: SocketAddr, sequence: u64 },
    /// The system refused what it had taken.
    #[error("{to}: {failed} datagrams were not sent; check --size, the route and the firewall")]
    Failed { to: SocketAddr, failed: u64 },
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// The calling thread holds a raised level.
    #[error("the program is at DISPATCH_LEVEL where it must be at PASSIVE_LEVEL; this is a bug in skua")]
    Level,
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

/// How long what is under way at the end may take to be sent.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

fn send(args: &SendArgs, stop: &Stop) -> Result<Report, SendError> {
    let to = args.to;
    let shape = Shape::new(args.size, args.uso);
    let engine = SendEngine::open(&shape)?;
    let flow_count = u64::from(args.flows);
    let run = run_number();
    let mut flows = (0..args.flows)
        .map(|flow| {
            let total = args.count.map_or(0, |count| share(count, flow.into(), flow_count));
            Flow::open(&engine, to, &shape, Series::new(run, flow.into(), total, args.size))
        })
        .collect::<Result<Vec<_>, SendError>>()?;
    let pattern = Pattern::new();

    let start = Instant::now();
    let end = args.duration.map(|span| start + span.0);
    let count = args.count.unwrap_or(u64::MAX);
    let schedule = Schedule::new(args.rate, start, shape.turn() * flow_count);
    let mut sent = 0;
    while sent < count && !stop.is_asked() {
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            break;
        }
        let due = schedule.due(sent, now).min(count - sent);
        for nth in 0..due.min(flow_count) {
            let flow = &mut flows[index(sent + nth, flow_count)];
            flow.send(&engine, &pattern, &shape, share(due, nth, flow_count))?;
        }
        sent += due;
        if let Some(rest) = schedule.rest(sent, Instant::now()) {
            stop.wait(end.map_or(rest, |end| rest.min(end.saturating_duration_since(now))));
        }
    }
    engine.settle(SETTLE_LIMIT);
    let elapsed = start.elapsed();
    let stats = engine.stats();
    let failed = stats.sends_issued - stats.sends_completed.min(stats.sends_issued);
    let report = Report { datagrams: sent, size: args.size, refused: engine.refused(), elapsed };
    engine.close(flows.into_iter().map(Flow::into_socket))?;
    if failed > 0 { Err(SendError::Failed { to, failed }) } else { Ok(report) }
}

/// Whose turn datagram `number` is, where they are dealt to flows in turn.
fn index(number: u64, flows: u64) -> usize {
    usize::try_from(number % flows).unwrap_or(0)
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
