//! The loom models: every interleaving of the lock-free algorithms, within the bounds stated beside each model.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{cargo, process};

/// Longest that building and running the models may take.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs the models of skua-pools.
pub(crate) fn run() -> Result<()> {
    let mut command = cargo::command();
    command
        .args(["test", "--release", "--package", "skua-pools", "--lib", "--target-dir"])
        // Other flags than the rest of the workspace: in a shared folder each would throw the other's work away.
        .arg(cargo::target_directory().join("loom"))
        .args(["--", "loom_models::"])
        .env("RUSTFLAGS", "--cfg loom")
        // The models need a fast loom, not a fast start.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    let finished = process::run(&mut command, LIMIT)?.success()?;
    print!("{}", finished.stdout);
    // A cfg that selects nothing would pass without this.
    let models =
        finished.stdout.lines().filter(|line| line.starts_with("test ") && line.ends_with(" ok")).count();
    if models == 0 {
        bail!("no loom model ran");
    }
    println!("{models} models hold");
    Ok(())
}
