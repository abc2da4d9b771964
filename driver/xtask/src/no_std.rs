//! The no_std proof: each kernel crate by itself, for targets that have no std.
//!
//! One package a build, because features unify within a build and a dependency's std would hide behind another's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{cargo, process};

/// Longest that one crate may take; the first one from source compiles core too.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Compilers to ask, best first: the one on PATH (rustup's), then Debian's, which comes with core's sources.
const COMPILERS: [&str; 2] = ["rustc", "/usr/bin/rustc"];

/// Builds the kernel crates for x86_64 and checks them for aarch64.
pub(crate) fn run() -> Result<()> {
    for (target, verb) in [("x86_64-unknown-none", "build"), ("aarch64-unknown-none", "check")] {
        let core = Core::find(target)?;
        for package in cargo::KERNEL_CRATES {
            let mut command = cargo::command();
            command.args([verb, "--package", package, "--target", target]);
            core.apply(&mut command);
            process::run_shown(&mut command, LIMIT)?;
        }
    }
    Ok(())
}

/// Where `core` for a target comes from.
enum Core {
    /// The compiler on PATH has it built.
    Built,
    /// It is compiled from the sources that come with this compiler, under a switch that stable compilers hide.
    Source { compiler: PathBuf },
}

impl Core {
    fn find(target: &str) -> Result<Self> {
        for compiler in COMPILERS {
            let Ok(sysroot) = sysroot(compiler) else { continue };
            let library = sysroot.join("lib/rustlib");
            if compiler == "rustc" && library.join(target).join("lib").is_dir() {
                return Ok(Self::Built);
            }
            if library.join("src/rust/library/core/src/lib.rs").is_file() {
                println!("{target}: building core with {compiler} from {}", library.join("src").display());
                return Ok(Self::Source { compiler: compiler.into() });
            }
        }
        bail!(
            "no core for {target}. Install with: rustup target add {target} \
             (or, on Debian: apt-get install -y rustc-web rust-web-src)"
        );
    }

    fn apply(&self, command: &mut Command) {
        if let Self::Source { compiler } = self {
            command
                .args(["-Zbuild-std=core", "--target-dir"])
                // Another compiler: the debug builds of build scripts and macros must not be replaced by its own.
                .arg(cargo::target_directory().join("core-from-source"))
                .env("RUSTC", compiler)
                .env("RUSTC_BOOTSTRAP", "1");
        }
    }
}

fn sysroot(compiler: &str) -> Result<PathBuf> {
    let finished =
        process::run(Command::new(compiler).args(["--print", "sysroot"]), Duration::from_secs(30))?
            .success()?;
    let line = finished.stdout.lines().next().context("no sysroot printed")?;
    Ok(Path::new(line).to_path_buf())
}
