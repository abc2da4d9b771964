//! Address families and the addresses of each.

use core::net::{Ipv4Addr, Ipv6Addr};

use bytemuck::{Pod, Zeroable};

/// An address family, `AF_`.
pub type ADDRESS_FAMILY = u16;
/// [`ADDRESS_FAMILY`]: none in particular.
pub const AF_UNSPEC: ADDRESS_FAMILY = 0;
/// [`ADDRESS_FAMILY`]: IPv4.
pub const AF_INET: ADDRESS_FAMILY = 2;
/// [`ADDRESS_FAMILY`]: IPv6.
pub const AF_INET6: ADDRESS_FAMILY = 23;

/// Socket type: a stream of bytes.
pub const SOCK_STREAM: u16 = 1;
/// Socket type: datagrams.
pub const SOCK_DGRAM: u16 = 2;
/// Socket type: datagrams of a protocol of the caller's own.
pub const SOCK_RAW: u16 = 3;

/// An IPv4 address.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IN_ADDR {
    /// The address in network byte order; `S_un.S_addr` in C.
    pub S_addr: u32,
}
layout!(IN_ADDR { size: 4, align: 4, S_addr: 0 });

impl From<Ipv4Addr> for IN_ADDR {
    fn from(address: Ipv4Addr) -> Self {
        Self { S_addr: u32::from_ne_bytes(address.octets()) }
    }
}

impl From<IN_ADDR> for Ipv4Addr {
    fn from(address: IN_ADDR) -> Self {
        Self::from(address.S_addr.to_ne_bytes())
    }
}

/// An IPv6 address.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IN6_ADDR {
    /// The address, eight groups in network byte order; `u.Word` in C.
    pub Word: [u16; 8],
}
layout!(IN6_ADDR { size: 16, align: 2, Word: 0 });

impl From<Ipv6Addr> for IN6_ADDR {
    fn from(address: Ipv6Addr) -> Self {
        bytemuck::must_cast(address.octets())
    }
}

impl From<IN6_ADDR> for Ipv6Addr {
    fn from(address: IN6_ADDR) -> Self {
        Self::from(bytemuck::must_cast::<IN6_ADDR, [u8; 16]>(address))
    }
}

/// What every socket address begins with.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct SOCKADDR {
    /// Which address it is.
    pub sa_family: ADDRESS_FAMILY,
    /// Depends on the family; longer than this for IPv6.
    pub sa_data: [u8; 14],
}
layout!(SOCKADDR { size: 16, align: 2, sa_family: 0, sa_data: 2 });

/// A pointer to an address of any family, as WSK's functions take it.
pub type PSOCKADDR = *mut SOCKADDR;

/// An IPv4 address and a port.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct SOCKADDR_IN {
    /// [`AF_INET`].
    pub sin_family: ADDRESS_FAMILY,
    /// The port in network byte order.
    pub sin_port: u16,
    /// The address.
    pub sin_addr: IN_ADDR,
    /// Zero.
    pub sin_zero: [u8; 8],
}
layout!(SOCKADDR_IN { size: 16, align: 4, sin_family: 0, sin_port: 2, sin_addr: 4, sin_zero: 8 });

/// An IPv6 address, a port, and the scope of the address.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct SOCKADDR_IN6 {
    /// [`AF_INET6`].
    pub sin6_family: ADDRESS_FAMILY,
    /// The port in network byte order.
    pub sin6_port: u16,
    /// Flow label.
    pub sin6_flowinfo: u32,
    /// The address.
    pub sin6_addr: IN6_ADDR,
    /// The interface, for link-local addresses; `sin6_scope_struct` overlays it in C.
    pub sin6_scope_id: u32,
}
layout!(SOCKADDR_IN6 {
    size: 28,
    align: 4,
    sin6_family: 0,
    sin6_port: 2,
    sin6_flowinfo: 4,
    sin6_addr: 8,
    sin6_scope_id: 24,
});

/// Room for an address of any family.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SOCKADDR_STORAGE {
    /// Which address it is.
    pub ss_family: ADDRESS_FAMILY,
    /// The address begins here.
    pub __ss_pad1: [u8; 6],
    /// Makes the whole 8-byte aligned.
    pub __ss_align: i64,
    /// The address ends here at the latest.
    pub __ss_pad2: [u8; 112],
}
layout!(SOCKADDR_STORAGE { size: 128, align: 8, ss_family: 0, __ss_pad1: 2, __ss_align: 8, __ss_pad2: 16 });

/// An address by pointer and length.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct SOCKET_ADDRESS {
    /// The address.
    pub lpSockaddr: *mut SOCKADDR,
    /// Its length in bytes.
    pub iSockaddrLength: i32,
}
layout!(SOCKET_ADDRESS { size: 16, align: 8, lpSockaddr: 0, iSockaddrLength: 8 });

/// A list of addresses: what `SIO_ADDRESS_LIST_QUERY` returns.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct SOCKET_ADDRESS_LIST {
    /// How many.
    pub iAddressCount: i32,
    /// The first; the others follow.
    pub Address: [SOCKET_ADDRESS; 1],
}
layout!(SOCKET_ADDRESS_LIST { size: 24, align: 8, iAddressCount: 0, Address: 8 });
