//! From Linux' control messages to Windows': the headers have one layout, the payloads do not.

// UNSAFETY: passes on what its caller promises of a control area.
#![expect(unsafe_code, reason = "control messages are raw memory")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytemuck::{Pod, Zeroable};
use skua_engine::abi::cmsg::CMSGHDR;

use crate::os::control::ReceivedControl;
use crate::receive::{ControlWriter, Wanted, delivery_flags};

const _: () = assert!(size_of::<CMSGHDR>() == size_of::<libc::cmsghdr>());

/// `struct in_pktinfo`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct InPktinfo {
    interface: i32,
    /// Our address that the datagram came in by.
    local: [u8; 4],
    /// The address it was sent to.
    destination: [u8; 4],
}

/// `struct in6_pktinfo`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct In6Pktinfo {
    destination: [u8; 16],
    interface: u32,
}

/// `struct timespec` of 64-bit systems.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// Translates `length` bytes at `control`, and says how the datagram was addressed as far as they tell: MSG_BCAST or
/// MSG_MCAST. Times become ticks of the performance counter by taking `clock_offset` off them.
///
/// IPv4 datagrams on a socket of both families carry the messages of IPPROTO_IP only: the kernel adds a mapped
/// IPV6_PKTINFO where that is asked for too, which is left out.
///
/// # Safety
/// `control` is aligned to 8, readable for `length` bytes, and written by the kernel.
pub(super) unsafe fn translate(
    control: *const u8,
    length: usize,
    wanted: u32,
    clock_offset: u64,
    writer: &mut ControlWriter<'_>,
) -> u32 {
    let mut delivery = 0;
    // SAFETY: the caller's promise.
    for message in unsafe { ReceivedControl::new(control, length) } {
        match (message.level, message.kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info: InPktinfo = message.read();
                let (destination, local) = (Ipv4Addr::from(info.destination), Ipv4Addr::from(info.local));
                delivery = delivery_flags(destination.into(), local.into());
                if wanted & Wanted::PACKET_INFO_V4 != 0 {
                    writer.packet_info(destination.into(), info.interface.cast_unsigned());
                }
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info: In6Pktinfo = message.read();
                let destination = Ipv6Addr::from(info.destination);
                if destination.to_ipv4_mapped().is_none() {
                    delivery = delivery_flags(destination.into(), IpAddr::V6(destination));
                    if wanted & Wanted::PACKET_INFO_V6 != 0 {
                        writer.packet_info(destination.into(), info.interface);
                    }
                }
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                let [octet]: [u8; 1] = message.read();
                let tos = wanted & Wanted::TYPE_OF_SERVICE_V4 != 0;
                writer.type_of_service(true, octet, tos, wanted & Wanted::ECN_V4 != 0);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                let class = wanted & Wanted::TYPE_OF_SERVICE_V6 != 0;
                writer.type_of_service(false, message.octet(), class, wanted & Wanted::ECN_V6 != 0);
            }
            (libc::IPPROTO_IP, libc::IP_TTL) => writer.hop_limit(true, message.octet()),
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => writer.hop_limit(false, message.octet()),
            (libc::SOL_UDP, libc::UDP_GRO) => writer.coalesced(message.read()),
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                let time: Timespec = message.read();
                let unix = time.seconds.cast_unsigned() * 1_000_000_000 + time.nanoseconds.cast_unsigned();
                writer.timestamp(unix.wrapping_sub(clock_offset));
            }
            _ => {}
        }
    }
    delivery
}
