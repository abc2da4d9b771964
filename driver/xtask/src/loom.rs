//! The models of the lock-free algorithms: every interleaving within the bounds stated beside each model, by loom, and thousands of
//! random ones by shuttle, also of models that are too large for loom.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{cargo, process};

/// Longest that building and running the models may take.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs the models of skua-pools under loom.
pub(crate) fn run() -> Result<()> {
    run_by("loom")
}

/// Runs them under shuttle.
pub(crate) fn run_shuttle() -> Result<()> {
    run_by("shuttle")
}

/// Runs the models under the explorer that the cfg of this name chooses.
fn run_by(explorer: &str) -> Result<()> {
    let mut command = cargo::command();
    command
        .args(["test", "--release", "--package", "skua-pools", "--lib", "--target-dir"])
        // Other flags than the rest of the workspace: in a shared folder each would throw the other's work away.
        .arg(cargo::target_directory().join(explorer))
        .args(["--", "models::"])
        .env("RUSTFLAGS", format!("--cfg {explorer}"))
        // The models need a fast explorer, not a fast start.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    let finished = process::run(&mut command, LIMIT)?.success()?;
    print!("{}", finished.stdout);
    // A cfg that selects nothing would pass without this.
    let models =
        finished.stdout.lines().filter(|line| line.starts_with("test ") && line.ends_with(" ok")).count();
    if models == 0 {
        bail!("no model ran under {explorer}");
    }
    println!("{models} models hold under {explorer}");
    Ok(())
}
