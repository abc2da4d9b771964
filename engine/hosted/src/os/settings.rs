//! Settings that every host has, over socket2.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};

use super::{Buffer, Family, Interface, Membership, Setting};

/// A UDP socket as Windows has them new: of IPv6 alone, and hearing only of groups that it joins itself.
pub(super) fn open(family: Family) -> Result<Socket> {
    let socket = Socket::new(domain(family), Type::DGRAM, Some(Protocol::UDP))?;
    if family == Family::V6 {
        socket.set_only_v6(true)?;
    }
    hear_own_groups(&socket, family);
    Ok(socket)
}

/// A raw socket, of one family always.
pub(super) fn open_raw(family: Family, protocol: u8) -> Result<Socket> {
    let socket = Socket::new(domain(family), Type::RAW, Some(Protocol::from(i32::from(protocol))))?;
    hear_own_groups(&socket, family);
    Ok(socket)
}

fn domain(family: Family) -> Domain {
    match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    }
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_variables, reason = "only Linux hears of other sockets' groups")
)]
fn hear_own_groups(socket: &Socket, family: Family) {
    #[cfg(target_os = "linux")]
    {
        // Older kernels lack the one for IPv6, and then hear of every group.
        let _ = socket.set_multicast_all_v4(false);
        if family == Family::V6 {
            let _ = socket.set_multicast_all_v6(false);
        }
    }
}

/// Applies `setting`; an error of kind Unsupported for one that is not the same on every host.
pub(super) fn apply(socket: SockRef<'_>, setting: &Setting) -> Result<()> {
    match *setting {
        Setting::ReuseAddress(on) => socket.set_reuse_address(on),
        Setting::Broadcast(on) => socket.set_broadcast(on),
        Setting::Buffer(Buffer::Receive, bytes) => socket.set_recv_buffer_size(bytes as usize),
        Setting::Buffer(Buffer::Send, bytes) => socket.set_send_buffer_size(bytes as usize),
        Setting::OnlyV6(on) => socket.set_only_v6(on),
        Setting::HeaderIncluded(Family::V4, on) => socket.set_header_included_v4(on),
        Setting::HeaderIncluded(Family::V6, on) => header_included_v6(&socket, on),
        Setting::TypeOfService(Family::V4, octet) => socket.set_tos_v4(octet),
        Setting::HopLimit(Family::V4, hops) => socket.set_ttl_v4(hops),
        Setting::HopLimit(Family::V6, hops) => socket.set_unicast_hops_v6(hops),
        Setting::MulticastInterface(Family::V4, Interface::Address(address)) => {
            socket.set_multicast_if_v4(&address)
        }
        Setting::MulticastInterface(Family::V6, Interface::Index(index)) => socket.set_multicast_if_v6(index),
        Setting::MulticastHops(Family::V4, hops) => socket.set_multicast_ttl_v4(hops),
        Setting::MulticastHops(Family::V6, hops) => socket.set_multicast_hops_v6(hops),
        Setting::MulticastLoop(Family::V4, on) => socket.set_multicast_loop_v4(on),
        Setting::MulticastLoop(Family::V6, on) => socket.set_multicast_loop_v6(on),
        Setting::Join(membership) => join(&socket, &membership),
        Setting::Leave(membership) => leave(&socket, &membership),
        _ => Err(Error::from(ErrorKind::Unsupported)),
    }
}

/// Lets other sockets of this user share the address of `socket`, all of which say so.
pub(super) fn share(socket: &SockRef<'_>) -> Result<()> {
    #[cfg(unix)]
    return socket.set_reuse_port(true);
    #[cfg(not(unix))]
    socket.set_reuse_address(true)
}

/// Binds, for port 0 to one that nobody has: an option to reuse addresses would let the host choose one that is shared.
pub(super) fn bind(socket: &SockRef<'_>, local: SocketAddr) -> Result<()> {
    let reuses = local.port() == 0 && socket.reuse_address()?;
    if reuses {
        socket.set_reuse_address(false)?;
    }
    let bound = socket.bind(&local.into());
    if reuses {
        socket.set_reuse_address(true)?;
    }
    bound
}

/// The size of a buffer as it was asked for. Linux doubles it for its own use, and answers the double.
pub(super) fn buffer(socket: SockRef<'_>, which: Buffer) -> Result<u32> {
    let bytes = match which {
        Buffer::Receive => socket.recv_buffer_size()?,
        Buffer::Send => socket.send_buffer_size()?,
    };
    let bytes = if cfg!(any(target_os = "linux", target_os = "android")) { bytes / 2 } else { bytes };
    Ok(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// The address from which the host would send to `destination`: that of a UDP socket that is connected to it, for which
/// nothing is sent.
pub(super) fn source_for(destination: IpAddr) -> Result<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((destination, DISCARD))?;
    Ok(socket.local_addr()?.ip())
}

/// A port that is not 0.
const DISCARD: u16 = 9;

/// The address that a bound socket has.
pub(super) fn local(socket: SockRef<'_>) -> Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| Error::from(ErrorKind::AddrNotAvailable))
}

#[cfg(any(target_os = "linux", windows))]
fn header_included_v6(socket: &SockRef<'_>, on: bool) -> Result<()> {
    socket.set_header_included_v6(on)
}

#[cfg(not(any(target_os = "linux", windows)))]
fn header_included_v6(_socket: &SockRef<'_>, _on: bool) -> Result<()> {
    Err(Error::from(ErrorKind::Unsupported))
}

fn join(socket: &SockRef<'_>, membership: &Membership) -> Result<()> {
    match (membership.group, membership.source, membership.interface) {
        (IpAddr::V4(group), None, interface) => socket.join_multicast_v4_n(&group, &of(interface)),
        (IpAddr::V4(group), Some(IpAddr::V4(source)), Interface::Address(interface)) => {
            socket.join_ssm_v4(&source, &group, &interface)
        }
        (IpAddr::V6(group), None, Interface::Index(index)) => socket.join_multicast_v6(&group, index),
        _ => Err(Error::from(ErrorKind::Unsupported)),
    }
}

fn leave(socket: &SockRef<'_>, membership: &Membership) -> Result<()> {
    match (membership.group, membership.source, membership.interface) {
        (IpAddr::V4(group), None, interface) => socket.leave_multicast_v4_n(&group, &of(interface)),
        (IpAddr::V4(group), Some(IpAddr::V4(source)), Interface::Address(interface)) => {
            socket.leave_ssm_v4(&source, &group, &interface)
        }
        (IpAddr::V6(group), None, Interface::Index(index)) => socket.leave_multicast_v6(&group, index),
        _ => Err(Error::from(ErrorKind::Unsupported)),
    }
}

fn of(interface: Interface) -> InterfaceIndexOrAddress {
    match interface {
        Interface::Index(index) => InterfaceIndexOrAddress::Index(index),
        Interface::Address(address) => InterfaceIndexOrAddress::Address(address),
    }
}
