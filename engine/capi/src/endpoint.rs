//! Addresses as C sees them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use skua_engine::Endpoint;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};

/// IPv4: the address is the first 4 octets.
pub const SKUA_IPV4: u16 = 4;
/// IPv6: the address is all 16 octets.
pub const SKUA_IPV6: u16 = 6;

/// One end of a datagram. The same on every system, unlike a SOCKADDR.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_ENDPOINT {
    /// SKUA_IPV4 or SKUA_IPV6.
    pub Family: u16,
    /// The UDP port, in the order of the host: 53 is DNS.
    pub Port: u16,
    /// The interface of a link-local IPv6 address; 0 otherwise.
    pub Scope: u32,
    /// The address in network order, zeros behind one of IPv4.
    pub Address: [u8; 16],
}

impl SKUA_ENDPOINT {
    pub(crate) fn to_socket_addr(self) -> Result<SocketAddr, NTSTATUS> {
        Ok(match address(self.Family, &self.Address)? {
            IpAddr::V4(v4) => SocketAddr::V4(SocketAddrV4::new(v4, self.Port)),
            IpAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(v6, self.Port, 0, self.Scope)),
        })
    }
}

/// The address of `family` in `octets`.
pub(crate) fn address(family: u16, octets: &[u8; 16]) -> Result<IpAddr, NTSTATUS> {
    match family {
        SKUA_IPV4 => {
            let [a, b, c, d, ..] = *octets;
            Ok(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        SKUA_IPV6 => Ok(IpAddr::V6(Ipv6Addr::from(*octets))),
        _ => Err(STATUS_INVALID_PARAMETER),
    }
}

impl From<Endpoint> for SKUA_ENDPOINT {
    fn from(endpoint: Endpoint) -> Self {
        let Endpoint { address, scope, port } = endpoint;
        match address.as_ipv4() {
            Some([a, b, c, d]) => {
                let address = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                Self { Family: SKUA_IPV4, Port: port, Scope: 0, Address: address }
            }
            None => Self { Family: SKUA_IPV6, Port: port, Scope: scope, Address: address.octets() },
        }
    }
}

impl From<SocketAddr> for SKUA_ENDPOINT {
    fn from(address: SocketAddr) -> Self {
        Endpoint::from(address).into()
    }
}
