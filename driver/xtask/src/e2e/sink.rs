//! `skua sink`, started and ended as a user would.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use super::case::Room;
use super::namespace::Namespace;
use super::summary::Summary;
use crate::process::Process;

/// Longest that the sink may take to listen.
const START: Duration = Duration::from_secs(10);
/// Longest that it may take to drain and end.
const END: Duration = Duration::from_secs(30);
/// A sink whose owner was killed ends by itself after this long.
const LIFE: &str = "90s";

/// A running sink.
pub(crate) struct Sink {
    process: Process,
    /// Where it listens, in the order of `--listen`.
    pub(crate) local: Vec<SocketAddr>,
}

/// A sink that ended.
pub(crate) struct Report {
    /// Its exit status.
    pub(crate) code: Option<i32>,
    pub(crate) summary: Summary,
    /// Standard output without the summary.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// How to start a sink.
pub(crate) struct Options {
    command: Command,
    listeners: usize,
    life: &'static str,
}

impl Options {
    /// A sink of the case's binary, in a namespace when there is one.
    pub(in crate::e2e) fn new(room: &Room, namespace: Option<&Namespace>) -> Self {
        Self::of(room.skua_in(namespace))
    }

    /// A sink of the binary that `skua` starts.
    pub(crate) fn of(mut skua: Command) -> Self {
        skua.args(["sink", "--summary", "json"]).stdin(Stdio::null());
        Self { command: skua, listeners: 0, life: LIFE }
    }

    /// Listens at `address`.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        self.command.args(["--listen", address]);
        self.listeners += 1;
        self
    }

    /// Any other option with its value.
    pub(crate) fn set(mut self, option: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.arg(option).arg(value);
        self
    }

    /// Any option without a value.
    pub(crate) fn flag(mut self, option: &str) -> Self {
        self.command.arg(option);
        self
    }

    /// How long it runs unless something ends it earlier.
    pub(crate) fn life(mut self, life: &'static str) -> Self {
        self.life = life;
        self
    }

    /// Starts it and waits until it listens everywhere.
    pub(crate) fn start(mut self) -> Result<Sink> {
        self.command.args(["--for", self.life]);
        let mut process = Process::start(&mut self.command)?;
        let listeners = self.listeners;
        let local = process.until("its listening addresses", START, |process| {
            let local = listening(&process.stderr());
            (local.len() == listeners).then_some(local)
        })?;
        Ok(Sink { process, local })
    }
}

impl Sink {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens, for a sink with one socket.
    pub(crate) fn address(&self) -> SocketAddr {
        self.local[0]
    }

    /// Waits for `found` to make something of what it printed on standard error.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        self.process.until(what, limit, |process| found(&process.stderr()))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Ends it with SIGINT and collects what it reports, with status 0.
    pub(crate) fn stop(self) -> Result<Report> {
        self.stop_by(Signal::INT)
    }

    /// Ends it with `signal`.
    pub(crate) fn stop_by(self, signal: Signal) -> Result<Report> {
        self.signal(signal)?;
        self.wait()
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait(self) -> Result<Report> {
        let report = self.wait_for_any_end()?;
        ensure!(report.code == Some(0), "the sink ended with status {:?}\n{}", report.code, report.stderr);
        Ok(report)
    }

    /// Ends it with SIGINT, where it is expected to report a failure.
    pub(crate) fn stop_failed(self) -> Result<Report> {
        self.signal(Signal::INT)?;
        let report = self.wait_for_any_end()?;
        ensure!(report.code == Some(1), "the sink ended with status {:?}\n{}", report.code, report.stderr);
        Ok(report)
    }

    fn wait_for_any_end(self) -> Result<Report> {
        let finished = self.process.wait(END)?;
        let summary = Summary::read(&finished.stdout)
            .with_context(|| format!("standard error was:\n{}", finished.stderr))?;
        let records = finished.stdout.trim_end().rfind('\n').map_or(0, |end| end + 1);
        Ok(Report {
            code: finished.status.code(),
            summary,
            stdout: finished.stdout[..records].to_owned(),
            stderr: finished.stderr,
        })
    }
}

/// The addresses that the sink says it listens at, one a line.
fn listening(stderr: &str) -> Vec<SocketAddr> {
    stderr
        .lines()
        .filter(|line| line.contains("listening"))
        .filter_map(|line| line.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok()))
        .collect()
}
