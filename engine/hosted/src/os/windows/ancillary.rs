//! From Winsock's control messages to WSK's. Layout and payloads are the same; what was not asked for is left out.

// UNSAFETY: passes on what its caller promises of a control area.
#![expect(unsafe_code, reason = "control messages are raw memory")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skua_engine::abi::cmsg::{ControlMessage, IN_PKTINFO, IN6_PKTINFO, MSG_BCAST, MSG_MCAST};

use crate::os::control::ReceivedControl;
use crate::receive::{ControlWriter, Wanted, delivery_flags};

/// Translates `length` bytes at `control`, and says how the datagram was addressed: MSG_BCAST or MSG_MCAST, from `flags`
/// and, as Wine has none, from the destination.
///
/// IPv4 datagrams on a socket of both families carry the messages of IPPROTO_IP only: Wine adds a mapped IPV6_PKTINFO
/// where that is asked for too, which is left out.
///
/// # Safety
/// `control` is aligned to 8, readable for `length` bytes, and written by Winsock.
pub(super) unsafe fn translate(
    control: *const u8,
    length: usize,
    wanted: u32,
    flags: u32,
    writer: &mut ControlWriter<'_>,
) -> u32 {
    let mut delivery = flags & (MSG_BCAST | MSG_MCAST);
    let wants = |bit: u32| wanted & bit != 0;
    // SAFETY: the caller's promise.
    for message in unsafe { ReceivedControl::new(control, length) } {
        match (ControlMessage { level: message.level, cmsg_type: message.kind }) {
            ControlMessage::IP_PKTINFO => {
                let info: IN_PKTINFO = message.read();
                let destination = IpAddr::V4(Ipv4Addr::from(info.ipi_addr));
                delivery |= delivery_flags(destination, destination);
                if wants(Wanted::PACKET_INFO_V4) {
                    writer.packet_info(destination, info.ipi_ifindex);
                }
            }
            ControlMessage::IPV6_PKTINFO => {
                let info: IN6_PKTINFO = message.read();
                let destination = Ipv6Addr::from(info.ipi6_addr);
                if destination.to_ipv4_mapped().is_none() {
                    delivery |= delivery_flags(destination.into(), destination.into());
                    if wants(Wanted::PACKET_INFO_V6) {
                        writer.packet_info(destination.into(), info.ipi6_ifindex);
                    }
                }
            }
            ControlMessage::IP_TOS => {
                let whole = wants(Wanted::TYPE_OF_SERVICE_V4);
                writer.type_of_service(true, message.octet(), whole, wants(Wanted::ECN_V4));
            }
            ControlMessage::IPV6_TCLASS => {
                let whole = wants(Wanted::TYPE_OF_SERVICE_V6);
                writer.type_of_service(false, message.octet(), whole, wants(Wanted::ECN_V6));
            }
            ControlMessage::IP_TTL | ControlMessage::IP_HOPLIMIT => writer.hop_limit(true, message.octet()),
            ControlMessage::IPV6_HOPLIMIT => writer.hop_limit(false, message.octet()),
            ControlMessage::IP_RECVERR => writer.error(true, message.read()),
            ControlMessage::IPV6_RECVERR => writer.error(false, message.read()),
            ControlMessage::UDP_COALESCED_INFO => writer.coalesced(message.read()),
            _ => {}
        }
    }
    delivery
}
