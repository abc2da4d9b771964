//! What this machine may lack: external programs and files, where they are, and how to get one that is missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// A program or file that this machine may lack, and the Debian package that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    name: &'static str,
    package: &'static str,
    place: Place,
}

/// Where a [`Tool`] is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A program of that name on PATH.
    Path,
    /// A program of that name on PATH, or of that name with a version behind it, as Debian names LLVM's.
    Versioned,
    /// This one file.
    File(&'static str),
}

/// Reads captures back, packet by packet.
pub(crate) const TSHARK: Tool = Tool::on_path("tshark", "tshark");
/// Reads what a capture says of itself.
pub(crate) const CAPINFOS: Tool = Tool::on_path("capinfos", "tshark");
/// Sends standard input as datagrams, and speaks TCP.
pub(crate) const NCAT: Tool = Tool::on_path("ncat", "ncat");
/// Hashes what it reads.
pub(crate) const SHA256SUM: Tool = Tool::on_path("sha256sum", "coreutils");
/// Sends syslog messages.
pub(crate) const LOGGER: Tool = Tool::on_path("logger", "bsdutils");
/// Runs a command on a terminal of its own.
pub(crate) const SCRIPT: Tool = Tool::on_path("script", "bsdutils");
/// Runs the senders and receivers that need a socket's options.
pub(crate) const PYTHON: Tool = Tool::on_path("python3", "python3");
/// Sets up the interfaces of a network namespace.
pub(crate) const IP: Tool = Tool::on_path("ip", "iproute2");
/// Opens a namespace.
pub(crate) const UNSHARE: Tool = Tool::on_path("unshare", "util-linux");
/// Runs a program in one.
pub(crate) const NSENTER: Tool = Tool::on_path("nsenter", "util-linux");
/// Runs a program without a capability.
pub(crate) const SETPRIV: Tool = Tool::on_path("setpriv", "util-linux");
/// Mounts a file system of a bounded size.
pub(crate) const MOUNT: Tool = Tool::on_path("mount", "mount");

/// Samples call stacks and counts events.
pub(crate) const PERF: Tool = Tool::on_path("perf", "linux-perf");
/// Counts instructions.
pub(crate) const VALGRIND: Tool = Tool::on_path("valgrind", "valgrind");
/// Runs the benches that are counted. Cargo installs it, not Debian.
pub(crate) const GUNGRAUN_RUNNER: Tool = Tool::on_path("gungraun-runner", "");
/// Fetches a sink's metrics.
pub(crate) const CURL: Tool = Tool::on_path("curl", "curl");

/// Compiles programs in C.
pub(crate) const GCC: Tool = Tool::on_path("gcc", "gcc");
/// Compiles them again.
pub(crate) const CLANG: Tool = Tool { name: "clang", package: "clang-19", place: Place::Versioned };
/// Compiles libFuzzer.
pub(crate) const CXX: Tool = Tool::on_path("c++", "g++");

/// Links the images whose target is MSVC's.
pub(crate) const LLD_LINK: Tool = Tool { name: "lld-link", package: "lld-19", place: Place::Versioned };
/// Links the programs whose target is MinGW's.
pub(crate) const MINGW_GCC: Tool = Tool::on_path("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64-win32");
/// Makes the import libraries of those.
pub(crate) const MINGW_DLLTOOL: Tool =
    Tool::on_path("x86_64-w64-mingw32-dlltool", "binutils-mingw-w64-x86-64");
/// Takes objects out of the libraries for those.
pub(crate) const MINGW_AR: Tool = Tool::on_path("x86_64-w64-mingw32-ar", "binutils-mingw-w64-x86-64");
/// Takes objects out of a library for MSVC's linkers, and lists what is left in their way.
pub(crate) const LLVM_AR: Tool = Tool { name: "llvm-ar", package: "llvm-19", place: Place::Versioned };
/// Debian's Rust compiler, which comes with the sources of its library.
pub(crate) const DEBIAN_RUSTC: Tool = Tool::file(DEBIAN_RUSTC_PATH, "rustc-web");
/// The sources of Rust's library, for Debian's compiler.
pub(crate) const DEBIAN_RUST_SOURCES: Tool =
    Tool::file("/usr/lib/rustlib/src/rust/library/std/src/lib.rs", "rust-web-src");

/// Runs programs and drivers for Windows.
pub(crate) const WINE: Tool = Tool::on_path("wine", "wine wine64");
/// Starts them without randomised addresses.
pub(crate) const SETARCH: Tool = Tool::on_path("setarch", "util-linux");
/// Keeps what they share.
pub(crate) const WINESERVER: Tool = Tool::on_path("wineserver", "wine wine64");

/// Where Debian has its Rust compiler; rustup's comes before it on PATH.
pub(crate) const DEBIAN_RUSTC_PATH: &str = "/usr/bin/rustc";

impl Tool {
    const fn on_path(name: &'static str, package: &'static str) -> Self {
        Self { name, package, place: Place::Path }
    }

    pub(crate) const fn file(path: &'static str, package: &'static str) -> Self {
        Self { name: path, package, place: Place::File(path) }
    }

    /// The program, ready for its arguments.
    pub(crate) fn command(self) -> Command {
        Command::new(self.path())
    }

    /// Where it is; its bare name where it is not here, for an error that names it.
    pub(crate) fn path(self) -> PathBuf {
        self.find().unwrap_or_else(|| PathBuf::from(self.name))
    }

    /// Whether this machine has it.
    pub(crate) fn is_here(self) -> bool {
        self.find().is_some()
    }

    /// Searched once more in the administrator's folders, which an ordinary user's PATH lacks.
    fn find(self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
        match self.place {
            Place::File(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
            Place::Path => folders.find_map(|folder| executable(folder.join(self.name))),
            Place::Versioned => {
                folders.find_map(|folder| executable(folder.join(self.name)).or_else(|| self.newest(&folder)))
            }
        }
    }

    /// The program in `folder` whose name ends in the highest version.
    fn newest(self, folder: &Path) -> Option<PathBuf> {
        fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let version = version(entry.file_name().to_str()?, self.name)?;
                Some((version, executable(entry.path())?))
            })
            .max()
            .map(|(_, path)| path)
    }
}

/// Fails unless all of `tools` are here, naming those that are not and the one command that installs them.
pub(crate) fn require(tools: &[Tool]) -> Result<()> {
    let missing: Vec<Tool> = tools.iter().copied().filter(|tool| tool.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
    let mut packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    bail!("not found: {}. Install with: apt-get install -y {}", names.join(", "), packages.join(" "));
}

/// The version in `file`, a name like `lld-link-19`.
fn version(file: &str, name: &str) -> Option<u32> {
    file.strip_prefix(name)?.strip_prefix('-')?.parse().ok()
}

fn executable(path: PathBuf) -> Option<PathBuf> {
    let may = rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok();
    (may && path.is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_behind_the_whole_name() {
        assert_eq!(version("lld-link-19", "lld-link"), Some(19));
        for other in ["lld-link", "lld-19", "lld-link-19.1", "lld-link-old", "xlld-link-19"] {
            assert_eq!(version(other, "lld-link"), None, "{other}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_one_command_that_installs_it() {
        let here = Tool::file(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "never");
        require(&[here]).unwrap();
        let missing = [Tool::file("/no/such/file", "b"), here, Tool::on_path("no such program", "a")];
        let error = require(&missing).unwrap_err().to_string();
        assert_eq!(error, "not found: /no/such/file, no such program. Install with: apt-get install -y a b");
    }
}
