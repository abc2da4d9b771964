//! A network or mount namespace that cannot be left behind.
//!
//! It has no name in the file system: it lives as long as a process is in it, and the one that holds it open waits for
//! the end of its standard input, which comes when this program drops it or dies in any way.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::process::{self, Process};
use crate::{interrupt, tool};

/// Longest that setting up may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A network namespace with its own interfaces, and a mount namespace with its own file systems.
pub(super) struct Namespace {
    holder: Process,
}

impl Namespace {
    /// Opens one whose loopback interface is up.
    pub(super) fn open() -> Result<Self> {
        let mut command = tool::UNSHARE.command();
        command
            .args(["--net", "--mount", "--propagation", "private"])
            // cat replaces the shell, so the holder is one process.
            .args(["sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped());
        let mut holder = Process::start(&mut command)?;
        holder.until("a namespace", LIMIT, |holder| holder.stdout().contains("ready").then_some(()))?;
        let namespace = Self { holder };
        namespace.ip("link set lo up")?;
        // Addresses are used at once: none waits for another to claim it.
        namespace.shell("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")?;
        Ok(namespace)
    }

    /// Joins this namespace and `other` with a pair of interfaces, one end in each, and gives the ends addresses.
    pub(super) fn connect(&self, end: &End, other: &Self, other_end: &End) -> Result<()> {
        let peer = other.holder.id();
        self.ip(&format!(
            "link add {} type veth peer name {} netns {peer}",
            end.interface, other_end.interface
        ))?;
        for (namespace, end) in [(self, end), (other, other_end)] {
            for address in end.addresses {
                namespace.ip(&format!("address add {address} dev {}", end.interface))?;
            }
            namespace.ip(&format!("link set {} up", end.interface))?;
        }
        self.wait_for_link(end)?;
        other.wait_for_link(other_end)
    }

    /// Waits until packets can leave by `end`: the link comes up a moment after both ends were set up, and IPv6 has no
    /// route for multicast before that.
    fn wait_for_link(&self, end: &End) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let link = self.ip(&format!("link show dev {}", end.interface))?;
            let routes = self.ip(&format!("-6 route show table all dev {}", end.interface))?;
            if link.contains("state UP") && routes.contains("multicast ff00::/8") {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} stays down: {link}{routes}", end.interface);
            interrupt::check()?;
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Mounts an empty file system of `bytes` on `folder`, seen only inside.
    pub(super) fn mount_small(&self, folder: &Path, bytes: u32) -> Result<()> {
        let mut command = self.enter();
        command.arg(tool::MOUNT.command().get_program());
        command.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "skua-e2e"]).arg(folder);
        process::run(&mut command, LIMIT)?.success().map(drop)
    }

    /// The path by which the rest of the system reaches `path` inside.
    pub(super) fn outside(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// `nsenter`, ready for the program to run inside.
    pub(super) fn enter(&self) -> Command {
        let mut command = tool::NSENTER.command();
        command.args(["--net", "--mount", "--target", &self.holder.id().to_string(), "--"]);
        command
    }

    /// The hardware address of an interface inside.
    pub(super) fn hardware_address(&self, interface: &str) -> Result<String> {
        let link = self.ip(&format!("link show dev {interface}"))?;
        let mut words = link.split_whitespace().skip_while(|word| *word != "link/ether");
        let address = words.nth(1).with_context(|| format!("{interface} has no hardware address: {link}"))?;
        Ok(address.to_owned())
    }

    fn ip(&self, arguments: &str) -> Result<String> {
        let mut command = self.enter();
        command.arg(tool::IP.command().get_program()).args(arguments.split_whitespace());
        Ok(process::run(&mut command, LIMIT)?.success()?.stdout)
    }

    fn shell(&self, script: &str) -> Result<()> {
        let mut command = self.enter();
        command.args(["sh", "-c", script]);
        process::run(&mut command, LIMIT)?.success().map(drop)
    }
}

/// One end of a pair of interfaces.
pub(super) struct End {
    pub(super) interface: &'static str,
    /// Addresses with their prefix length.
    pub(super) addresses: &'static [&'static str],
}
