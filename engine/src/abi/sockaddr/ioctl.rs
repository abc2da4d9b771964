//! I/O controls of sockets, and what they take and return.

use bytemuck::{Pod, Zeroable};

use crate::abi::nt::{BOOLEAN, PROCESSOR_NUMBER};

/// Part of a code: no arguments.
pub const IOC_VOID: u32 = 0x2000_0000;
/// Part of a code: something is returned.
pub const IOC_OUT: u32 = 0x4000_0000;
/// Part of a code: something is passed.
pub const IOC_IN: u32 = 0x8000_0000;
/// Part of a code: of every address family.
pub const IOC_WS2: u32 = 0x0800_0000;
/// Part of a code: of one vendor's provider.
pub const IOC_VENDOR: u32 = 0x1800_0000;

/// Returns the local addresses, a [`SOCKET_ADDRESS_LIST`](super::SOCKET_ADDRESS_LIST). `PASSIVE_LEVEL`, without IRP.
pub const SIO_ADDRESS_LIST_QUERY: u32 = IOC_OUT | IOC_WS2 | 22;
/// Completes when the local addresses change. `PASSIVE_LEVEL`.
pub const SIO_ADDRESS_LIST_CHANGE: u32 = IOC_VOID | IOC_WS2 | 23;
/// Sorts addresses by how well they are reached. `PASSIVE_LEVEL`.
pub const SIO_ADDRESS_LIST_SORT: u32 = IOC_IN | IOC_OUT | IOC_WS2 | 25;
/// Returns the processor that receives for a connection, [`SOCKET_PROCESSOR_AFFINITY`].
pub const SIO_QUERY_RSS_PROCESSOR_INFO: u32 = IOC_OUT | IOC_WS2 | 37;
/// Returns whether receive-side scaling is on, [`RSS_SCALABILITY_INFO`].
pub const SIO_QUERY_RSS_SCALABILITY_INFO: u32 = IOC_OUT | IOC_VENDOR | 210;
/// Takes when idle connections are probed, [`tcp_keepalive`].
pub const SIO_KEEPALIVE_VALS: u32 = IOC_IN | IOC_VENDOR | 4;
/// Takes whether ICMP "port unreachable" fails receives. A matter of user mode's sockets.
pub const SIO_UDP_CONNRESET: u32 = IOC_IN | IOC_VENDOR | 12;
/// Lets loopback take a shorter path.
pub const SIO_LOOPBACK_FAST_PATH: u32 = IOC_IN | IOC_VENDOR | 16;
/// Takes the processor, a `USHORT`, that the socket is shared out to. Before bind; not verified through WSK.
pub const SIO_CPU_AFFINITY: u32 = IOC_IN | IOC_VENDOR | 21;
/// Takes which datagrams are given times, [`TIMESTAMPING_CONFIG`]. Windows 10 build 20348 and later; documented for
/// Winsock ("Winsock timestamping"), not verified through WSK.
pub const SIO_TIMESTAMPING: u32 = IOC_IN | IOC_VENDOR | 235;

/// What [`SIO_QUERY_RSS_PROCESSOR_INFO`] returns.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct SOCKET_PROCESSOR_AFFINITY {
    /// The processor.
    pub Processor: PROCESSOR_NUMBER,
    /// Its NUMA node.
    pub NumaNodeId: u16,
    /// Unused.
    pub Reserved: u16,
}
layout!(SOCKET_PROCESSOR_AFFINITY { size: 8, align: 2, Processor: 0, NumaNodeId: 4, Reserved: 6 });

/// What [`SIO_QUERY_RSS_SCALABILITY_INFO`] returns.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct RSS_SCALABILITY_INFO {
    /// Whether receive-side scaling is on.
    pub RssEnabled: BOOLEAN,
}
layout!(RSS_SCALABILITY_INFO { size: 1, align: 1, RssEnabled: 0 });

/// What [`SIO_KEEPALIVE_VALS`] takes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct tcp_keepalive {
    /// Whether idle connections are probed; 0 is off, and then the others have no meaning.
    pub onoff: u32,
    /// Milliseconds without traffic before the first probe.
    pub keepalivetime: u32,
    /// Milliseconds between probes.
    pub keepaliveinterval: u32,
}
layout!(tcp_keepalive { size: 12, align: 4, onoff: 0, keepalivetime: 4, keepaliveinterval: 8 });

/// What [`SIO_TIMESTAMPING`] takes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct TIMESTAMPING_CONFIG {
    /// [`TIMESTAMPING_FLAG_RX`], [`TIMESTAMPING_FLAG_TX`] or both; a direction left out is switched off.
    pub Flags: u32,
    /// How many times of sent datagrams are kept for being asked for.
    pub TxTimestampsBuffered: u16,
    /// Padding that C leaves unnamed.
    pub _padding: u16,
}
layout!(TIMESTAMPING_CONFIG { size: 8, align: 4, Flags: 0, TxTimestampsBuffered: 4 });

/// [`TIMESTAMPING_CONFIG::Flags`]: times of received datagrams, as [`SO_TIMESTAMP`](super::SO_TIMESTAMP) messages.
pub const TIMESTAMPING_FLAG_RX: u32 = 1;
/// [`TIMESTAMPING_CONFIG::Flags`]: times of sent datagrams.
pub const TIMESTAMPING_FLAG_TX: u32 = 2;
