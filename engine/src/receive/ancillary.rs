//! What control messages say about a datagram.

// UNSAFETY: reads a control buffer that the provider lends, within the length it gives.
#![expect(unsafe_code, reason = "unaligned reads inside a length that is checked first")]

use core::mem::offset_of;

use crate::abi::cmsg::{CMSGHDR, ControlMessage, IN_PKTINFO, IN6_PKTINFO, wsa_cmsg_align, wsa_cmsg_len};
use crate::address::Address;

/// What the control messages of one datagram said. What none said is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ancillary {
    /// The address the datagram was sent to, and the index of the interface it came in by (PKTINFO).
    pub destination: Option<(Address, u32)>,
    /// DSCP and ECN, one octet (TOS or TCLASS; the two bits of ECN alone where only they were asked for).
    pub type_of_service: Option<u8>,
    /// Time to live or hop limit on arrival.
    pub hop_limit: Option<u8>,
    /// When the stack received it, in ticks of the performance counter.
    pub time: Option<u64>,
    /// The size of each datagram in a coalesced buffer, in bytes.
    pub coalesced: Option<u32>,
}

/// The control data contradicts itself: a message is longer than what is left, or too short for its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedControl;

/// Bytes before a message's data.
const HEADER: usize = wsa_cmsg_len(0);

impl Ancillary {
    /// Reads `length` bytes of control messages. Unknown messages are passed over.
    ///
    /// # Safety
    /// `control` is readable for `length` bytes.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub(crate) unsafe fn read(control: *const CMSGHDR, length: u32) -> Result<Self, MalformedControl> {
        let mut said = Self::default();
        let mut left = if control.is_null() { 0 } else { length as usize };
        let mut at = control.cast::<u8>();
        while left >= HEADER {
            // SAFETY: a header is left; the provider aligns messages, but nothing here leans on it.
            let header = unsafe { at.cast::<CMSGHDR>().read_unaligned() };
            let message = header.cmsg_len;
            if message < HEADER || message > left {
                return Err(MalformedControl);
            }
            // SAFETY: `message` is at least HEADER and at most `left`.
            let data = unsafe { at.add(HEADER) };
            let data = Data { at: data, bytes: message - HEADER };
            said.take(header.message(), &data)?;
            // The last message may end without the padding that the next would need.
            let step = wsa_cmsg_align(message).min(left);
            left -= step;
            // SAFETY: `step` is at most what was left.
            at = unsafe { at.add(step) };
        }
        if left == 0 { Ok(said) } else { Err(MalformedControl) }
    }

    #[inline]
    fn take(&mut self, message: ControlMessage, data: &Data) -> Result<(), MalformedControl> {
        match message {
            ControlMessage::IP_PKTINFO => {
                let octets = data.array::<4>(offset_of!(IN_PKTINFO, ipi_addr))?;
                let index = data.array(offset_of!(IN_PKTINFO, ipi_ifindex))?;
                self.destination = Some((Address::from_ipv4(octets), u32::from_ne_bytes(index)));
            }
            ControlMessage::IPV6_PKTINFO => {
                let octets = data.array::<16>(offset_of!(IN6_PKTINFO, ipi6_addr))?;
                let index = data.array(offset_of!(IN6_PKTINFO, ipi6_ifindex))?;
                self.destination = Some((Address::from_octets(octets), u32::from_ne_bytes(index)));
            }
            ControlMessage::IP_TOS | ControlMessage::IPV6_TCLASS => {
                self.type_of_service = Some(data.octet()?)
            }
            ControlMessage::IP_ECN | ControlMessage::IPV6_ECN => {
                let ecn = data.octet()? & 3;
                self.type_of_service = Some(self.type_of_service.map_or(ecn, |tos| tos & !3 | ecn));
            }
            ControlMessage::IP_TTL | ControlMessage::IP_HOPLIMIT | ControlMessage::IPV6_HOPLIMIT => {
                self.hop_limit = Some(data.octet()?);
            }
            ControlMessage::UDP_COALESCED_INFO => {
                self.coalesced = Some(u32::from_ne_bytes(data.array(0)?));
            }
            ControlMessage::SO_TIMESTAMP => self.time = Some(u64::from_ne_bytes(data.array(0)?)),
            _ => {}
        }
        Ok(())
    }
}

/// The data of one message.
///
/// # Invariants
/// `at` is readable for `bytes`.
struct Data {
    at: *const u8,
    bytes: usize,
}

impl Data {
    #[inline]
    fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], MalformedControl> {
        if offset.checked_add(N).is_none_or(|end| end > self.bytes) {
            return Err(MalformedControl);
        }
        // SAFETY: `offset + N` lies within the data.
        let at = unsafe { self.at.add(offset) };
        // SAFETY: as above; an array of octets has no alignment to keep.
        Ok(unsafe { at.cast::<[u8; N]>().read() })
    }

    /// The low octet of an INT.
    #[inline]
    fn octet(&self) -> Result<u8, MalformedControl> {
        let [low, ..] = i32::from_ne_bytes(self.array(0)?).to_le_bytes();
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Reads from a copy of exactly these bytes, so that a read beyond them leaves the allocation.
    fn read(bytes: &[u8]) -> Result<Ancillary, MalformedControl> {
        let exact: std::boxed::Box<[u8]> = bytes.into();
        let length = u32::try_from(exact.len()).unwrap();
        // SAFETY: readable for its length.
        unsafe { Ancillary::read(exact.as_ptr().cast(), length) }
    }

    fn message(kind: ControlMessage, payload: &[u8]) -> Vec<u8> {
        let mut bytes = bytemuck::bytes_of(&CMSGHDR::new(kind, payload.len())).to_vec();
        bytes.extend_from_slice(payload);
        bytes.resize(wsa_cmsg_align(bytes.len()), 0);
        bytes
    }

    #[test]
    fn every_message_asked_for_is_understood() {
        let mut bytes = message(ControlMessage::IP_PKTINFO, &[192, 0, 2, 1, 7, 0, 0, 0]);
        bytes.extend(message(ControlMessage::IP_TOS, &0xb8_i32.to_ne_bytes()));
        bytes.extend(message(ControlMessage::IP_TTL, &63_i32.to_ne_bytes()));
        bytes.extend(message(ControlMessage::SO_TIMESTAMP, &123_456_789_u64.to_ne_bytes()));
        bytes.extend(message(ControlMessage::UDP_COALESCED_INFO, &1200_u32.to_ne_bytes()));
        let expected = Ancillary {
            destination: Some((Address::from_ipv4([192, 0, 2, 1]), u32::from_ne_bytes([7, 0, 0, 0]))),
            type_of_service: Some(0xb8),
            hop_limit: Some(63),
            time: Some(123_456_789),
            coalesced: Some(1200),
        };
        assert_eq!(read(&bytes), Ok(expected));
    }

    #[test]
    fn ecn_alone_fills_the_two_low_bits_and_keeps_dscp() {
        let ecn = message(ControlMessage::IPV6_ECN, &3_i32.to_ne_bytes());
        assert_eq!(read(&ecn).unwrap().type_of_service, Some(3));
        let mut both = message(ControlMessage::IPV6_TCLASS, &0xb8_i32.to_ne_bytes());
        both.extend(ecn);
        assert_eq!(read(&both).unwrap().type_of_service, Some(0xbb));
    }

    #[test]
    fn the_last_message_may_lack_its_padding() {
        let bytes = message(ControlMessage::IP_TTL, &63_i32.to_ne_bytes());
        assert_eq!(read(&bytes[..wsa_cmsg_len(4)]).unwrap().hop_limit, Some(63));
    }

    #[test]
    fn a_payload_too_short_for_its_type_is_malformed() {
        assert_eq!(read(&message(ControlMessage::IP_PKTINFO, &[1, 2, 3])), Err(MalformedControl));
    }

    #[test]
    fn a_length_beyond_the_buffer_is_malformed() {
        let mut bytes = message(ControlMessage::IP_TTL, &[0; 4]);
        for length in [0, 15, 25, usize::MAX] {
            bytes[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(read(&bytes), Err(MalformedControl), "{length}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn damaged_messages_are_read_or_refused(
            at in 0_usize..96,
            to in any::<u8>(),
            cut in 0_usize..96,
        ) {
            let mut bytes = message(ControlMessage::IP_PKTINFO, &[192, 0, 2, 1, 7, 0, 0, 0]);
            bytes.extend(message(ControlMessage::IPV6_PKTINFO, &[0xfe; 20]));
            bytes.extend(message(ControlMessage::IP_TTL, &63_i32.to_ne_bytes()));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = read(&bytes);
        }
    }
}
