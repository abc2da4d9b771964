//! Cargo, run on this workspace.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates that kernel code is made of: no std, no alloc.
pub(crate) const KERNEL_CRATES: [&str; 8] = [
    "skua-pools",
    "skua-record",
    "skua-engine",
    "skua-capi",
    "skua-nt",
    "skua-conformance",
    "skua-protocol",
    "skua-driver",
];

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    // driver/xtask is two folders down.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

/// Where cargo puts what it builds for this workspace.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where cargo keeps the sources of what it fetched.
pub(crate) fn home() -> PathBuf {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_else(|| PathBuf::from(".cargo"))
}

/// `cargo`, at the root of the workspace.
pub(crate) fn command() -> Command {
    // The cargo that runs this program, and so the toolchain the user chose.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Set by `cargo run` for this package; a crate that reads them would see them change and be built again.
    for (name, _) in env::vars_os().filter(|(name, _)| is_package_variable(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

fn is_package_variable(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
}
