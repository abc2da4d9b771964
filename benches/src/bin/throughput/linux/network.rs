//! The network between sender and receiver.
//!
//! Namespaces have no names: they are gone with the last process that is in them or holds them open, which is this one and
//! its children. Nothing is left to be removed, however this program ends.

// UNSAFETY: leaves a namespace.
#![expect(unsafe_code, reason = "leaving a namespace is unsafe where descriptors are left too")]

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::child::{Place, enter};
use super::link::set_features;
use crate::case::Path;

/// The interface on the receiver's side.
const RECEIVER_LINK: &str = "skua-r";
/// The interface on the sender's side.
const SENDER_LINK: &str = "skua-s";
const RECEIVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const SENDER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Where both sides are.
pub(crate) struct Network {
    // None where everything stays in the namespace that this program was started in.
    namespaces: Option<Namespaces>,
    sender_core: usize,
    receiver_core: usize,
}

struct Namespaces {
    receiver: Arc<OwnedFd>,
    sender: Arc<OwnedFd>,
}

impl Network {
    /// The loopback interface that is there.
    pub(crate) fn as_it_is(sender_core: usize, receiver_core: usize) -> Self {
        Self { namespaces: None, sender_core, receiver_core }
    }

    /// Two new namespaces with a pair of interfaces between them, and a loopback interface each. Takes root, or a system
    /// that lets users have namespaces.
    ///
    /// Must be called before this process has a second thread.
    pub(crate) fn of_its_own(sender_core: usize, receiver_core: usize) -> Result<Self> {
        become_root().context(
            "no network namespace without root: run this as root, or let users have namespaces (sysctl \
             user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
        )?;
        let receiver = another()?;
        let sender = another()?;
        let namespaces = Namespaces { receiver, sender };
        // This process is in the sender's namespace now, where the peer goes to.
        let pair = format!(
            "link set lo up\n\
             link add {RECEIVER_LINK} address 02:00:00:00:00:01 type veth peer name {SENDER_LINK} address 02:00:00:00:00:02 netns {}\n\
             addr add {RECEIVER}/30 dev {RECEIVER_LINK}\n\
             link set {RECEIVER_LINK} up\n\
             neigh replace {SENDER} lladdr 02:00:00:00:00:02 dev {RECEIVER_LINK} nud permanent\n",
            std::process::id()
        );
        let peer = format!(
            "link set lo up\n\
             addr add {SENDER}/30 dev {SENDER_LINK}\n\
             link set {SENDER_LINK} up\n\
             neigh replace {RECEIVER} lladdr 02:00:00:00:00:01 dev {SENDER_LINK} nud permanent\n"
        );
        let network = Self { namespaces: Some(namespaces), sender_core, receiver_core };
        network.ip(&network.receiver(), &pair)?;
        network.ip(&network.sender(), &peer)?;
        Ok(network)
    }

    /// Makes the network that of `path`, and returns the receiver's address and interface on it.
    pub(crate) fn prepare(&self, path: Path) -> Result<(IpAddr, &'static str)> {
        let Some(namespaces) = self.namespaces.as_ref().filter(|_| path.has_namespaces()) else {
            return Ok((Ipv4Addr::LOCALHOST.into(), "lo"));
        };
        let coalesces = path == Path::VethGro;
        enter(&namespaces.receiver)?;
        let set = set_features(RECEIVER_LINK, &[("rx-gro", coalesces), ("rx-udp-gro-forwarding", coalesces)]);
        enter(&namespaces.sender)?;
        set?;
        set_features(SENDER_LINK, &[("tx-udp-segmentation", false)])?;
        Ok((RECEIVER.into(), RECEIVER_LINK))
    }

    /// Whether the namespaces are this run's own.
    pub(crate) fn is_own(&self) -> bool {
        self.namespaces.is_some()
    }

    /// Where the receiver runs.
    pub(crate) fn receiver(&self) -> Place {
        let namespace = self.namespaces.as_ref().map(|namespaces| Arc::clone(&namespaces.receiver));
        Place { core: self.receiver_core, namespace }
    }

    /// Where the sender runs on `path`: on lo, in the receiver's namespace.
    pub(crate) fn sender_on(&self, path: Path) -> Place {
        let place = if path.has_namespaces() { self.sender() } else { self.receiver() };
        Place { core: self.sender_core, ..place }
    }

    fn sender(&self) -> Place {
        let namespace = self.namespaces.as_ref().map(|namespaces| Arc::clone(&namespaces.sender));
        Place { core: self.sender_core, namespace }
    }

    /// Has `ip` do `batch` at a place.
    fn ip(&self, place: &Place, batch: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let namespace = place.namespace.as_ref().context("a namespace")?;
        enter(namespace)?;
        let child = command.spawn();
        if let Some(namespaces) = &self.namespaces {
            enter(&namespaces.sender)?;
        }
        let mut child = child.context("cannot run ip; install it: apt-get install iproute2")?;
        child.stdin.take().context("its input")?.write_all(batch.as_bytes())?;
        let output = child.wait_with_output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ip could not set the interfaces up: {}", errors.trim());
        Ok(())
    }
}

/// Root in a user namespace, if this process is not root already.
fn become_root() -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // SAFETY: no descriptors are left.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    Ok(())
}

/// A new network namespace, which the calling thread is in afterwards.
fn another() -> Result<Arc<OwnedFd>> {
    // SAFETY: no descriptors are left.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
        .context("cannot have a network namespace; run this as root")?;
    let link = File::open("/proc/thread-self/ns/net").context("cannot open a network namespace")?;
    Ok(Arc::new(link.into()))
}
