//! A target's core or std: built already, or compiled from the sources that come with a compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::tool::{self, Tool};
use crate::{cargo, process};

/// Compilers to ask, best first: the one on PATH (rustup's), then Debian's, which comes with the library's sources.
const COMPILERS: [&str; 2] = ["rustc", tool::DEBIAN_RUSTC_PATH];

/// What to install where neither has it.
pub(crate) const SOURCES: [Tool; 2] = [tool::DEBIAN_RUSTC, tool::DEBIAN_RUST_SOURCES];

/// How much of Rust's library a build needs.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// `core` alone; its memcpy and the like come from elsewhere.
    Core,
    /// `std`, where a panic ends the program.
    Std,
}

/// Where a target's library comes from.
pub(crate) enum Library {
    /// The compiler on PATH has it built.
    Built,
    /// It is compiled from the sources that come with this compiler, under a switch that stable compilers hide.
    Source { compiler: PathBuf, part: Part },
}

impl Library {
    /// The library of `target`: built where rustup has it, else from source. `None` where there is neither.
    pub(crate) fn find(target: &str, part: Part) -> Option<Self> {
        let built =
            sysroot(COMPILERS[0]).is_ok_and(|sysroot| library(&sysroot).join(target).join("lib").is_dir());
        if built { Some(Self::Built) } else { Self::source(part) }
    }

    /// The library from source, for a target that nobody builds. `None` where there are no sources.
    pub(crate) fn source(part: Part) -> Option<Self> {
        let file = match part {
            Part::Core => "src/rust/library/core/src/lib.rs",
            Part::Std => "src/rust/library/std/src/lib.rs",
        };
        COMPILERS.into_iter().find_map(|compiler| {
            let sysroot = sysroot(compiler).ok()?;
            library(&sysroot).join(file).is_file().then(|| Self::Source { compiler: compiler.into(), part })
        })
    }

    /// Makes `command`, a cargo build, use it.
    pub(crate) fn apply(&self, command: &mut Command) {
        let Self::Source { compiler, part } = self else { return };
        let crates = match part {
            Part::Core => "-Zbuild-std=core",
            Part::Std => "-Zbuild-std=std,panic_abort",
        };
        command.arg(crates).env("RUSTC", compiler).env("RUSTC_BOOTSTRAP", "1");
        command.arg("--target-dir").arg(self.target_directory());
    }

    /// Where cargo puts what [`Self::apply`] makes it build.
    pub(crate) fn target_directory(&self) -> PathBuf {
        match self {
            Self::Built => cargo::target_directory(),
            // Another compiler: the debug builds of build scripts and macros must not be replaced by its own.
            Self::Source { .. } => cargo::target_directory().join("from-source"),
        }
    }
}

/// The machine that the compiler on PATH runs on, as a target.
pub(crate) fn host() -> Result<String> {
    let finished = process::run(Command::new(COMPILERS[0]).arg("-vV"), Duration::from_secs(30))?.success()?;
    let host = finished.stdout.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what its host is")?.to_owned())
}

/// Whether the compiler on PATH has AddressSanitizer's library for `target`.
pub(crate) fn has_address_sanitizer(target: &str) -> Result<bool> {
    let folder = library(&sysroot(COMPILERS[0])?).join(target).join("lib");
    let files = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(files.flatten().any(|file| file.file_name().to_string_lossy().ends_with("_rt.asan.a")))
}

fn library(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib")
}

fn sysroot(compiler: &str) -> Result<PathBuf> {
    let finished =
        process::run(Command::new(compiler).args(["--print", "sysroot"]), Duration::from_secs(30))?
            .success()?;
    let line = finished.stdout.lines().next().context("no sysroot printed")?;
    Ok(Path::new(line).to_path_buf())
}
