//! Walking control areas, well-formed and hostile.
#![expect(unsafe_code, reason = "control areas are walked by address")]

use std::ptr;

use proptest::prelude::*;
use skua_engine::abi::cmsg::{
    CMSGHDR, ControlMessage, wsa_cmsg_data, wsa_cmsg_firsthdr, wsa_cmsg_len, wsa_cmsg_nxthdr, wsa_cmsg_space,
};

const HEADER: usize = size_of::<CMSGHDR>();

/// A control area of `length` bytes, aligned as WSK aligns it; the allocation ends where the area does, up to the
/// alignment.
struct Area {
    words: Vec<u64>,
    length: usize,
}

impl Area {
    fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self { words, length: bytes.len() }
    }

    /// Offsets and headers of the messages that a walk finds, with as many bytes of each as lie in the area.
    fn walk(&mut self) -> Vec<(usize, CMSGHDR, Vec<u8>)> {
        let control = self.words.as_mut_ptr().cast::<CMSGHDR>();
        let mut found = Vec::new();
        let mut message = wsa_cmsg_firsthdr(control, self.length);
        while !message.is_null() {
            let offset = message.addr() - control.addr();
            assert!(offset + HEADER <= self.length && offset.is_multiple_of(8), "a header outside the area");
            assert!(found.len() <= self.length / HEADER, "a walk that does not end");
            // SAFETY: the header lies in the area, as just asserted.
            let header = unsafe { ptr::read(message) };
            let data = wsa_cmsg_data(message).addr() - control.addr();
            let end = offset.saturating_add(header.cmsg_len).clamp(data, self.length);
            found.push((offset, header, bytemuck::cast_slice::<u64, u8>(&self.words)[data..end].to_vec()));
            // SAFETY: the message came from the walk over this area.
            message = unsafe { wsa_cmsg_nxthdr(control, self.length, message) };
        }
        found
    }
}

/// The bytes of an area that holds these messages.
fn written(messages: &[(ControlMessage, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (message, payload) in messages {
        let begin = bytes.len();
        bytes.extend_from_slice(bytemuck::bytes_of(&CMSGHDR::new(*message, payload.len())));
        bytes.extend_from_slice(payload);
        bytes.resize(begin + wsa_cmsg_space(payload.len()), 0);
    }
    bytes
}

fn message() -> impl Strategy<Value = (ControlMessage, Vec<u8>)> {
    let payload = proptest::collection::vec(any::<u8>(), 0..40);
    (any::<(i32, i32)>(), payload)
        .prop_map(|((level, cmsg_type), payload)| (ControlMessage { level, cmsg_type }, payload))
}

proptest! {
    #[test]
    fn a_walk_finds_what_was_written(messages in proptest::collection::vec(message(), 0..6)) {
        let mut area = Area::new(&written(&messages));
        let found: Vec<_> =
            area.walk().into_iter().map(|(_, header, payload)| (header.message(), payload)).collect();
        prop_assert_eq!(found, messages);
    }

    #[test]
    fn padding_behind_the_last_message_may_be_missing(first in message(), last in message()) {
        let mut bytes = written(&[first, last.clone()]);
        bytes.truncate(bytes.len() - wsa_cmsg_space(last.1.len()) + wsa_cmsg_len(last.1.len()));
        let found = Area::new(&bytes).walk();
        prop_assert_eq!(found.len(), 2);
        prop_assert_eq!(&found[1].2, &last.1);
    }

    #[test]
    fn a_walk_over_any_bytes_stays_inside_and_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        Area::new(&bytes).walk();
    }

    #[test]
    fn a_walk_over_any_length_stays_inside_and_ends(length in any::<usize>(), small in 0_usize..80, room in 16_usize..160) {
        for claimed in [length, small] {
            let mut bytes = vec![0; room];
            bytes[..8].copy_from_slice(&claimed.to_ne_bytes());
            let found = Area::new(&bytes).walk();
            if claimed < HEADER {
                prop_assert_eq!(found.len(), 1, "a message shorter than its header ends the walk");
            }
        }
    }

    #[test]
    fn lengths_saturate(payload in usize::MAX - 64..=usize::MAX) {
        prop_assert!(wsa_cmsg_len(payload) >= payload);
        prop_assert!(wsa_cmsg_space(payload) >= usize::MAX - 64);
    }
}

#[test]
fn an_area_without_room_for_a_header_has_no_message() {
    for length in 0..HEADER {
        assert!(Area::new(&vec![0xFF; length]).walk().is_empty());
    }
}
