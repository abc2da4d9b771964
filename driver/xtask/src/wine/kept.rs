//! A sink that the driver keeps, whoever reads it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::check::Room;
use crate::interrupt;
use crate::process::{self, Process};

/// Longest that one command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A sink with a name, started by `skua sink --driver --detach`.
pub(super) struct Kept<'a> {
    room: &'a Room<'a>,
    name: &'static str,
    /// Where it listens, in the order of its listeners.
    pub(super) local: Vec<SocketAddr>,
}

/// What `skua stats --summary json` says of a sink, as far as checks look at it. Counts are datagrams.
#[derive(Deserialize, Debug)]
pub(super) struct Stats {
    sink: u64,
    name: String,
    listeners: Vec<Listener>,
    pub(super) indicated: u64,
    pub(super) delivered: u64,
    pub(super) published: u64,
    pub(super) drops: BTreeMap<String, u64>,
    pub(super) reader: bool,
    pub(super) reader_faults: u64,
}

#[derive(Deserialize, Debug)]
struct Listener {
    local: SocketAddr,
}

impl<'a> Kept<'a> {
    /// Starts one that listens at `addresses`, with more `arguments`.
    pub(super) fn start(
        room: &'a Room<'a>,
        name: &'static str,
        addresses: &[&str],
        arguments: &[&str],
    ) -> Result<Self> {
        let mut command = room.skua();
        command.args(["sink", "--driver", "--detach", "--name", name]).args(arguments);
        for address in addresses {
            command.args(["--listen", address]);
        }
        process::run(&mut command, LIMIT)?.success()?;
        let kept = Self::find(room, name)?;
        ensure!(kept.local.len() == addresses.len(), "{name} listens at {:?}", kept.local);
        Ok(kept)
    }

    /// The one of that name, which runs.
    pub(super) fn find(room: &'a Room<'a>, name: &'static str) -> Result<Self> {
        let mut kept = Self { room, name, local: Vec::new() };
        kept.local = kept.stats()?.listeners.into_iter().map(|listener| listener.local).collect();
        Ok(kept)
    }

    /// The number by which requests name it.
    pub(super) fn number(&self) -> Result<u64> {
        Ok(self.stats()?.sink)
    }

    /// Its counts now.
    pub(super) fn stats(&self) -> Result<Stats> {
        let mut command = self.room.skua();
        command.args(["stats", "--sink", self.name, "--summary", "json"]);
        let said = process::run(&mut command, LIMIT)?.success()?.stdout;
        let stats: Stats =
            serde_json::from_str(said.trim()).with_context(|| format!("no counts: {said:.300}"))?;
        ensure!(stats.name == self.name, "asked for {}, told of {}", self.name, stats.name);
        Ok(stats)
    }

    /// Waits until its counts are as `is_so` wants them.
    pub(super) fn until(&self, what: &str, is_so: impl Fn(&Stats) -> bool) -> Result<Stats> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let stats = self.stats()?;
            if is_so(&stats) {
                return Ok(stats);
            }
            if Instant::now() >= deadline {
                bail!("{}: no {what} within {LIMIT:?}: {stats:?}", self.name);
            }
            interrupt::check()?;
        }
    }

    /// Starts a reader that writes a capture, and waits until the driver knows of it.
    pub(super) fn read(&self, capture: &Path) -> Result<Process> {
        let mut command = self.room.skua();
        command.args(["capture", "--sink", self.name, "--write"]).arg(capture).stdin(Stdio::null());
        let mut reader = Process::start(&mut command)?;
        reader.until("it reads", LIMIT, |_| self.stats().is_ok_and(|stats| stats.reader).then_some(()))?;
        Ok(reader)
    }

    /// `skua change` with these arguments.
    pub(super) fn change(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.room.skua();
        command.args(["change", "--sink", self.name]).args(arguments);
        process::run(&mut command, LIMIT)?.success().map(drop)
    }

    /// Stops it.
    pub(super) fn stop(self) -> Result<()> {
        let mut command = self.room.skua();
        process::run(command.args(["stop", "--sink", self.name]), LIMIT)?.success().map(drop)
    }
}

impl Stats {
    /// The drops for one reason.
    pub(super) fn dropped(&self, reason: &str) -> u64 {
        self.drops.get(reason).copied().unwrap_or_default()
    }
}
