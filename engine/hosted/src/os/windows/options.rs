//! Settings as Winsock has them.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, SocketAddr};

use skua_engine::abi::sockaddr::{
    GROUP_SOURCE_REQ, IP_BLOCK_SOURCE, IP_DONTFRAGMENT, IP_HOPLIMIT, IP_MREQ_SOURCE, IP_MTU_DISCOVER,
    IP_PKTINFO, IP_RECVERR, IP_RECVTOS, IP_UNBLOCK_SOURCE, IP_UNICAST_IF, IPPROTO_IP, IPPROTO_IPV6,
    IPPROTO_UDP, IPV6_DONTFRAG, IPV6_HOPLIMIT, IPV6_MTU_DISCOVER, IPV6_PKTINFO, IPV6_RECVERR,
    IPV6_RECVTCLASS, IPV6_TCLASS, IPV6_UNICAST_IF, MCAST_BLOCK_SOURCE, MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_SOURCE_GROUP, MCAST_UNBLOCK_SOURCE, SOCKADDR_INET, SOCKADDR_STORAGE, UDP_NOCHECKSUM,
    UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE,
};
use socket2::{SockRef, Socket};

use super::wine::is_wine;
use super::{interfaces, winsock};
use crate::os::{Family, Interface, Membership, Setting, settings};
use crate::receive::Wanted;

/// Applies a setting; `wanted` are the control messages that are asked for, this setting counted.
pub(in crate::os) fn apply(socket: &Socket, setting: &Setting, wanted: u32) -> Result<()> {
    use Family::{V4, V6};
    let set = |level, option, value: u32| winsock::set(socket, level, option, value);
    let on = |bits: u32| u32::from(wanted & bits != 0);
    match *setting {
        Setting::PacketInfo(V4, _) => {
            set(IPPROTO_IP, IP_PKTINFO, on(Wanted::PACKET_INFO_V4 | Wanted::DELIVERY))
        }
        Setting::PacketInfo(V6, _) => {
            set(IPPROTO_IPV6, IPV6_PKTINFO, on(Wanted::PACKET_INFO_V6 | Wanted::DELIVERY))
        }
        // One message carries both; which of them the client gets is decided when it is translated.
        Setting::TypeOfServiceInfo(V4, _) | Setting::EcnInfo(V4, _) => {
            set(IPPROTO_IP, IP_RECVTOS, on(Wanted::TYPE_OF_SERVICE_V4 | Wanted::ECN_V4))
        }
        Setting::TypeOfServiceInfo(V6, _) | Setting::EcnInfo(V6, _) => {
            set(IPPROTO_IPV6, IPV6_RECVTCLASS, on(Wanted::TYPE_OF_SERVICE_V6 | Wanted::ECN_V6))
        }
        Setting::HopLimitInfo(V4, on) => set(IPPROTO_IP, IP_HOPLIMIT, u32::from(on)),
        Setting::HopLimitInfo(V6, on) => set(IPPROTO_IPV6, IPV6_HOPLIMIT, u32::from(on)),
        Setting::TypeOfService(V6, octet) => set(IPPROTO_IPV6, IPV6_TCLASS, octet),
        Setting::DontFragment(V4, on) => set(IPPROTO_IP, IP_DONTFRAGMENT, u32::from(on)),
        Setting::DontFragment(V6, on) => set(IPPROTO_IPV6, IPV6_DONTFRAG, u32::from(on)),
        Setting::NoChecksum(on) => set(IPPROTO_UDP, UDP_NOCHECKSUM, u32::from(on)),
        Setting::DiscoverMtu(V4, mode) => set(IPPROTO_IP, IP_MTU_DISCOVER, mode),
        Setting::DiscoverMtu(V6, mode) => set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, mode),
        Setting::ErrorInfo(V4, on) => set(IPPROTO_IP, IP_RECVERR, u32::from(on)),
        Setting::ErrorInfo(V6, on) => set(IPPROTO_IPV6, IPV6_RECVERR, u32::from(on)),
        Setting::Coalesce(on) => {
            set(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, u32::from(on) * LARGEST_COALESCED)
        }
        Setting::UnicastInterface(V4, index) => set(IPPROTO_IP, IP_UNICAST_IF, index.to_be()),
        Setting::UnicastInterface(V6, index) => set(IPPROTO_IPV6, IPV6_UNICAST_IF, index),
        Setting::MulticastInterface(V4, interface) => {
            let interface = by_address(interface)?;
            settings::apply(SockRef::from(socket), &Setting::MulticastInterface(V4, interface))
        }
        Setting::Join(membership) => match of_one_source(&membership) {
            Some(request) => winsock::set(socket, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, request),
            None => settings::apply(SockRef::from(socket), &Setting::Join(named(membership)?)),
        },
        Setting::Leave(membership) => match of_one_source(&membership) {
            Some(request) => winsock::set(socket, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, request),
            None => settings::apply(SockRef::from(socket), &Setting::Leave(named(membership)?)),
        },
        Setting::Block(membership) => admit(socket, &membership, IP_BLOCK_SOURCE, MCAST_BLOCK_SOURCE),
        Setting::Unblock(membership) => admit(socket, &membership, IP_UNBLOCK_SOURCE, MCAST_UNBLOCK_SOURCE),
        _ => settings::apply(SockRef::from(socket), setting),
    }
}

/// Whether Winsock cuts sends into datagrams (UDP_SEND_MSG_SIZE, Windows 10 version 2004).
pub(super) fn can_segment(socket: &Socket) -> bool {
    winsock::get(socket, IPPROTO_UDP, UDP_SEND_MSG_SIZE).is_ok()
}

/// The largest UDP payload, 65,535 less the header.
const LARGEST_COALESCED: u32 = 65_527;

/// Blocks or admits a source of a group: with `of_v4` where the interface is named by its address, else `of_any`.
fn admit(socket: &Socket, membership: &Membership, of_v4: u32, of_any: u32) -> Result<()> {
    if let Some(request) = of_one_source(membership) {
        return winsock::set(socket, IPPROTO_IPV6, of_any, request);
    }
    let named = named(*membership)?;
    let (IpAddr::V4(group), Some(IpAddr::V4(source)), Interface::Address(interface)) =
        (named.group, named.source, named.interface)
    else {
        return Err(Error::from(ErrorKind::Unsupported));
    };
    let request = IP_MREQ_SOURCE {
        imr_multiaddr: group.into(),
        imr_sourceaddr: source.into(),
        imr_interface: interface.into(),
    };
    winsock::set(socket, IPPROTO_IP, of_v4, request)
}

/// A membership of IPv6 with a source, for which there is no older option.
fn of_one_source(membership: &Membership) -> Option<GROUP_SOURCE_REQ> {
    let (Some(source), Interface::Index(gsr_interface)) = (membership.source, membership.interface) else {
        return None;
    };
    let [gsr_group, gsr_source] = [membership.group, source].map(|address| {
        let mut storage = [0u8; size_of::<SOCKADDR_STORAGE>()];
        let inet = SOCKADDR_INET::from(SocketAddr::new(address, 0));
        let (front, _) = storage.split_at_mut(size_of::<SOCKADDR_INET>());
        front.copy_from_slice(bytemuck::bytes_of(&inet));
        bytemuck::must_cast(storage)
    });
    let request = GROUP_SOURCE_REQ { gsr_interface, _padding: 0, gsr_group, gsr_source };
    membership.group.is_ipv6().then_some(request)
}

/// The membership with the interface of an IPv4 group named by its address: Wine does not take an index. Nor does it
/// exchange source and interface of IP_MREQ_SOURCE, which Linux has in the other order.
fn named(membership: Membership) -> Result<Membership> {
    if membership.group.is_ipv6() {
        return Ok(membership);
    }
    if membership.source.is_some() && is_wine() {
        return Err(Error::from(ErrorKind::Unsupported));
    }
    Ok(Membership { interface: by_address(membership.interface)?, ..membership })
}

/// 0 stays the stack's choice.
fn by_address(interface: Interface) -> Result<Interface> {
    match interface {
        Interface::Index(index) if index != 0 => interfaces::address_of(index)
            .map(Interface::Address)
            .ok_or_else(|| Error::from(ErrorKind::AddrNotAvailable)),
        Interface::Index(_) => Ok(Interface::Address(std::net::Ipv4Addr::UNSPECIFIED)),
        named => Ok(named),
    }
}
