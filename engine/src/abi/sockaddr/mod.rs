//! Socket addresses, options and their arguments: what `ws2def.h`, `ws2ipdef.h` and `mstcpip.h` declare.
//!
//! * Addresses: [`SOCKADDR_IN`], [`SOCKADDR_IN6`], and [`SOCKADDR_INET`], which is either and converts from and to
//!   [`core::net::SocketAddr`].
//! * Socket options, by level: [`SOL_SOCKET`], [`IPPROTO_IP`], [`IPPROTO_IPV6`], [`IPPROTO_UDP`], [`IPPROTO_TCP`].
//! * Multicast: [`IP_MREQ`], [`IPV6_MREQ`], [`GROUP_REQ`], [`GROUP_SOURCE_REQ`] and the options that take them.
//! * I/O controls: `SIO_` codes and what they take and return.
//!
//! Ports and IPv4 addresses are in network byte order, as everywhere in Winsock.

mod address;
mod inet;
mod ioctl;
mod multicast;
mod option;

pub use address::*;
pub use inet::*;
pub use ioctl::*;
pub use multicast::*;
pub use option::*;
