//! The control messages that datagrams usually come with: the same kinds, in the same order, one datagram as the other.

// UNSAFETY: reads a control buffer that the provider lends, within the length it gives.
#![expect(unsafe_code, reason = "unaligned reads inside a length that is compared first")]

use core::mem::offset_of;

use crate::abi::cmsg::{CMSGHDR, ControlMessage, IN_PKTINFO, wsa_cmsg_align, wsa_cmsg_len};
use crate::address::Address;
use crate::receive::entry::Facts;

/// Messages that a shape has at most: as many as can be asked for.
const MESSAGES: usize = 4;

/// Bytes before a message's data.
const HEADER: usize = wsa_cmsg_len(0);

/// Where in the control data of one datagram everything was, so that the next one's is compared with it instead of parsed.
///
/// # Invariants
/// `length` is 0, or data of so many bytes whose headers are those of `headers` is the messages named here, and what is read of
/// them lies within it.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    length: u32,
    count: usize,
    headers: [Header; MESSAGES],
    /// Where the data of each message begins that this reads; 0 where there is none.
    packet_info: usize,
    type_of_service: usize,
    hop_limit: usize,
    time: usize,
}

/// A message's header, and where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Header {
    at: usize,
    words: [u64; 2],
}

impl Shape {
    /// No datagram has it.
    pub(crate) const NONE: Self = Self {
        length: 0,
        count: 0,
        headers: [Header { at: 0, words: [0; 2] }; MESSAGES],
        packet_info: 0,
        type_of_service: 0,
        hop_limit: 0,
        time: 0,
    };

    /// That of well-formed control data, if it has messages of the kinds that IPv4 datagrams come with, one of each at most.
    ///
    /// # Safety
    /// `control` is readable for `length` bytes.
    pub(super) unsafe fn of(control: *const CMSGHDR, length: u32) -> Option<Self> {
        let mut shape = Self { length, ..Self::NONE };
        let mut at = 0;
        while at + HEADER <= length as usize {
            // SAFETY: a header is left.
            let words = unsafe { read::<[u64; 2]>(control, at) };
            let header: CMSGHDR = bytemuck::must_cast(words);
            let data = at + HEADER;
            let (place, bytes) = match header.message() {
                ControlMessage::IP_PKTINFO => (&mut shape.packet_info, size_of::<IN_PKTINFO>()),
                ControlMessage::IP_TOS => (&mut shape.type_of_service, size_of::<i32>()),
                ControlMessage::IP_TTL | ControlMessage::IP_HOPLIMIT => {
                    (&mut shape.hop_limit, size_of::<i32>())
                }
                ControlMessage::SO_TIMESTAMP => (&mut shape.time, size_of::<u64>()),
                _ => return None,
            };
            let fits = header.cmsg_len >= HEADER + bytes && header.cmsg_len <= length as usize - at;
            if *place != 0 || !fits {
                return None;
            }
            *place = data;
            *shape.headers.get_mut(shape.count)? = Header { at, words };
            shape.count += 1;
            at += wsa_cmsg_align(header.cmsg_len);
        }
        (shape.count != 0).then_some(shape)
    }

    /// Writes what control data of this shape says, beyond `common`, to `facts`; false if it is of another.
    ///
    /// # Safety
    /// `control` is readable for `length` bytes.
    #[inline]
    pub(super) unsafe fn read(
        &self,
        control: *const CMSGHDR,
        length: u32,
        common: &Facts,
        facts: &mut Facts,
    ) -> bool {
        if length != self.length || control.is_null() {
            return false;
        }
        let mut differ = 0;
        for Header { at, words: [first, second] } in self.headers.iter().take(self.count) {
            // SAFETY: the length is the shape's, within which its headers lie.
            let [length, kind] = unsafe { read::<[u64; 2]>(control, *at) };
            differ |= (length ^ first) | (kind ^ second);
        }
        if differ != 0 {
            return false;
        }
        *facts = *common;
        if self.packet_info != 0 {
            let at = self.packet_info + offset_of!(IN_PKTINFO, ipi_addr);
            // SAFETY: the message is of the shape, which found it long enough.
            facts.local = Address::from_ipv4_word(unsafe { read(control, at) });
            let at = self.packet_info + offset_of!(IN_PKTINFO, ipi_ifindex);
            // SAFETY: as above.
            facts.interface = unsafe { read(control, at) };
        }
        if self.type_of_service != 0 {
            // SAFETY: as above.
            facts.type_of_service = low(unsafe { read(control, self.type_of_service) });
        }
        if self.hop_limit != 0 {
            // SAFETY: as above.
            facts.hop_limit = low(unsafe { read(control, self.hop_limit) });
        }
        if self.time != 0 {
            // SAFETY: as above.
            facts.time = unsafe { read(control, self.time) };
        }
        true
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low octet of an INT")]
fn low(word: u32) -> u8 {
    word as u8
}

/// # Safety
/// A `T` is readable at `at`.
#[inline]
unsafe fn read<T: bytemuck::AnyBitPattern>(control: *const CMSGHDR, at: usize) -> T {
    // SAFETY: the caller's promise.
    let address = unsafe { control.cast::<u8>().add(at) };
    // SAFETY: the caller's promise.
    unsafe { address.cast::<T>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::vec::Vec;

    use proptest::prelude::*;
    use skua_record::RecordFlags;

    use super::*;
    use crate::receive::ancillary::Ancillary;

    fn message(kind: ControlMessage, payload: &[u8]) -> Vec<u8> {
        let mut bytes = bytemuck::bytes_of(&CMSGHDR::new(kind, payload.len())).to_vec();
        bytes.extend_from_slice(payload);
        bytes.resize(wsa_cmsg_align(bytes.len()), 0);
        bytes
    }

    fn messages(kinds: u8, tos: i32, time: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        if kinds & 1 != 0 {
            bytes.extend(message(ControlMessage::IP_PKTINFO, &[192, 0, 2, 1, 7, 0, 0, 0]));
        }
        if kinds & 2 != 0 {
            bytes.extend(message(ControlMessage::IP_TOS, &tos.to_ne_bytes()));
        }
        if kinds & 4 != 0 {
            bytes.extend(message(ControlMessage::IP_TTL, &63_i32.to_ne_bytes()));
        }
        if kinds & 8 != 0 {
            bytes.extend(message(ControlMessage::SO_TIMESTAMP, &time.to_ne_bytes()));
        }
        bytes
    }

    fn common() -> Facts {
        Facts::new(Address::from_ipv4([10, 0, 0, 1]), RecordFlags::BROADCAST)
    }

    /// What the shape reads of exactly these bytes, beside what the parser reads.
    fn both(shape: &Shape, bytes: &[u8]) -> (Option<Facts>, Option<Ancillary>) {
        let exact: Box<[u8]> = bytes.into();
        let (control, length) = (exact.as_ptr().cast(), u32::try_from(exact.len()).unwrap());
        let mut facts = common();
        // SAFETY: readable for its length.
        let is_of_it = unsafe { shape.read(control, length, &common(), &mut facts) };
        // SAFETY: as above.
        (is_of_it.then_some(facts), unsafe { Ancillary::read(control, length) }.ok())
    }

    fn of(bytes: &[u8]) -> Option<Shape> {
        let exact: Box<[u8]> = bytes.into();
        // SAFETY: readable for its length.
        unsafe { Shape::of(exact.as_ptr().cast(), u32::try_from(exact.len()).unwrap()) }
    }

    fn agree(facts: &Facts, said: &Ancillary) {
        let common = common();
        let (local, interface) = said.destination.unwrap_or((common.local, 0));
        assert_eq!((facts.local, facts.interface), (local, interface));
        assert_eq!(facts.type_of_service, said.type_of_service.unwrap_or(0));
        assert_eq!(facts.hop_limit, said.hop_limit.unwrap_or(0));
        assert_eq!((facts.time, facts.flags), (said.time.unwrap_or(0), common.flags));
        assert_eq!(said.coalesced, None);
    }

    #[test]
    fn data_of_one_shape_reads_as_the_parser_reads_it() {
        for kinds in 1..16 {
            let shape = of(&messages(kinds, 3, 5)).unwrap();
            let (facts, said) = both(&shape, &messages(kinds, 0xb8, 123));
            agree(&facts.unwrap(), &said.unwrap());
        }
    }

    #[test]
    fn what_is_said_twice_or_is_unknown_has_no_shape() {
        let twice = [messages(2, 1, 0), messages(2, 2, 0)].concat();
        assert!(of(&twice).is_none());
        assert!(of(&message(ControlMessage::UDP_COALESCED_INFO, &[1, 0, 0, 0])).is_none());
        assert!(of(&[]).is_none());
    }

    proptest! {
        #[test]
        fn damaged_data_is_of_another_shape_or_reads_as_the_parser_reads_it(
            kinds in 1_u8..16,
            at in 0_usize..96,
            to in any::<u8>(),
            cut in 0_usize..30,
        ) {
            let good = messages(kinds, 3, 5);
            let shape = of(&good).unwrap();
            let mut bytes = good;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let (Some(facts), said) = both(&shape, &bytes) {
                agree(&facts, &said.unwrap());
            }
            // And a shape learned of it is no danger either.
            if let Some(shape) = of(&bytes)
                && let (Some(facts), Some(said)) = both(&shape, &bytes)
            {
                agree(&facts, &said);
            }
        }
    }
}
