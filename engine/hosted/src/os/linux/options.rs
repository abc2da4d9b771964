//! Settings as Linux has them.

use std::io::{ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use bytemuck::{NoUninit, Pod, Zeroable};
use skua_engine::abi::sockaddr::{IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE};
use socket2::SockRef;

use super::address::RawAddress;
use super::descriptor::Descriptor;
use super::sockopt::set;
use crate::os::{Buffer, Family, Interface, Membership, Setting, settings};
use crate::receive::Wanted;

/// Applies a setting; `wanted` are the control messages that are asked for, this setting counted.
pub(in crate::os) fn apply(descriptor: BorrowedFd<'_>, setting: &Setting, wanted: u32) -> Result<()> {
    use Family::{V4, V6};
    use libc::{IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET};
    let on = |bits: u32| i32::from(wanted & bits != 0);
    match *setting {
        Setting::PacketInfo(V4, _) => {
            set(descriptor, IPPROTO_IP, libc::IP_PKTINFO, on(Wanted::PACKET_INFO_V4 | Wanted::DELIVERY))
        }
        Setting::PacketInfo(V6, _) => set(
            descriptor,
            IPPROTO_IPV6,
            libc::IPV6_RECVPKTINFO,
            on(Wanted::PACKET_INFO_V6 | Wanted::DELIVERY),
        ),
        // One message carries both; which of them the client gets is decided when it is translated.
        Setting::TypeOfServiceInfo(V4, _) | Setting::EcnInfo(V4, _) => {
            set(descriptor, IPPROTO_IP, libc::IP_RECVTOS, on(Wanted::TYPE_OF_SERVICE_V4 | Wanted::ECN_V4))
        }
        Setting::TypeOfServiceInfo(V6, _) | Setting::EcnInfo(V6, _) => set(
            descriptor,
            IPPROTO_IPV6,
            libc::IPV6_RECVTCLASS,
            on(Wanted::TYPE_OF_SERVICE_V6 | Wanted::ECN_V6),
        ),
        Setting::HopLimitInfo(V4, on) => set(descriptor, IPPROTO_IP, libc::IP_RECVTTL, i32::from(on)),
        Setting::HopLimitInfo(V6, on) => {
            set(descriptor, IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, i32::from(on))
        }
        Setting::Timestamps(on) => set(descriptor, SOL_SOCKET, libc::SO_TIMESTAMPNS, i32::from(on)),
        Setting::TypeOfService(V6, octet) => {
            set(descriptor, IPPROTO_IPV6, libc::IPV6_TCLASS, octet.cast_signed())
        }
        Setting::DontFragment(V4, on) => {
            let discover = if on { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_WANT };
            set(descriptor, IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)
        }
        Setting::DontFragment(V6, on) => {
            let discover = if on { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_WANT };
            set(descriptor, IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, discover)
        }
        Setting::DiscoverMtu(family, mode) => {
            let mode = match mode {
                IP_PMTUDISC_DO => libc::IP_PMTUDISC_DO,
                IP_PMTUDISC_DONT => libc::IP_PMTUDISC_DONT,
                IP_PMTUDISC_PROBE => libc::IP_PMTUDISC_PROBE,
                _ => libc::IP_PMTUDISC_WANT,
            };
            match family {
                V4 => set(descriptor, IPPROTO_IP, libc::IP_MTU_DISCOVER, mode),
                V6 => set(descriptor, IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, mode),
            }
        }
        Setting::ErrorInfo(V4, on) => set(descriptor, IPPROTO_IP, libc::IP_RECVERR, i32::from(on)),
        Setting::ErrorInfo(V6, on) => set(descriptor, IPPROTO_IPV6, libc::IPV6_RECVERR, i32::from(on)),
        Setting::Coalesce(on) => set(descriptor, libc::SOL_UDP, libc::UDP_GRO, i32::from(on)),
        Setting::NoChecksum(on) => set(descriptor, SOL_SOCKET, libc::SO_NO_CHECK, i32::from(on)),
        Setting::UnicastInterface(V4, index) => {
            set(descriptor, IPPROTO_IP, libc::IP_UNICAST_IF, index.to_be())
        }
        Setting::UnicastInterface(V6, index) => {
            set(descriptor, IPPROTO_IPV6, libc::IPV6_UNICAST_IF, index.to_be())
        }
        Setting::MulticastInterface(V4, Interface::Index(index)) => {
            let request = IpMreqn { group: 0, address: 0, index: index.cast_signed() };
            set(descriptor, IPPROTO_IP, libc::IP_MULTICAST_IF, request)
        }
        Setting::Buffer(which, bytes) => set_buffer(descriptor, which, bytes),
        Setting::Join(Membership { source: Some(source), group, interface: Interface::Index(index) }) => {
            group_source(descriptor, MCAST_JOIN_SOURCE_GROUP, group, source, index)
        }
        Setting::Leave(Membership { source: Some(source), group, interface: Interface::Index(index) }) => {
            group_source(descriptor, MCAST_LEAVE_SOURCE_GROUP, group, source, index)
        }
        Setting::Block(Membership { source: Some(source), group, interface: Interface::Index(index) }) => {
            group_source(descriptor, MCAST_BLOCK_SOURCE, group, source, index)
        }
        Setting::Unblock(Membership { source: Some(source), group, interface: Interface::Index(index) }) => {
            group_source(descriptor, MCAST_UNBLOCK_SOURCE, group, source, index)
        }
        Setting::Block(Membership {
            source: Some(source),
            group,
            interface: Interface::Address(address),
        }) => block_source(descriptor, libc::IP_BLOCK_SOURCE, group, source, address),
        Setting::Unblock(Membership {
            source: Some(source),
            group,
            interface: Interface::Address(address),
        }) => block_source(descriptor, libc::IP_UNBLOCK_SOURCE, group, source, address),
        _ => settings::apply(SockRef::from(&descriptor), setting),
    }
}

/// Whether the kernel cuts sends into datagrams (UDP_SEGMENT, Linux 4.18).
pub(super) fn can_segment(descriptor: &Descriptor) -> bool {
    descriptor.words::<1>(libc::SOL_UDP, libc::UDP_SEGMENT).is_ok()
}

/// Beyond the system's limit where the process may (CAP_NET_ADMIN), else as far as the limit allows.
fn set_buffer(descriptor: BorrowedFd<'_>, which: Buffer, bytes: u32) -> Result<()> {
    // The kernel doubles it, in a signed word.
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX).min(i32::MAX / 2);
    let (force, plain) = match which {
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    };
    match set(descriptor, libc::SOL_SOCKET, force, bytes) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            set(descriptor, libc::SOL_SOCKET, plain, bytes)
        }
        result => result,
    }
}

/// `struct ip_mreqn`.
#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct IpMreqn {
    group: u32,
    address: u32,
    index: i32,
}

/// What linux/in.h has of sources of either family.
const MCAST_BLOCK_SOURCE: i32 = 43;
const MCAST_UNBLOCK_SOURCE: i32 = 44;
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;

/// `struct ip_mreq_source`.
#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct IpMreqSource {
    group: [u8; 4],
    interface: [u8; 4],
    source: [u8; 4],
}

/// Blocks or admits a source on the interface that has `address`.
fn block_source(
    descriptor: BorrowedFd<'_>,
    option: i32,
    group: IpAddr,
    source: IpAddr,
    address: Ipv4Addr,
) -> Result<()> {
    let (IpAddr::V4(group), IpAddr::V4(source)) = (group, source) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let [group, interface, source] = [group, address, source].map(|address| address.octets());
    set(descriptor, libc::IPPROTO_IP, option, IpMreqSource { group, interface, source })
}

/// `struct group_source_req`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct GroupSourceReq {
    interface: u32,
    _padding: u32,
    group: [u64; 16],
    source: [u64; 16],
}

fn group_source(
    descriptor: BorrowedFd<'_>,
    option: i32,
    group: IpAddr,
    source: IpAddr,
    interface: u32,
) -> Result<()> {
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let [group, source] = [group, source].map(|address| {
        let raw = RawAddress::of(&SocketAddr::new(address, 0));
        let mut storage = [0u8; 128];
        let (front, _) = storage.split_at_mut(raw.bytes().len());
        front.copy_from_slice(raw.bytes());
        bytemuck::must_cast::<[u8; 128], [u64; 16]>(storage)
    });
    set(descriptor, level, option, GroupSourceReq { interface, _padding: 0, group, source })
}
