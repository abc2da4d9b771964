//! Instruction counts of the engine's paths: the bench `instructions` of skua-benches, under callgrind.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::tool::{self, GUNGRAUN_RUNNER, VALGRIND};
use crate::{cargo, process};

/// Longest that building and counting may take.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Counts and prints; no count is compared with anything but the last run's.
pub(crate) fn run() -> Result<()> {
    tool::require(&[VALGRIND])?;
    if !GUNGRAUN_RUNNER.is_here() {
        // It must be of the version that the bench is built with.
        bail!("not found: gungraun-runner. Install with: cargo install gungraun-runner --version 0.20.0");
    }
    let bench = ["bench", "--package", "skua-benches", "--bench", "instructions"];
    let mut command = cargo::command();
    command.args(bench).env("GUNGRAUN_RUNNER", GUNGRAUN_RUNNER.path());
    process::run_shown(&mut command, LIMIT)
}
