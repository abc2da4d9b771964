//! Addresses: where to listen, which groups to join, whom to let in.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use bytemuck::{Pod, Zeroable};

use crate::Invalid;

const V4: u8 = 4;
const V6: u8 = 6;

/// An address and port to listen at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Listener {
    /// 16 octets in network order, IPv4 as `::ffff:a.b.c.d`; unspecified for every address.
    pub address: [u8; 16],
    /// Interface that scopes a link-local address, otherwise 0.
    pub scope: u32,
    /// The port in host order; 0 takes a free one.
    pub port: u16,
    /// 4 or 6.
    pub family: u8,
    /// Bits of [`ListenerFlags`].
    pub flags: u8,
}

/// The bits of [`Listener::flags`].
pub struct ListenerFlags;

impl ListenerFlags {
    /// An IPv6 socket that leaves IPv4 to others.
    pub const ONLY_V6: u8 = 1;
    /// Others may bind the same address, if they say so too: SO_REUSEADDR.
    pub const SHARED: u8 = 2;
    const ALL: u8 = Self::ONLY_V6 | Self::SHARED;
}

impl Listener {
    /// At `address`, with [`ListenerFlags`].
    #[must_use]
    pub fn new(address: SocketAddr, flags: u8) -> Self {
        let scope = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        let (family, octets) = octets(address.ip());
        Self { address: octets, scope, port: address.port(), family, flags }
    }

    /// The address, checked.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn socket_address(&self) -> Result<SocketAddr, Invalid> {
        if self.flags & !ListenerFlags::ALL != 0 {
            return Err(Invalid::Reserved);
        }
        match ip(self.family, self.address)? {
            IpAddr::V4(_) if self.scope != 0 || self.flags & ListenerFlags::ONLY_V6 != 0 => {
                Err(Invalid::Family)
            }
            IpAddr::V4(v4) => Ok(SocketAddrV4::new(v4, self.port).into()),
            IpAddr::V6(v6) => Ok(SocketAddrV6::new(v6, self.port, 0, self.scope).into()),
        }
    }
}

/// A multicast group that every listener of its family joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Group {
    /// 16 octets in network order, IPv4 as `::ffff:a.b.c.d`.
    pub group: [u8; 16],
    /// The only source wanted, all zero for any.
    pub source: [u8; 16],
    /// Interface index, 0 for the stack's choice.
    pub interface: u32,
    /// 4 or 6.
    pub family: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

impl Group {
    /// This group, of one source or of any, on an interface.
    #[must_use]
    pub fn new(group: IpAddr, source: Option<IpAddr>, interface: u32) -> Self {
        let (family, group) = octets(group);
        let source = source.map_or([0; 16], |source| octets(source).1);
        Self { group, source, interface, family, reserved: [0; 3] }
    }

    /// The group and its source, checked.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn addresses(&self) -> Result<(IpAddr, Option<IpAddr>), Invalid> {
        if self.reserved != [0; 3] {
            return Err(Invalid::Reserved);
        }
        let group = ip(self.family, self.group)?;
        if !group.is_multicast() {
            return Err(Invalid::Group);
        }
        let source = if self.source == [0; 16] { None } else { Some(ip(self.family, self.source)?) };
        Ok((group, source))
    }
}

/// A rule of an allow-list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct AllowedPrefix {
    /// 16 octets in network order, IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// Bits of the prefix: 0 to 32, or to 128.
    pub bits: u8,
    /// 4 or 6.
    pub family: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

impl AllowedPrefix {
    /// The addresses that share the first `bits` bits of `address`.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Self {
        let (family, address) = octets(address);
        Self { address, bits, family, reserved: [0; 6] }
    }

    /// Address and length, checked.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn prefix(&self) -> Result<(IpAddr, u8), Invalid> {
        if self.reserved != [0; 6] {
            return Err(Invalid::Reserved);
        }
        let address = ip(self.family, self.address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if self.bits > most {
            return Err(Invalid::Prefix);
        }
        Ok((address, self.bits))
    }
}

/// Family and octets of an address.
pub(crate) fn octets(address: IpAddr) -> (u8, [u8; 16]) {
    match address {
        IpAddr::V4(v4) => (V4, v4.to_ipv6_mapped().octets()),
        IpAddr::V6(v6) => (V6, v6.octets()),
    }
}

/// The address of `family` that `octets` hold. An unspecified IPv4 address is `::ffff:0.0.0.0`.
pub(crate) fn ip(family: u8, octets: [u8; 16]) -> Result<IpAddr, Invalid> {
    let mapped = match octets {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    };
    match (family, mapped) {
        (V4, Some(v4)) => Ok(v4.into()),
        (V6, None) => Ok(Ipv6Addr::from(octets).into()),
        _ => Err(Invalid::Family),
    }
}
