//! What carries datagrams below the provider: one stack a kernel, one socket below each WSK socket, one receiver below
//! each of its workers.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};

#[cfg(target_os = "linux")]
use crate::config::PacketRingLosses;
use crate::config::{ProviderConfig, Transport};
use crate::loopback::Loopback;
use crate::receive::BlockRef;

mod connection;
#[cfg(any(target_os = "linux", windows))]
mod control;
#[cfg(not(any(target_os = "linux", windows)))]
mod interfaces;
#[cfg(target_os = "linux")]
mod linux;
pub(crate) mod names;
mod portable;
mod settings;
pub(crate) mod tcp;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use self::linux::interfaces;
#[cfg(target_os = "linux")]
pub(crate) use self::linux::packet_ring::check as check_packet_ring;
use self::portable::Portable;
#[cfg(windows)]
use self::windows::interfaces;

/// Makes the stack that `provider` asks for.
pub(crate) fn stack(provider: &ProviderConfig) -> Box<dyn Stack> {
    match provider.transport {
        #[cfg(target_os = "linux")]
        Transport::Os => Box::new(linux::Linux),
        #[cfg(target_os = "linux")]
        Transport::PacketRing(ring) => Box::new(linux::packet_ring::PacketRings(ring)),
        #[cfg(windows)]
        Transport::Os => Box::new(windows::Windows),
        #[cfg(not(any(target_os = "linux", windows)))]
        Transport::Os => Box::new(Portable),
        Transport::Portable => Box::new(Portable),
        Transport::Loopback => Box::new(Loopback::new(provider.loopback_buffer)),
    }
}

/// A network stack.
pub(crate) trait Stack: Send + Sync {
    /// Makes a UDP socket that is not bound.
    fn open(&self, family: Family) -> Result<Box<dyn StackSocket>, NTSTATUS>;

    /// Makes a socket for datagrams of an IP protocol. STATUS_ACCESS_DENIED for who has not the privilege.
    fn open_raw(&self, _family: Family, _protocol: u8) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        Err(STATUS_NOT_SUPPORTED)
    }

    /// Makes a TCP socket that is not bound; whether it will listen.
    fn open_tcp(&self, family: Family, listens: bool) -> Result<tcp::TcpSocket, NTSTATUS> {
        tcp::TcpSocket::open(family, listens)
    }

    /// Whether there are raw sockets.
    fn has_raw(&self) -> bool {
        false
    }

    /// Whether [`StackSocket::lost`] can answer.
    fn tells_lost(&self) -> bool;

    /// The addresses of `family` that a socket can be bound to, with port 0, always in one order; `None` where the stack
    /// cannot tell.
    fn addresses(&self, family: Family) -> Option<Vec<SocketAddr>> {
        interfaces::addresses(family)
    }

    /// The address from which `destination` would be sent to; `None` when it cannot be reached.
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        settings::source_for(destination).ok()
    }
}

/// What sockets of every kind have. Methods can be called at the same time from any thread.
pub(crate) trait StackEndpoint: Send + Sync {
    /// Changes a setting; STATUS_NOT_SUPPORTED where the stack has none like it.
    fn set(&self, setting: &Setting) -> Result<(), NTSTATUS>;

    /// Answers a question; STATUS_NOT_SUPPORTED where the stack has no answer.
    fn query(&self, query: Query) -> Result<u32, NTSTATUS>;

    /// Whether the stack can cut one message into many datagrams, as [`SendControl::segment`] asks.
    fn segments(&self) -> bool;

    /// Lets others share the address from now on, bound or not. Can be called while it is closed, and after.
    fn share_address(&self);

    /// Gives back what the host lent. Afterwards nothing is called but what says so.
    fn close(&self);
}

/// A datagram socket of the stack. [`StackSocket::end`] and [`StackSocket::lost`] can be called while it is closed, and
/// after.
pub(crate) trait StackSocket: StackEndpoint {
    /// Binds, and returns the address with its real port. `workers` receivers will be asked for. An address is refused
    /// that others have, unless it is to be `shared` with those who let it be; port 0 is one that nobody has.
    fn bind(&self, local: SocketAddr, workers: u32, shared: bool) -> Result<SocketAddr, NTSTATUS>;

    /// Receiver number `worker` of a bound socket, for `batch` slots. Takes all the memory that receiving needs.
    fn receiver(&self, worker: u32, batch: usize) -> Box<dyn Receiver>;

    /// Tells the stack the one address that datagrams come from and go to, so that it finds the way there once, and says
    /// when nobody listens there. Nothing to do for a stack without ways.
    fn connect(&self, _remote: SocketAddr) -> Result<(), NTSTATUS> {
        Ok(())
    }

    /// How often the host that it is connected to has said that nobody listens.
    fn refused(&self) -> u64 {
        0
    }

    /// Sends messages in order, without waiting.
    fn send(&self, batch: &SendBatch<'_>) -> Sent;

    /// Datagrams that the stack cuts one message into at most, where [`StackEndpoint::segments`] says that it does.
    fn most_segments(&self) -> usize {
        64
    }

    /// Waits until a send may succeed, or [`StackSocket::stop`] was called.
    fn wait_writable(&self);

    /// Lets no more datagrams in: later ones count as lost. Receivers end after what is queued. Sending goes on.
    fn end(&self);

    /// As [`StackSocket::end`], and whoever waits for room to send returns, now and from now on.
    fn stop(&self);

    /// Datagrams that reached the socket and were dropped by the stack, as far as it can tell.
    fn lost(&self) -> Option<u64>;

    /// What was lost by reason, of a socket that receives from a ring.
    #[cfg(target_os = "linux")]
    fn ring_losses(&self) -> PacketRingLosses {
        PacketRingLosses::default()
    }

    /// The memory that receivers lend besides blocks.
    fn lent_memory(&self) -> Vec<Range<usize>> {
        Vec::new()
    }
}

/// Receives datagrams of one worker into blocks. A slot is a place in the batch that holds one block.
pub(crate) trait Receiver: Send {
    /// Gives `slot` a block, in place of the one it had.
    fn attach(&mut self, slot: usize, block: BlockRef);

    /// Waits for datagrams and puts them into the first slots of `0..slots`, all of which have blocks: payload, length,
    /// source address, control messages.
    fn receive(&mut self, slots: usize) -> Received;

    /// Whether the last receive left nothing in the buffer that the stack queues datagrams in; false where that is not
    /// known.
    fn has_emptied(&self) -> bool {
        false
    }

    /// How full that buffer is, where the stack tells.
    fn backlog(&self) -> Option<Backlog> {
        None
    }

    /// Whether it lends memory of its own, so that it wants to hear of every block that comes back.
    fn lends(&self) -> bool {
        false
    }

    /// These blocks, where there is one, were given back: nobody reads any more what they lead to.
    fn take_back(&mut self, _blocks: &[Option<BlockRef>]) {}

    /// Throws away what is still queued after [`StackSocket::end`], and says how much that was. Blocks are scratch.
    fn discard(&mut self) -> u64;
}

/// How full a receive buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Bytes that are taken.
    pub(crate) queued: u32,
    /// Bytes that there are. What does not fit is lost.
    pub(crate) limit: u32,
}

/// How a receive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The first so many slots hold datagrams, at least one.
    Datagrams(usize),
    /// Nothing has come for a while. To be called again.
    Quiet,
    /// An error of the network that concerns nobody. To be called again.
    Failed,
    /// [`StackSocket::end`] was called and everything queued has been returned.
    Ended,
    /// The stack's socket is of no use any more.
    Dead,
}

/// IPv4 or IPv6, the latter with or without IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A socket buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffer {
    Receive,
    Send,
}

/// What a socket can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// The size of a buffer in bytes, as it is now.
    Buffer(Buffer),
    /// The largest packet that reaches the other end of a connection unfragmented.
    PathMtu(Family),
    /// The most data that a segment of a connection carries.
    SegmentSize,
}

/// What a socket can be told. `Family` is the level of an option that exists for either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    ReuseAddress(bool),
    /// Probe a connection that is idle.
    KeepAlive(bool),
    /// Seconds without traffic before it is probed.
    KeepAliveIdle(u32),
    /// Seconds between probes.
    KeepAliveInterval(u32),
    /// Probes without an answer after which it is broken.
    KeepAliveCount(u32),
    /// Seconds of retransmission after which it is broken; 0 is the stack's choice, all bits set is for ever.
    RetransmitFor(u32),
    /// Carry data in connection requests.
    FastOpen(bool),
    /// Send segments as soon as there is data.
    NoDelay(bool),
    Broadcast(bool),
    Buffer(Buffer, u32),
    OnlyV6(bool),
    /// What is sent begins with its IP header. Raw sockets only.
    HeaderIncluded(Family, bool),
    /// Control messages with the destination address and the interface.
    PacketInfo(Family, bool),
    /// Control messages with the type of service, or traffic class.
    TypeOfServiceInfo(Family, bool),
    /// Control messages with the two bits of ECN.
    EcnInfo(Family, bool),
    /// Control messages with the time to live, or hop limit.
    HopLimitInfo(Family, bool),
    /// Control messages with the time of arrival.
    Timestamps(bool),
    /// Of datagrams sent.
    TypeOfService(Family, u32),
    /// Of unicast datagrams sent.
    HopLimit(Family, u32),
    DontFragment(Family, bool),
    /// One of IP_PMTUDISC_.
    DiscoverMtu(Family, u32),
    NoChecksum(bool),
    /// Give datagrams that belong together as one, with a control message that says how long they are.
    Coalesce(bool),
    /// Give ICMP errors as datagrams without data, with a control message that says which.
    ErrorInfo(Family, bool),
    /// Interface index to send unicast datagrams by, 0 for none.
    UnicastInterface(Family, u32),
    /// Interface to send multicast datagrams by.
    MulticastInterface(Family, Interface),
    MulticastHops(Family, u32),
    MulticastLoop(Family, bool),
    Join(Membership),
    Leave(Membership),
    /// Refuse a source of a group that was joined for all.
    Block(Membership),
    Unblock(Membership),
}

/// An interface, as multicast options name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interface {
    /// 0 is the stack's choice.
    Index(u32),
    /// One of its addresses.
    Address(Ipv4Addr),
}

impl Interface {
    /// An interface named by its address, or, from 0.0.0.0 to 0.255.255.255, by its index.
    pub(crate) fn named(address: Ipv4Addr) -> Self {
        match address.octets() {
            [0, ..] => Self::Index(u32::from(address)),
            _ => Self::Address(address),
        }
    }
}

/// A multicast group on an interface, of one source or of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: IpAddr,
    pub(crate) source: Option<IpAddr>,
    pub(crate) interface: Interface,
}

/// Messages to one destination.
#[derive(Debug)]
pub(crate) struct SendBatch<'a> {
    pub(crate) messages: &'a [Message],
    /// The parts of all messages, one after the other.
    pub(crate) parts: &'a [IoSlice<'a>],
    pub(crate) remote: SocketAddr,
    pub(crate) control: &'a SendControl,
}

impl<'a> SendBatch<'a> {
    /// The parts of `message`.
    pub(crate) fn parts_of(&self, message: &Message) -> &'a [IoSlice<'a>] {
        self.parts.get(message.first..message.first + message.parts).unwrap_or_default()
    }
}

/// One datagram to send.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Message {
    /// Index of its first part in [`SendBatch::parts`].
    pub(crate) first: usize,
    /// How many parts it has.
    pub(crate) parts: usize,
    /// Bytes in them.
    pub(crate) bytes: usize,
    /// Whether it is the last of its buffer: one that is to be cut may make several.
    pub(crate) is_last: bool,
}

/// What the control messages of a send ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SendControl {
    /// Source address, unspecified for the stack's choice, and interface index, 0 for the stack's choice.
    pub(crate) source: Option<(IpAddr, u32)>,
    pub(crate) type_of_service: Option<u8>,
    pub(crate) hop_limit: Option<u8>,
    /// Split into datagrams of so many bytes.
    pub(crate) segment: Option<u16>,
}

/// How far a send came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// So many messages, from the first on, were taken by the stack.
    pub(crate) messages: usize,
    /// Why the next one was not; `None` when all were taken.
    pub(crate) stopped: Option<Stopped>,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The socket buffer is full.
    Full,
    /// It cannot be.
    Failed(NTSTATUS),
}
