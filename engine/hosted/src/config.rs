//! What a kernel and its provider are made with.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::Faults;
use crate::kernel::Executive;
use crate::middleware::Middleware;
use crate::verifier::{OnFinding, VerifierConfig};

/// How a [`HostKernel`](crate::HostKernel) is made.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Virtual processors, at least 1: what KeQueryMaximumProcessorCountEx answers, and so the shards of a client.
    pub processors: u32,
    /// How the provider behind this kernel's WSK_PROVIDER_NPI behaves.
    pub provider: ProviderConfig,
    /// Where the clients' packets belong to; `None` for this kernel itself.
    pub executive: Option<Executive>,
    /// Watches the client's side of NT's and WSK's rules; `None` for nobody, which costs nothing. Where it is on, a client
    /// gets copies of what is received, in pages that it cannot touch any more when it has given them back.
    pub verifier: Option<VerifierConfig>,
    /// What fails; `None` for nothing, which costs nothing.
    pub faults: Option<Arc<Faults>>,
}

impl Default for HostConfig {
    /// One processor, and a provider over the sockets of this host with one worker a socket. The verifier is on in builds
    /// with debug assertions, as tests are.
    fn default() -> Self {
        Self {
            processors: 1,
            provider: ProviderConfig::default(),
            executive: None,
            verifier: cfg!(debug_assertions).then(VerifierConfig::default),
            faults: None,
        }
    }
}

impl HostConfig {
    /// As many processors as workers, over the sockets of this host.
    #[must_use]
    pub fn with_workers(workers: u32) -> Self {
        Self {
            processors: workers.max(1),
            provider: ProviderConfig { workers, ..ProviderConfig::default() },
            ..Self::default()
        }
    }

    /// `processors` processors over the in-memory loopback.
    #[must_use]
    pub fn loopback(processors: u32) -> Self {
        Self {
            processors,
            provider: ProviderConfig { transport: Transport::Loopback, ..ProviderConfig::default() },
            ..Self::default()
        }
    }

    /// The same with the verifier on: a finding panics.
    #[must_use]
    pub fn verified(self) -> Self {
        Self { verifier: Some(VerifierConfig::default()), ..self }
    }

    /// The same with the verifier on, which records what it finds: see [`HostKernel::findings`](crate::HostKernel::findings).
    #[must_use]
    pub fn recorded(self) -> Self {
        let verifier = VerifierConfig { on_finding: OnFinding::Record, ..VerifierConfig::default() };
        Self { verifier: Some(verifier), ..self }
    }

    /// The same without verifier.
    #[must_use]
    pub fn unverified(self) -> Self {
        Self { verifier: None, ..self }
    }
}

/// How the WSK provider behaves. Counts out of range are brought into it when the kernel is made.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// What carries datagrams and connections.
    pub transport: Transport,
    /// Receive threads of one datagram socket, 1 to 64. Worker `w` runs on virtual processor `w` modulo the processors.
    ///
    /// More than one takes `SO_REUSEPORT` among the file descriptors of that socket, and is honoured by
    /// [`Transport::Os`] on Linux only; elsewhere a socket has one worker.
    pub workers: u32,
    /// Receive blocks of one worker, 1 to 65,536: how many datagrams a client can hold at once. A block takes 2,560
    /// bytes, and address space for the rest of a datagram of 65,536 bytes that only long datagrams touch. Over TCP, the
    /// pieces of 16 KiB that a client can hold of one connection; they are allocated as they are needed.
    pub blocks: u32,
    /// Datagrams of one receive system call and so of one indication list at most, 1 to 64.
    pub batch: u32,
    /// How long a datagram may be left in the socket buffer, up to
    /// [`ProviderConfig::LONGEST_MODERATION`], so that a wake-up finds several: what interrupt
    /// moderation is to a network adapter. While so much traffic comes that this pays, a worker that has emptied the
    /// buffer rests before it looks again, as long as that fills a quarter of the buffer at most. At rest, and at rates
    /// below two datagrams in this time, it waits for the next datagram and takes it at once.
    ///
    /// What it adds to the time from arrival to callback is at most this, and what the host's timers are late by (50 us
    /// on Linux). Zero, the default, is off; it is on with [`Transport::Os`] on Linux only.
    pub moderation: Duration,
    /// Sends that can wait for room in the socket buffer, per socket over UDP or TCP; one more fails with
    /// STATUS_INSUFFICIENT_RESOURCES.
    pub pending_sends: u32,
    /// Calls of WskReceiveFrom that can wait for a datagram, per socket, 1 to 65,536; one more fails with
    /// STATUS_INSUFFICIENT_RESOURCES. Windows has no such limit; with one, their memory is taken at bind and none at
    /// DISPATCH_LEVEL.
    pub pending_receives: u32,
    /// Has SIO_WSK_SET_REMOTE_ADDRESS connect the socket of the host too, which then finds the route once instead of for
    /// each datagram, and hears from the other host when nobody listens there: see
    /// [`HostKernel::refused`](crate::HostKernel::refused). A socket that is bound to every address receives by that of the
    /// route alone then, and its remote address stays: setting another, or none, fails with
    /// STATUS_INVALID_DEVICE_STATE.
    pub connects: bool,
    /// Calls receive events below DISPATCH_LEVEL and without WSK_FLAG_AT_DISPATCH_LEVEL, as WSK is allowed to.
    pub indicate_below_dispatch: bool,
    /// Who stands between clients and the provider, nearest to the clients first.
    pub middleware: Vec<Arc<dyn Middleware>>,
    /// What a socket of [`Transport::Loopback`] buffers: datagrams, in bytes of payload and 64 each, or what was sent on a
    /// connection. Up to 64 MiB; SO_RCVBUF changes it.
    pub loopback_buffer: u32,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            transport: Transport::Os,
            workers: 1,
            blocks: 256,
            batch: 32,
            moderation: Duration::ZERO,
            pending_sends: 256,
            pending_receives: 1024,
            connects: false,
            indicate_below_dispatch: false,
            middleware: Vec::new(),
            loopback_buffer: 256 << 10,
        }
    }
}

impl ProviderConfig {
    /// The longest [`ProviderConfig::moderation`].
    pub const LONGEST_MODERATION: Duration = Duration::from_millis(100);

    pub(crate) fn in_range(mut self) -> Self {
        self.workers = if self.transport.has_workers() { self.workers.clamp(1, 64) } else { 1 };
        self.blocks = self.blocks.clamp(1, 1 << 16);
        self.batch = self.batch.clamp(1, 64).min(self.blocks);
        self.moderation = self.moderation.min(Self::LONGEST_MODERATION);
        self.pending_sends = self.pending_sends.clamp(1, 1 << 16);
        self.pending_receives = self.pending_receives.clamp(1, 1 << 16);
        self.loopback_buffer = self.loopback_buffer.max(1 << 10);
        self
    }
}

/// What carries datagrams and connections under the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Sockets of this host: in batches and with control messages on Linux, one by one and with control messages on
    /// Windows, as [`Transport::Portable`] elsewhere.
    Os,
    /// Sockets of this host through what every host has: one datagram a system call, no control messages, and a
    /// receive thread that wakes ten times a second at rest.
    Portable,
    /// Memory of this process: a table of addresses that belongs to the kernel instance.
    Loopback,
    /// As [`Transport::Os`], but UDP datagrams are lent straight from the ring of a packet socket (AF_PACKET, TPACKET_V3):
    /// see [`PacketRing`].
    #[cfg(target_os = "linux")]
    PacketRing(PacketRing),
}

/// How [`Transport::PacketRing`] receives. It takes CAP_NET_RAW, and Linux 6.2 or newer for senders that join datagrams.
///
/// A packet socket with a ring, filtered for the socket's port, takes a copy of each packet behind VLANs, bridges and
/// bonds and before netfilter; the indications lead into that copy. An ordinary socket, which drops all it gets, claims
/// the port, joins groups, and sends. So:
///
/// * Rules of iptables and nftables (prerouting, input) and connection tracking do not see what is received here, nor does
///   rp_filter; XDP, tc and the ingress hook of nftables do.
/// * Checksums that neither kernel nor hardware has checked are checked here.
/// * Fragments of IPv4 are put together by the kernel; those of IPv6 are not, and each datagram that came in fragments is lost.
/// * What a sender or the network card has joined (UDP_SEGMENT, GRO) is indicated in parts, or as one with
///   UDP_COALESCED_INFO where the client asks for that.
/// * Datagrams to a group or to all that this host itself sends by another interface than loopback are lost: a packet
///   socket is not shown them.
/// * Addresses cannot be shared (SO_REUSEADDR).
/// * A block goes back to the kernel when all its indications were released. While half of the blocks are held, datagrams
///   are copied; a block that is still held when the ring comes round stops it, and what has no room then is lost.
///
/// SO_RCVBUF before bind is the size of the ring of each worker, in steps of 512 KiB and at least 2 MiB. What is lost is
/// counted as on other transports; [`HostKernel::packet_ring_losses`](crate::HostKernel::packet_ring_losses) says why.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketRing {
    /// Datagrams are indicated when 512 KiB of them have come, or after so many ms: 1 to 1,000. A tick of the kernel's timer
    /// comes on top.
    pub block_timeout: u16,
}

#[cfg(target_os = "linux")]
impl Default for PacketRing {
    /// 8 ms.
    fn default() -> Self {
        Self { block_timeout: 8 }
    }
}

#[cfg(target_os = "linux")]
impl PacketRing {
    /// Whether this process may receive so: an error of kind PermissionDenied where it lacks CAP_NET_RAW.
    ///
    /// # Errors
    /// What the system says of opening a packet socket.
    pub fn check() -> std::io::Result<()> {
        crate::os::check_packet_ring()
    }
}

/// Datagrams that were sent to sockets over [`Transport::PacketRing`] and lost, by reason.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketRingLosses {
    /// The ring had no room. Of frames of several datagrams that were lost so each counts one, until the socket rests.
    pub ring_full: u64,
    /// Came in fragments that are not put together.
    pub fragmented: u64,
    /// Their checksum was wrong.
    pub bad_checksum: u64,
    /// Their lengths contradicted each other.
    pub malformed: u64,
    /// Not all of them fitted into a block.
    pub truncated: u64,
    /// Reached the claiming socket and were never seen in the ring: what came after the intake had ended, what this host
    /// sent to a group or to all, and the rest of frames of several datagrams that found no room. Known once the socket rests.
    pub unseen: u64,
}

impl Transport {
    const fn has_workers(self) -> bool {
        #[cfg(target_os = "linux")]
        return matches!(self, Self::Os | Self::PacketRing(_));
        #[cfg(not(target_os = "linux"))]
        false
    }
}
