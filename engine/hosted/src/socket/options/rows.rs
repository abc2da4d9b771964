//! The table of options: who has each, when it can be set, what it is on a new socket, and what setting it does.
//!
//! What WSK's documentation lists is here, and what the transports have besides and drivers use. SO_LINGER, SO_TYPE,
//! SO_ERROR and the time-outs are Winsock's own and unknown to WSK.

use skua_engine::abi::sockaddr::{
    IP_DONTFRAGMENT, IP_ECN, IP_HDRINCL, IP_HOPLIMIT, IP_MTU, IP_MTU_DISCOVER, IP_MULTICAST_IF,
    IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_PKTINFO, IP_PMTUDISC_PROBE, IP_RECEIVE_BROADCAST, IP_RECVERR,
    IP_RECVTOS, IP_TOS, IP_TTL, IP_UNICAST_IF, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP,
    IPV6_DONTFRAG, IPV6_ECN, IPV6_HDRINCL, IPV6_HOPLIMIT, IPV6_MTU, IPV6_MTU_DISCOVER, IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, IPV6_PKTINFO, IPV6_RECVERR, IPV6_RECVTCLASS, IPV6_TCLASS,
    IPV6_UNICAST_HOPS, IPV6_UNICAST_IF, IPV6_V6ONLY, SO_BROADCAST, SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE,
    SO_RANDOMIZE_PORT, SO_RCVBUF, SO_REUSEADDR, SO_SNDBUF, SOL_SOCKET, TCP_FASTOPEN, TCP_KEEPCNT,
    TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_MAXRT, TCP_MAXSEG, TCP_NODELAY, UDP_NOCHECKSUM,
    UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE,
};

use crate::os::Family::{V4, V6};
use crate::os::{Buffer, Interface, Query, Setting};
use crate::socket::scope::Scope;

/// One option.
pub(super) struct Row {
    pub(super) level: u32,
    pub(super) code: u32,
    /// The sockets that have it, as [`Scope::is`] takes them.
    pub(super) of: u8,
    pub(super) when: When,
    /// What WskGetOption answers before anything was set.
    pub(super) default: u32,
    pub(super) smallest: u32,
    /// Switches have 1: they take any value and remember 0 or 1.
    pub(super) largest: u32,
    pub(super) access: Access,
    /// Where WskGetOption finds the value; what was set when there is none.
    pub(super) query: Option<Query>,
}

/// What can be done with an option.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Both(fn(u32) -> Effect),
    Get,
}

/// When an option may be set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    BeforeBind,
}

/// What setting an option does.
pub(super) enum Effect {
    /// The host does so already.
    Remembered,
    Stack(Setting),
    /// The provider has sends cut.
    Segment(u32),
    /// Received datagrams may be joined, up to so many bytes.
    Coalesce(u32),
    RefuseBroadcast(bool),
}

use Effect::Stack;
use When::{Always, BeforeBind};

impl Row {
    pub(super) const fn is_switch(&self) -> bool {
        self.largest == 1
    }

    const fn before_bind(self) -> Self {
        Self { when: BeforeBind, ..self }
    }

    const fn default(self, default: u32) -> Self {
        Self { default, ..self }
    }

    const fn from(self, smallest: u32) -> Self {
        Self { smallest, ..self }
    }

    /// WskGetOption asks the stack.
    const fn query(self, query: Query) -> Self {
        Self { query: Some(query), ..self }
    }
}

/// A switch, off on a new socket.
const fn switch(level: u32, code: u32, of: u8, effect: fn(u32) -> Effect) -> Row {
    number(level, code, of, 1, effect)
}

/// A number from 0 to `largest`, 0 on a new socket.
const fn number(level: u32, code: u32, of: u8, largest: u32, effect: fn(u32) -> Effect) -> Row {
    let access = Access::Both(effect);
    Row { level, code, of, when: Always, default: 0, smallest: 0, largest, access, query: None }
}

/// What can be got and not set.
const fn answer(level: u32, code: u32, of: u8, query: Query) -> Row {
    Row { access: Access::Get, ..number(level, code, of, u32::MAX, |_| Effect::Remembered).query(query) }
}

const ANY: u8 = Scope::ANY;
const DATAGRAM: u8 = Scope::DATAGRAM;
const PACKETS: u8 = Scope::PACKETS;
const TCP: u8 = Scope::TCP;

/// IPV6_V6ONLY is 1 on a new socket, as Windows has it. Hop limits are the host's, which on Linux are 64 where Windows has
/// 128. IP_UNICAST_IF is in network byte order, and an index in IP_MULTICAST_IF is too.
pub(super) static ROWS: [Row; 49] = [
    switch(SOL_SOCKET, SO_REUSEADDR, ANY, |on| Stack(Setting::ReuseAddress(on != 0))).before_bind(),
    switch(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, ANY, |_| Effect::Remembered).before_bind(),
    switch(SOL_SOCKET, SO_RANDOMIZE_PORT, ANY, |_| Effect::Remembered).before_bind(),
    switch(SOL_SOCKET, SO_BROADCAST, PACKETS, |on| Stack(Setting::Broadcast(on != 0))),
    number(SOL_SOCKET, SO_RCVBUF, ANY, u32::MAX, |bytes| Stack(Setting::Buffer(Buffer::Receive, bytes)))
        .query(Query::Buffer(Buffer::Receive)),
    number(SOL_SOCKET, SO_SNDBUF, ANY, u32::MAX, |bytes| Stack(Setting::Buffer(Buffer::Send, bytes)))
        .query(Query::Buffer(Buffer::Send)),
    switch(SOL_SOCKET, SO_KEEPALIVE, TCP, |on| Stack(Setting::KeepAlive(on != 0))),
    switch(IPPROTO_TCP, TCP_NODELAY, TCP, |on| Stack(Setting::NoDelay(on != 0))),
    number(IPPROTO_TCP, TCP_KEEPIDLE, TCP, 32_767, |seconds| Stack(Setting::KeepAliveIdle(seconds)))
        .from(1)
        .default(7200),
    number(IPPROTO_TCP, TCP_KEEPINTVL, TCP, 32_767, |seconds| Stack(Setting::KeepAliveInterval(seconds)))
        .from(1)
        .default(1),
    number(IPPROTO_TCP, TCP_KEEPCNT, TCP, 127, |probes| Stack(Setting::KeepAliveCount(probes)))
        .from(1)
        .default(10),
    // All bits set is for ever.
    number(IPPROTO_TCP, TCP_MAXRT, TCP, u32::MAX, |seconds| Stack(Setting::RetransmitFor(seconds))),
    switch(IPPROTO_TCP, TCP_FASTOPEN, TCP, |on| Stack(Setting::FastOpen(on != 0))),
    answer(IPPROTO_TCP, TCP_MAXSEG, TCP, Query::SegmentSize),
    switch(IPPROTO_IPV6, IPV6_V6ONLY, ANY, |on| Stack(Setting::OnlyV6(on != 0))).before_bind().default(1),
    switch(IPPROTO_IP, IP_HDRINCL, Scope::RAW, |on| Stack(Setting::HeaderIncluded(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_HDRINCL, Scope::RAW, |on| Stack(Setting::HeaderIncluded(V6, on != 0))),
    switch(IPPROTO_IP, IP_PKTINFO, PACKETS, |on| Stack(Setting::PacketInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_PKTINFO, PACKETS, |on| Stack(Setting::PacketInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_RECVTOS, PACKETS, |on| Stack(Setting::TypeOfServiceInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_RECVTCLASS, PACKETS, |on| Stack(Setting::TypeOfServiceInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_ECN, PACKETS, |on| Stack(Setting::EcnInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_ECN, PACKETS, |on| Stack(Setting::EcnInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_HOPLIMIT, PACKETS, |on| Stack(Setting::HopLimitInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_HOPLIMIT, PACKETS, |on| Stack(Setting::HopLimitInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_RECVERR, PACKETS, |on| Stack(Setting::ErrorInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_RECVERR, PACKETS, |on| Stack(Setting::ErrorInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_RECEIVE_BROADCAST, PACKETS, |on| Effect::RefuseBroadcast(on == 0)).default(1),
    number(IPPROTO_IP, IP_TOS, ANY, 255, |octet| Stack(Setting::TypeOfService(V4, octet))),
    number(IPPROTO_IPV6, IPV6_TCLASS, ANY, 255, |octet| Stack(Setting::TypeOfService(V6, octet))),
    number(IPPROTO_IP, IP_TTL, ANY, 255, |hops| Stack(Setting::HopLimit(V4, hops))).from(1).default(64),
    number(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ANY, 255, |hops| Stack(Setting::HopLimit(V6, hops)))
        .from(1)
        .default(64),
    switch(IPPROTO_IP, IP_DONTFRAGMENT, ANY, |on| Stack(Setting::DontFragment(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_DONTFRAG, ANY, |on| Stack(Setting::DontFragment(V6, on != 0))),
    number(IPPROTO_IP, IP_MTU_DISCOVER, ANY, IP_PMTUDISC_PROBE, |mode| Stack(Setting::DiscoverMtu(V4, mode))),
    number(IPPROTO_IPV6, IPV6_MTU_DISCOVER, ANY, IP_PMTUDISC_PROBE, |mode| {
        Stack(Setting::DiscoverMtu(V6, mode))
    }),
    answer(IPPROTO_IP, IP_MTU, TCP, Query::PathMtu(V4)),
    answer(IPPROTO_IPV6, IPV6_MTU, TCP, Query::PathMtu(V6)),
    number(IPPROTO_IP, IP_UNICAST_IF, ANY, u32::MAX, |index| {
        Stack(Setting::UnicastInterface(V4, u32::from_be(index)))
    }),
    number(IPPROTO_IPV6, IPV6_UNICAST_IF, ANY, u32::MAX, |index| Stack(Setting::UnicastInterface(V6, index))),
    number(IPPROTO_IP, IP_MULTICAST_IF, PACKETS, u32::MAX, |named| {
        Stack(Setting::MulticastInterface(V4, Interface::named(named.to_ne_bytes().into())))
    }),
    number(IPPROTO_IPV6, IPV6_MULTICAST_IF, PACKETS, u32::MAX, |index| {
        Stack(Setting::MulticastInterface(V6, Interface::Index(index)))
    }),
    number(IPPROTO_IP, IP_MULTICAST_TTL, PACKETS, 255, |hops| Stack(Setting::MulticastHops(V4, hops)))
        .default(1),
    number(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, PACKETS, 255, |hops| Stack(Setting::MulticastHops(V6, hops)))
        .default(1),
    switch(IPPROTO_IP, IP_MULTICAST_LOOP, PACKETS, |on| Stack(Setting::MulticastLoop(V4, on != 0)))
        .default(1),
    switch(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, PACKETS, |on| Stack(Setting::MulticastLoop(V6, on != 0)))
        .default(1),
    switch(IPPROTO_UDP, UDP_NOCHECKSUM, DATAGRAM, |on| Stack(Setting::NoChecksum(on != 0))),
    number(IPPROTO_UDP, UDP_SEND_MSG_SIZE, DATAGRAM, 65_535, Effect::Segment),
    number(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, DATAGRAM, 65_527, Effect::Coalesce),
];
