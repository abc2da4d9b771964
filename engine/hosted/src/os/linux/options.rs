//! Settings as Linux has them.

use std::io::{ErrorKind, Result};
use std::net::{IpAddr, SocketAddr};

use bytemuck::{NoUninit, Pod, Zeroable};

use super::address::RawAddress;
use super::descriptor::Descriptor;
use crate::os::{Buffer, Family, Interface, Membership, Setting, settings};
use crate::receive::Wanted;

/// Applies a setting; `wanted` are the control messages that are asked for, this setting counted.
pub(super) fn apply(descriptor: &Descriptor, setting: &Setting, wanted: u32) -> Result<()> {
    use Family::{V4, V6};
    use libc::{IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET};
    let on = |bits: u32| i32::from(wanted & bits != 0);
    match *setting {
        Setting::PacketInfo(V4, on) => descriptor.set(IPPROTO_IP, libc::IP_PKTINFO, i32::from(on)),
        Setting::PacketInfo(V6, on) => descriptor.set(IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, i32::from(on)),
        // One message carries both; which of them the client gets is decided when it is translated.
        Setting::TypeOfServiceInfo(V4, _) | Setting::EcnInfo(V4, _) => {
            descriptor.set(IPPROTO_IP, libc::IP_RECVTOS, on(Wanted::TYPE_OF_SERVICE_V4 | Wanted::ECN_V4))
        }
        Setting::TypeOfServiceInfo(V6, _) | Setting::EcnInfo(V6, _) => descriptor.set(
            IPPROTO_IPV6,
            libc::IPV6_RECVTCLASS,
            on(Wanted::TYPE_OF_SERVICE_V6 | Wanted::ECN_V6),
        ),
        Setting::HopLimitInfo(V4, on) => descriptor.set(IPPROTO_IP, libc::IP_RECVTTL, i32::from(on)),
        Setting::HopLimitInfo(V6, on) => descriptor.set(IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, i32::from(on)),
        Setting::Timestamps(on) => descriptor.set(SOL_SOCKET, libc::SO_TIMESTAMPNS, i32::from(on)),
        Setting::TypeOfService(V6, octet) => {
            descriptor.set(IPPROTO_IPV6, libc::IPV6_TCLASS, octet.cast_signed())
        }
        Setting::DontFragment(V4, on) => {
            let discover = if on { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_WANT };
            descriptor.set(IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)
        }
        Setting::DontFragment(V6, on) => {
            let discover = if on { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_WANT };
            descriptor.set(IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, discover)
        }
        Setting::NoChecksum(on) => descriptor.set(SOL_SOCKET, libc::SO_NO_CHECK, i32::from(on)),
        Setting::Segment(bytes) => descriptor.set(libc::SOL_UDP, libc::UDP_SEGMENT, bytes.cast_signed()),
        Setting::UnicastInterface(V4, index) => {
            descriptor.set(IPPROTO_IP, libc::IP_UNICAST_IF, index.to_be())
        }
        Setting::UnicastInterface(V6, index) => {
            descriptor.set(IPPROTO_IPV6, libc::IPV6_UNICAST_IF, index.to_be())
        }
        Setting::MulticastInterface(V4, Interface::Index(index)) => {
            let request = IpMreqn { group: 0, address: 0, index: index.cast_signed() };
            descriptor.set(IPPROTO_IP, libc::IP_MULTICAST_IF, request)
        }
        Setting::Buffer(which, bytes) => set_buffer(descriptor, which, bytes),
        Setting::Join(Membership { source: Some(source), group, interface: Interface::Index(index) }) => {
            group_source(descriptor, MCAST_JOIN_SOURCE_GROUP, group, source, index)
        }
        Setting::Leave(Membership { source: Some(source), group, interface: Interface::Index(index) }) => {
            group_source(descriptor, MCAST_LEAVE_SOURCE_GROUP, group, source, index)
        }
        _ => settings::apply(descriptor.sock(), setting),
    }
}

/// Whether the kernel cuts sends into datagrams (UDP_SEGMENT, Linux 4.18).
pub(super) fn can_segment(descriptor: &Descriptor) -> bool {
    descriptor.words::<1>(libc::SOL_UDP, libc::UDP_SEGMENT).is_ok()
}

/// Beyond the system's limit where the process may (CAP_NET_ADMIN), else as far as the limit allows.
fn set_buffer(descriptor: &Descriptor, which: Buffer, bytes: u32) -> Result<()> {
    // The kernel doubles it, in a signed word.
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX).min(i32::MAX / 2);
    let (force, plain) = match which {
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    };
    match descriptor.set(libc::SOL_SOCKET, force, bytes) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            descriptor.set(libc::SOL_SOCKET, plain, bytes)
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

/// `MCAST_JOIN_SOURCE_GROUP` and its opposite (linux/in.h).
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;

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
    descriptor: &Descriptor,
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
    descriptor.set(level, option, GroupSourceReq { interface, _padding: 0, group, source })
}
