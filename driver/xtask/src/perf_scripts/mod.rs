//! The scripts of perf-scripts: they measure what they say, as far as that can be seen on Linux.
//!
//! 1. The recording [`profiles`] for WPR are read as XML: what they refer to is there, and they ask the driver's provider for
//!    the driver's keywords.
//! 2. The command files run under Wine against [stand-ins](commands) for wpr, xperf and skua, which note how they were called and
//!    print reports whose numbers are known.
//! 3. The [`shell`] scripts measure a sink that runs.

mod commands;
mod profiles;
mod shell;

use std::path::PathBuf;

use anyhow::Result;

use crate::tool;

/// Checks all of them.
pub(crate) fn run() -> Result<()> {
    tool::require(&[tool::WINE, tool::WINESERVER, tool::SETARCH, tool::PERF, tool::CURL])?;
    profiles::check(&folder().join("windows/skua.wprp"))?;
    commands::check(&folder().join("windows"))?;
    shell::check(&folder().join("linux"))
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../perf-scripts"))
}
