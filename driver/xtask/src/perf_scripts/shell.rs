//! The scripts for Linux, at a sink that runs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::e2e::sink::Options;
use crate::process::{self, Process};
use crate::{e2e, interrupt};

/// Longest that one script may take; its samples are looked up by name.
const LIMIT: Duration = Duration::from_secs(120);

/// Checks the scripts in `folder`.
pub(super) fn check(folder: &Path) -> Result<()> {
    let room = tempfile::Builder::new().prefix("skua-perf-").tempdir().context("cannot make a folder")?;
    let skua = e2e::build()?;
    let metrics = free_address()?;
    let sink = Options::of(Command::new(&skua))
        .listen("127.0.0.1:0")
        .set("--metrics", &metrics)
        .flag("--discard")
        .start()?;
    let mut load = Command::new(&skua);
    load.args(["send", "--to", &sink.address().to_string()]);
    let load = Process::start(load.args(["--rate", "20k", "--size", "200", "--count", "2000000"]))?;

    let id = sink.id().to_string();
    let said = script(folder, "stat.sh", &[&id, "2", &metrics])?;
    let number = |label: &str| -> Result<u64> {
        let line = said.lines().find_map(|line| line.strip_prefix(label));
        let digits = line.and_then(|line| line.trim().split([',', ' ']).next());
        digits.and_then(|digits| digits.parse().ok()).with_context(|| format!("no {label:?} in\n{said}"))
    };
    ensure!(number("datagrams:")? > 10_000, "stat.sh saw few of 40,000 datagrams:\n{said}");
    let each = number("each datagram:")?;
    ensure!((50..100_000).contains(&each), "stat.sh says that a datagram costs {each} ns:\n{said}");

    let profile = room.path().join("profile");
    let said = script(folder, "record.sh", &[&id, "2", &profile.to_string_lossy()])?;
    let report = fs::read_to_string(profile.join("report.txt")).context("record.sh left no report")?;
    ensure!(said.contains("ost"), "record.sh does not say what was lost:\n{said}");
    ensure!(report.contains("recv-"), "no receiving thread is in the report:\n{report}");
    ensure!(script(folder, "stat.sh", &["0", "1"]).is_err(), "stat.sh takes too few arguments");

    load.signal(rustix::process::Signal::KILL)?;
    load.wait(LIMIT)?;
    sink.stop()?;
    println!("shell scripts: measure a sink that runs, {each} ns a datagram at 20,000 a second");
    interrupt::check()
}

fn script(folder: &Path, name: &str, arguments: &[&str]) -> Result<String> {
    let finished = process::run(Command::new(folder.join(name)).args(arguments), LIMIT)?.success()?;
    Ok(finished.stdout)
}

/// An address that nobody listens at.
fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.to_string())
}
