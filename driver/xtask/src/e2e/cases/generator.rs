//! `skua send`, received by a program that is not Skua.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::e2e::case::{Case, Room};
use crate::process::{self, Process};
use crate::tool;

pub(super) const CASES: &[Case] = &[Case {
    name: "generator",
    proves: "skua send sends what it is asked to: how many, how long, how fast, from how many ports",
    run: generator,
}];

/// Longest that either end may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What the receiver prints.
#[derive(Deserialize)]
struct Received {
    /// How many datagrams of each length came.
    lengths: BTreeMap<usize, usize>,
    sources: usize,
    /// How many differed.
    payloads: usize,
}

fn generator(room: &Room) -> Result<()> {
    let script = room.file("receiver.py");
    std::fs::write(&script, include_str!("../receiver.py")).context("cannot write the receiver")?;
    let mut command = tool::PYTHON.command();
    let mut receiver = Process::start(command.arg(&script).arg("20000").stdin(Stdio::null()))?;
    let to: SocketAddr = receiver.until("its address", LIMIT, |receiver| {
        receiver.stdout().lines().next().and_then(|line| line.parse().ok())
    })?;
    let start = Instant::now();
    let mut skua = Command::new(room.skua());
    skua.args(["send", "--to", &to.to_string(), "--rate", "10k", "--size", "300"]);
    skua.args(["--count", "20000", "--flows", "8"]);
    process::run(&mut skua, LIMIT)?.success()?;
    let took = start.elapsed();
    let finished = receiver.wait(LIMIT)?.success()?;
    let line = finished.stdout.lines().next_back().context("the receiver printed nothing")?;
    let received: Received = serde_json::from_str(line)?;
    ensure!(received.lengths == BTreeMap::from([(300, 20_000)]), "lengths: {:?}", received.lengths);
    ensure!(received.payloads == 20_000, "only {} datagrams differ", received.payloads);
    ensure!(received.sources == 8, "{} flows", received.sources);
    // The last of 20,000 at 10,000 a second leaves just short of two seconds after the first.
    ensure!(took > Duration::from_millis(1_950), "sent faster than asked, within {took:?}");
    Ok(())
}
