//! External programs: where they are, and how to get one that is missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// A program that this machine may lack, and the Debian package that has it.
#[derive(Clone, Copy)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Reads captures back, packet by packet.
pub(crate) const TSHARK: Tool = Tool { program: "tshark", package: "tshark" };
/// Reads what a capture says of itself.
pub(crate) const CAPINFOS: Tool = Tool { program: "capinfos", package: "tshark" };
/// Sends standard input as datagrams.
pub(crate) const NCAT: Tool = Tool { program: "ncat", package: "ncat" };
/// Sends syslog messages.
pub(crate) const LOGGER: Tool = Tool { program: "logger", package: "bsdutils" };
/// Runs a command on a terminal of its own.
pub(crate) const SCRIPT: Tool = Tool { program: "script", package: "bsdutils" };
/// Runs the senders and receivers that need a socket's options.
pub(crate) const PYTHON: Tool = Tool { program: "python3", package: "python3" };
/// Sets up the interfaces of a network namespace.
pub(crate) const IP: Tool = Tool { program: "ip", package: "iproute2" };
/// Opens a namespace.
pub(crate) const UNSHARE: Tool = Tool { program: "unshare", package: "util-linux" };
/// Runs a program in one.
pub(crate) const NSENTER: Tool = Tool { program: "nsenter", package: "util-linux" };
/// Mounts a file system of a bounded size.
pub(crate) const MOUNT: Tool = Tool { program: "mount", package: "mount" };

impl Tool {
    /// The program, ready for its arguments. Searched once more in the administrator's folders, which an ordinary
    /// user's PATH lacks.
    pub(crate) fn command(self) -> Command {
        Command::new(self.find().unwrap_or_else(|| PathBuf::from(self.program)))
    }

    fn find(self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
            .map(|folder| folder.join(self.program))
            .find(|candidate| is_executable(candidate))
    }
}

/// Fails unless all of `tools` are here, naming those that are not and the one command that installs them.
pub(crate) fn require(tools: &[Tool]) -> Result<()> {
    let missing: Vec<Tool> = tools.iter().copied().filter(|tool| tool.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<_> = missing.iter().map(|tool| tool.program).collect();
    let mut packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    bail!("not found: {}. Install with: apt-get install -y {}", programs.join(", "), packages.join(" "));
}

fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}
