//! Filters and limits that change while datagrams arrive.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::Signal;

use crate::wine::check::{Check, Room};
use crate::wine::kept::{Kept, Stats};
use crate::wine::pcapng;
use crate::wine::traffic::{Prints, Traffic};

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "changes",
        proves: "filters and limits change while the sink runs, and each refusal is counted under its reason",
        run: changes,
    },
    Check {
        name: "changes-under-load",
        proves: "while rules change at full rate, every datagram is either in the capture or counted as refused",
        run: changes_under_load,
    },
];

/// Longest that a reader may take to end.
const END: Duration = Duration::from_secs(30);

/// Datagrams of one phase.
const PHASE: u64 = 1_000;

fn changes(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    let sink = Kept::start(room, "changing", &["127.0.0.1:0"], &[])?;
    let path = room.file("capture.pcapng");
    let reader = sink.read(&path)?;
    let mut phases = Phases { sink: &sink, sent: 0, before: sink.stats()?, all: Prints::default() };

    let open = phases.next(&[])?;
    ensure!(open.delivered == PHASE, "of {PHASE}, {open:?}");
    let elsewhere = phases.next(&["--allow", "10.0.0.0/8"])?;
    ensure!(elsewhere.refused("not_allowed", 0), "with others allowed: {elsewhere:?}");
    let sampled = phases.next(&["--allow-everyone", "--sample", "1/10"])?;
    ensure!(sampled.refused("sampled", PHASE / 10), "one in 10: {sampled:?}");
    let whole = phases.next(&["--sample", "1/1"])?;
    ensure!(whole.delivered == PHASE, "no longer sampled: {whole:?}");
    let limited = phases.next(&["--source-rate", "50"])?;
    let refused = limited.drops("rate_limited");
    ensure!(refused > 0 && limited.delivered + refused == PHASE, "50 a second: {limited:?}");
    let unlimited = phases.next(&["--source-rate", "max"])?;
    ensure!(unlimited.delivered == PHASE, "no longer limited: {unlimited:?}");

    let (sent, after) = (phases.all, phases.before);
    reader.signal(Signal::INT)?;
    reader.wait(END)?.success()?;
    let found = pcapng::read(&path)?;
    sent.contains(&found)?;
    ensure!(u64::try_from(found.len())? == after.published, "{} in the capture, {after:?}", found.len());
    sink.stop()?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

fn changes_under_load(room: &Room<'_>) -> Result<()> {
    const RATE: u32 = 10_000;
    let changes: [&[&str]; 6] = [
        &["--allow", "10.0.0.0/8"],
        &["--allow-everyone", "--sample", "1/3"],
        &["--source-rate", "100"],
        &["--allow", "127.0.0.0/8", "--sample", "1/1"],
        &["--source-rate", "max"],
        &["--allow-everyone"],
    ];
    let mut driver = room.driver()?;
    driver.start()?;
    let sink = Kept::start(room, "changing", &["127.0.0.1:0", "[::1]:0"], &["--ring", "64M"])?;
    let path = room.file("capture.pcapng");
    let reader = sink.read(&path)?;
    let sent = thread::scope(|scope| -> Result<_> {
        let traffic =
            Traffic { to: &sink.local, count: 5 * u64::from(RATE), rate: RATE, first: 0, size: Some(200) };
        let sender = scope.spawn(move || traffic.send());
        let mut changes = changes.iter().cycle();
        while !sender.is_finished() {
            sink.change(changes.next().context("no changes")?)?;
        }
        sender.join().map_err(|_| anyhow!("the sender panicked"))?
    })?;
    let count = u64::try_from(sent.len())?;
    let stats = sink.until("everything indicated", |stats| stats.indicated == count)?;
    let refused: u64 = stats.drops.values().sum();
    ensure!(stats.delivered + refused == count, "{count} sent: {stats:?}");
    for reason in ["not_allowed", "sampled", "rate_limited"] {
        ensure!(stats.dropped(reason) > 0, "nothing {reason}: {stats:?}");
    }
    reader.signal(Signal::INT)?;
    reader.wait(END)?.success()?;
    let found = pcapng::read(&path)?;
    sent.contains(&found)?;
    ensure!(u64::try_from(found.len())? == stats.delivered, "{} in the capture, {stats:?}", found.len());
    sink.stop()?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

/// Phases of traffic, each under other rules.
struct Phases<'a> {
    sink: &'a Kept<'a>,
    sent: u64,
    before: Stats,
    all: Prints,
}

/// What became of one phase's datagrams.
#[derive(Debug)]
struct Phase {
    delivered: u64,
    drops: Vec<(String, u64)>,
}

impl Phases<'_> {
    /// Changes the rules, if there is anything to change, and sends.
    fn next(&mut self, change: &[&str]) -> Result<Phase> {
        if !change.is_empty() {
            self.sink.change(change)?;
        }
        let traffic =
            Traffic { to: &self.sink.local, count: PHASE, rate: 2_000, first: self.sent, size: Some(100) };
        self.all.extend(traffic.send()?);
        self.sent += PHASE;
        let sent = self.sent;
        let after = self.sink.until("end of a phase", |stats| stats.indicated == sent)?;
        let before = std::mem::replace(&mut self.before, after);
        let after = &self.before;
        let drops =
            after.drops.iter().map(|(reason, count)| (reason.clone(), count - before.dropped(reason)));
        Ok(Phase {
            delivered: after.delivered - before.delivered,
            drops: drops.filter(|(_, count)| *count > 0).collect(),
        })
    }
}

impl Phase {
    fn drops(&self, reason: &str) -> u64 {
        self.drops.iter().find(|(name, _)| name == reason).map_or(0, |(_, count)| *count)
    }

    /// Whether all but `delivered` were dropped for `reason`.
    fn refused(&self, reason: &str, delivered: u64) -> bool {
        self.delivered == delivered && self.drops(reason) == PHASE - delivered
    }
}
