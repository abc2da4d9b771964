//! The benches, run just long enough to see that they run.

use std::time::Duration;

use anyhow::Result;

use crate::{cargo, process};

/// Longest that one cargo call may take.
const LIMIT: Duration = Duration::from_secs(6 * 60);

/// Each bench once, and the throughput tool's receivers over loopback and between two namespaces. No figure is looked at.
///
/// The tests' profile is used, whose dependencies are built by the time this runs in CI.
pub(crate) fn run() -> Result<()> {
    criterion()?;
    throughput(&["latency", "--preset", "smoke", "--rate", "10k"])?;
    throughput(&["run", "--preset", "smoke"])?;
    throughput(&["run", "--preset", "smoke", "--path", "veth-gro", "--receiver", "recvmmsg-gro,skua"])
}

fn criterion() -> Result<()> {
    run_cargo(&["test", "--package", "skua-benches", "--benches"])?;
    // Run only where its runner is, by `cargo xtask instructions`.
    run_cargo(&["check", "--package", "skua-benches", "--bench", "instructions"])
}

fn throughput(arguments: &[&str]) -> Result<()> {
    let tool = ["run", "--quiet", "--package", "skua-benches", "--bin", "throughput", "--"];
    run_cargo(&[&tool, arguments].concat())
}

fn run_cargo(arguments: &[&str]) -> Result<()> {
    process::run_shown(cargo::command().args(arguments), LIMIT)
}
