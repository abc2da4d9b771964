//! Multicast: options to join groups with, and what they take.
//!
//! Options are set through `WskControlSocket` once the socket is bound. Either family has its own requests; the
//! `MCAST_` options take addresses of both, at the level of the family.

use bytemuck::{Pod, Zeroable};

use super::{IN_ADDR, IN6_ADDR, SOCKADDR_STORAGE};

/// `IPPROTO_IP`: the interface that multicast leaves by; its address, or its index as `0.x.y.z`.
pub const IP_MULTICAST_IF: u32 = 9;
/// `IPPROTO_IP`: time to live of multicast that is sent.
pub const IP_MULTICAST_TTL: u32 = 10;
/// `IPPROTO_IP`: whether multicast that is sent is also received on this machine.
pub const IP_MULTICAST_LOOP: u32 = 11;
/// `IPPROTO_IP`: join a group, [`IP_MREQ`].
pub const IP_ADD_MEMBERSHIP: u32 = 12;
/// `IPPROTO_IP`: leave a group, [`IP_MREQ`].
pub const IP_DROP_MEMBERSHIP: u32 = 13;
/// `IPPROTO_IP`: join a group for one source, [`IP_MREQ_SOURCE`].
pub const IP_ADD_SOURCE_MEMBERSHIP: u32 = 15;
/// `IPPROTO_IP`: leave a group for one source, [`IP_MREQ_SOURCE`].
pub const IP_DROP_SOURCE_MEMBERSHIP: u32 = 16;
/// `IPPROTO_IP`: refuse one source of a group, [`IP_MREQ_SOURCE`].
pub const IP_BLOCK_SOURCE: u32 = 17;
/// `IPPROTO_IP`: admit it again, [`IP_MREQ_SOURCE`].
pub const IP_UNBLOCK_SOURCE: u32 = 18;

/// `IPPROTO_IPV6`: the interface that multicast leaves by, its index in host byte order.
pub const IPV6_MULTICAST_IF: u32 = 9;
/// `IPPROTO_IPV6`: hop limit of multicast that is sent.
pub const IPV6_MULTICAST_HOPS: u32 = 10;
/// `IPPROTO_IPV6`: whether multicast that is sent is also received on this machine.
pub const IPV6_MULTICAST_LOOP: u32 = 11;
/// `IPPROTO_IPV6`: join a group, [`IPV6_MREQ`].
pub const IPV6_ADD_MEMBERSHIP: u32 = 12;
/// `IPPROTO_IPV6`: leave a group, [`IPV6_MREQ`].
pub const IPV6_DROP_MEMBERSHIP: u32 = 13;

/// Either family: join a group, [`GROUP_REQ`].
pub const MCAST_JOIN_GROUP: u32 = 41;
/// Either family: leave a group, [`GROUP_REQ`].
pub const MCAST_LEAVE_GROUP: u32 = 42;
/// Either family: refuse one source of a group, [`GROUP_SOURCE_REQ`].
pub const MCAST_BLOCK_SOURCE: u32 = 43;
/// Either family: admit it again, [`GROUP_SOURCE_REQ`].
pub const MCAST_UNBLOCK_SOURCE: u32 = 44;
/// Either family: join a group for one source, [`GROUP_SOURCE_REQ`].
pub const MCAST_JOIN_SOURCE_GROUP: u32 = 45;
/// Either family: leave a group for one source, [`GROUP_SOURCE_REQ`].
pub const MCAST_LEAVE_SOURCE_GROUP: u32 = 46;

/// An IPv4 group on an interface.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IP_MREQ {
    /// The group.
    pub imr_multiaddr: IN_ADDR,
    /// The interface: one of its addresses, or its index as `0.x.y.z`.
    pub imr_interface: IN_ADDR,
}
layout!(IP_MREQ { size: 8, align: 4, imr_multiaddr: 0, imr_interface: 4 });

/// An IPv4 group, for one source, on an interface. The source comes before the interface, unlike on Linux.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IP_MREQ_SOURCE {
    /// The group.
    pub imr_multiaddr: IN_ADDR,
    /// The source.
    pub imr_sourceaddr: IN_ADDR,
    /// The interface: one of its addresses, or its index as `0.x.y.z`.
    pub imr_interface: IN_ADDR,
}
layout!(IP_MREQ_SOURCE { size: 12, align: 4, imr_multiaddr: 0, imr_sourceaddr: 4, imr_interface: 8 });

/// An IPv6 group on an interface.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IPV6_MREQ {
    /// The group.
    pub ipv6mr_multiaddr: IN6_ADDR,
    /// The interface's index; 0 leaves the choice to the stack.
    pub ipv6mr_interface: u32,
}
layout!(IPV6_MREQ { size: 20, align: 4, ipv6mr_multiaddr: 0, ipv6mr_interface: 16 });

/// A group of either family on an interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct GROUP_REQ {
    /// The interface's index; 0 leaves the choice to the stack.
    pub gr_interface: u32,
    /// Padding that C leaves unnamed.
    pub _padding: u32,
    /// The group.
    pub gr_group: SOCKADDR_STORAGE,
}
layout!(GROUP_REQ { size: 136, align: 8, gr_interface: 0, gr_group: 8 });

/// A group of either family, for one source, on an interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct GROUP_SOURCE_REQ {
    /// The interface's index; 0 leaves the choice to the stack.
    pub gsr_interface: u32,
    /// Padding that C leaves unnamed.
    pub _padding: u32,
    /// The group.
    pub gsr_group: SOCKADDR_STORAGE,
    /// The source.
    pub gsr_source: SOCKADDR_STORAGE,
}
layout!(GROUP_SOURCE_REQ { size: 264, align: 8, gsr_interface: 0, gsr_group: 8, gsr_source: 136 });
