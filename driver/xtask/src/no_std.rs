//! The no_std proof: each kernel crate by itself, for targets that have no std.
//!
//! One package a build, because features unify within a build and a dependency's std would hide behind another's.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::toolchain::{self, Library, Part};
use crate::{cargo, process, tool};

/// Longest that one crate may take; the first one from source compiles core too.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Builds the kernel crates for x86_64 and checks them for aarch64.
pub(crate) fn run() -> Result<()> {
    for (target, verb) in [("x86_64-unknown-none", "build"), ("aarch64-unknown-none", "check")] {
        let library = find(target)?;
        for package in cargo::KERNEL_CRATES {
            let mut command = cargo::command();
            command.args([verb, "--package", package, "--target", target]);
            library.apply(&mut command);
            process::run_shown(&mut command, LIMIT)?;
        }
    }
    Ok(())
}

fn find(target: &str) -> Result<Library> {
    if let Some(library) = Library::find(target, Part::Core) {
        return Ok(library);
    }
    tool::require(&toolchain::SOURCES).with_context(|| format!("no core for {target} by rustup"))?;
    // The packages are there, and yet no compiler has sources beside it.
    anyhow::bail!("no core for {target}. Install with: rustup target add {target}");
}
