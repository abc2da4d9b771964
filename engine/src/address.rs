//! Addresses as the engine compares and stores them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An IP address in one form for both families: IPv4 as `::ffff:a.b.c.d`.
///
/// A dual-stack socket indicates IPv4 senders as v4-mapped addresses and an IPv4 socket indicates them plain; one form
/// keeps one sender one key, whichever socket heard it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(C, align(8))]
pub struct Address([u8; 16]);

impl Address {
    /// The unspecified IPv6 address.
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// From 16 octets in network order, IPv4 already mapped.
    #[inline]
    #[must_use]
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// From 4 octets in network order.
    #[inline]
    #[must_use]
    pub const fn from_ipv4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// From an IPv4 address as it lies in memory, in network order.
    #[inline]
    pub(crate) const fn from_ipv4_word(word: u32) -> Self {
        // Two words at once: octets 10 and 11 are ones, and the address comes behind them.
        let low = 0xffff_0000 | (u32::from_le(word) as u64) << 32;
        Self(((low as u128) << 64).to_le_bytes())
    }

    /// The 16 octets in network order, IPv4 mapped.
    #[inline]
    #[must_use]
    pub const fn octets(&self) -> [u8; 16] {
        self.0
    }

    /// The octets as one number, most significant first: prefixes are its top bits.
    #[inline]
    #[must_use]
    pub const fn bits(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The four octets, if this is an IPv4 address.
    #[inline]
    #[must_use]
    pub const fn as_ipv4(&self) -> Option<[u8; 4]> {
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some([a, b, c, d]),
            _ => None,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::from_ipv4(v4.octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address.as_ipv4() {
            Some(octets) => Self::V4(Ipv4Addr::from(octets)),
            None => Self::V6(Ipv6Addr::from(address.0)),
        }
    }
}

impl core::fmt::Debug for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

/// One end of a datagram: address, port and, for link-local IPv6, the interface that scopes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Endpoint {
    /// The address.
    pub address: Address,
    /// The IPv6 scope, an interface index; 0 where there is none.
    pub scope: u32,
    /// The UDP port, host byte order.
    pub port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => {
                Self { address: Address::from_ipv4(v4.ip().octets()), scope: 0, port: v4.port() }
            }
            SocketAddr::V6(v6) => Self {
                address: Address::from_octets(v6.ip().octets()),
                scope: v6.scope_id(),
                port: v6.port(),
            },
        }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        match IpAddr::from(endpoint.address) {
            IpAddr::V4(v4) => Self::V4(SocketAddrV4::new(v4, endpoint.port)),
            IpAddr::V6(v6) => Self::V6(SocketAddrV6::new(v6, endpoint.port, 0, endpoint.scope)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_and_a_plain_ipv4_sender_are_one_key() {
        let plain = Address::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
        let mapped = Address::from(IpAddr::V6(Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped()));
        assert_eq!(plain, mapped);
        assert_eq!(IpAddr::from(mapped), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    }

    #[test]
    fn an_address_in_memory_reads_as_its_octets() {
        let octets = [192, 0, 2, 7];
        assert_eq!(Address::from_ipv4_word(u32::from_ne_bytes(octets)), Address::from_ipv4(octets));
    }

    #[test]
    fn endpoints_keep_port_and_scope() {
        for text in ["[fe80::1%3]:9125", "192.0.2.7:1", "[2001:db8::1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(SocketAddr::from(Endpoint::from(address)), address);
        }
    }
}
