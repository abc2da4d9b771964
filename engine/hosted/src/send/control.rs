//! The control messages of a send.

// UNSAFETY: reads a control area that the client gives, within its length.
#![expect(unsafe_code, reason = "unaligned reads inside a length that is checked first")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytemuck::AnyBitPattern;
use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, IN_PKTINFO, IN6_PKTINFO, wsa_cmsg_align};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED};

use crate::os::SendControl;

/// Reads `length` bytes of control messages. A message of a type that nobody sends is refused with
/// STATUS_NOT_SUPPORTED, one that contradicts its length with STATUS_INVALID_PARAMETER.
///
/// # Safety
/// `control` is null or readable for `length` bytes during the call.
pub(crate) unsafe fn parse_control(control: *const CMSGHDR, length: usize) -> Result<SendControl, NTSTATUS> {
    let mut parsed = SendControl::default();
    let mut left = length;
    let mut at = control.cast::<u8>();
    if control.is_null() && length > 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    while left > 0 {
        if left < size_of::<CMSGHDR>() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: a header is left.
        let header = unsafe { at.cast::<CMSGHDR>().read_unaligned() };
        if header.cmsg_len < size_of::<CMSGHDR>() || header.cmsg_len > left {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let payload = Payload {
            at: at.wrapping_add(size_of::<CMSGHDR>()),
            bytes: header.cmsg_len - size_of::<CMSGHDR>(),
        };
        parsed.take(header.message(), &payload)?;
        // The last message may end without padding.
        let step = wsa_cmsg_align(header.cmsg_len).min(left);
        at = at.wrapping_add(step);
        left -= step;
    }
    Ok(parsed)
}

impl SendControl {
    fn take(&mut self, message: ControlMessage, payload: &Payload) -> Result<(), NTSTATUS> {
        match message {
            ControlMessage::IP_PKTINFO => {
                let info: IN_PKTINFO = payload.read()?;
                self.source = Some((IpAddr::V4(Ipv4Addr::from(info.ipi_addr)), info.ipi_ifindex));
            }
            ControlMessage::IPV6_PKTINFO => {
                let info: IN6_PKTINFO = payload.read()?;
                self.source = Some((IpAddr::V6(Ipv6Addr::from(info.ipi6_addr)), info.ipi6_ifindex));
            }
            ControlMessage::IP_TOS | ControlMessage::IPV6_TCLASS => {
                let octet = payload.octet()?;
                self.type_of_service = Some(octet | self.type_of_service.unwrap_or(0) & 3);
            }
            ControlMessage::IP_ECN | ControlMessage::IPV6_ECN => {
                let ecn = payload.octet()?;
                if ecn > 3 {
                    return Err(STATUS_INVALID_PARAMETER);
                }
                self.type_of_service = Some(ecn | self.type_of_service.unwrap_or(0) & !3);
            }
            ControlMessage::IP_TTL | ControlMessage::IP_HOPLIMIT | ControlMessage::IPV6_HOPLIMIT => {
                self.hop_limit = Some(payload.octet()?);
            }
            ControlMessage::UDP_SEND_MSG_SIZE => {
                let segment = u16::try_from(payload.read::<u32>()?).map_err(|_| STATUS_INVALID_PARAMETER)?;
                self.segment = (segment > 0).then_some(segment);
            }
            // Empty ones only: clients append them so that PKTINFO does not stand alone.
            ControlMessage::IP_OPTIONS | ControlMessage::IPV6_RTHDR if payload.bytes == 0 => {}
            _ => return Err(STATUS_NOT_SUPPORTED),
        }
        Ok(())
    }
}

/// What follows a header.
///
/// # Invariants
/// `at` is readable for `bytes`.
struct Payload {
    at: *const u8,
    bytes: usize,
}

impl Payload {
    fn read<T: AnyBitPattern>(&self) -> Result<T, NTSTATUS> {
        if self.bytes < size_of::<T>() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: readable for the size of a T, of which every bit pattern is valid.
        Ok(unsafe { self.at.cast::<T>().read_unaligned() })
    }

    /// An INT from 0 to 255.
    fn octet(&self) -> Result<u8, NTSTATUS> {
        u8::try_from(self.read::<i32>()?).map_err(|_| STATUS_INVALID_PARAMETER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: ControlMessage, payload: &[u8]) -> Vec<u8> {
        let header = CMSGHDR::new(kind, payload.len());
        let mut bytes = bytemuck::bytes_of(&header).to_vec();
        bytes.extend_from_slice(payload);
        bytes.resize(wsa_cmsg_align(bytes.len()), 0);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<SendControl, NTSTATUS> {
        // SAFETY: readable for its length.
        unsafe { parse_control(bytes.as_ptr().cast(), bytes.len()) }
    }

    #[test]
    fn tos_and_ecn_share_one_octet_in_either_order() {
        let tos = message(ControlMessage::IP_TOS, &0xb8i32.to_ne_bytes());
        let ecn = message(ControlMessage::IP_ECN, &1i32.to_ne_bytes());
        for bytes in [[tos.clone(), ecn.clone()].concat(), [ecn, tos].concat()] {
            assert_eq!(parse(&bytes).unwrap().type_of_service, Some(0xb9));
        }
    }

    #[test]
    fn packet_info_may_be_followed_by_an_empty_option() {
        let info = message(ControlMessage::IP_PKTINFO, &[192, 0, 2, 1, 3, 0, 0, 0]);
        let bytes = [info, message(ControlMessage::IP_OPTIONS, &[])].concat();
        assert_eq!(parse(&bytes).unwrap().source, Some(([192, 0, 2, 1].into(), 3)));
    }

    #[test]
    fn lengths_that_contradict_the_area_are_refused() {
        let whole = message(ControlMessage::IP_TOS, &0i32.to_ne_bytes());
        for length in 1..size_of::<CMSGHDR>() + 4 {
            assert_eq!(parse(&whole[..length]), Err(STATUS_INVALID_PARAMETER), "{length} bytes");
        }
        for (kind, payload) in [(ControlMessage::IP_PKTINFO, 7), (ControlMessage::IPV6_PKTINFO, 19)] {
            assert_eq!(parse(&message(kind, &vec![0; payload])), Err(STATUS_INVALID_PARAMETER));
        }
        assert_eq!(parse(&message(ControlMessage::IP_RECVERR, &[0; 12])), Err(STATUS_NOT_SUPPORTED));
        assert_eq!(
            parse(&message(ControlMessage::IP_ECN, &4i32.to_ne_bytes())),
            Err(STATUS_INVALID_PARAMETER)
        );
    }
}
