//! Control areas of the host's sockets. Linux and Winsock lay them out as WSK does: a header of 16 bytes, and everything
//! aligned to 8. What the payloads are differs.

// UNSAFETY: walks control messages that the host wrote, within the length it gave.
#![expect(unsafe_code, reason = "control messages are raw memory")]

use std::marker::PhantomData;

use bytemuck::{NoUninit, Pod};
use skua_engine::abi::cmsg::{CMSGHDR, wsa_cmsg_align, wsa_cmsg_space};

/// The messages of a received control area.
pub(super) struct ReceivedControl<'a> {
    area: *const u8,
    length: usize,
    at: usize,
    borrowed: PhantomData<&'a u8>,
}

impl ReceivedControl<'_> {
    /// # Safety
    /// `area` is aligned to 8, readable for `length` bytes while this exists, and written by the host.
    pub(super) unsafe fn new(area: *const u8, length: usize) -> Self {
        Self { area, length, at: 0, borrowed: PhantomData }
    }
}

impl<'a> Iterator for ReceivedControl<'a> {
    type Item = ReceivedMessage<'a>;

    /// The next message; none when what is left cannot be one.
    #[inline]
    fn next(&mut self) -> Option<ReceivedMessage<'a>> {
        let left = self.length.checked_sub(self.at).filter(|left| *left >= size_of::<CMSGHDR>())?;
        let message = self.area.wrapping_add(self.at);
        // SAFETY: a header lies within the length, and the host aligns messages.
        let header = unsafe { message.cast::<CMSGHDR>().read() };
        if header.cmsg_len < size_of::<CMSGHDR>() || header.cmsg_len > left {
            return None;
        }
        self.at += wsa_cmsg_align(header.cmsg_len);
        Some(ReceivedMessage {
            level: header.cmsg_level,
            kind: header.cmsg_type,
            at: message.wrapping_add(size_of::<CMSGHDR>()),
            bytes: header.cmsg_len - size_of::<CMSGHDR>(),
            borrowed: PhantomData,
        })
    }
}

/// A message, and its payload.
///
/// # Invariants
/// `at` is readable for `bytes`.
pub(super) struct ReceivedMessage<'a> {
    pub(super) level: i32,
    pub(super) kind: i32,
    at: *const u8,
    bytes: usize,
    borrowed: PhantomData<&'a u8>,
}

impl ReceivedMessage<'_> {
    /// The payload as a `T`, zero where it is shorter.
    #[inline]
    pub(super) fn read<T: Pod>(&self) -> T {
        if self.bytes >= size_of::<T>() {
            // SAFETY: readable for the size of a T, of which every bit pattern is valid.
            return unsafe { self.at.cast::<T>().read_unaligned() };
        }
        T::zeroed()
    }

    /// The low octet of an int.
    #[inline]
    pub(super) fn octet(&self) -> u8 {
        let [low, ..] = self.read::<i32>().to_le_bytes();
        low
    }
}

/// Control messages of a send, with room for PKTINFO of IPv6 (40 bytes) and three messages of 24.
#[derive(Default)]
pub(super) struct SentControl {
    words: [u64; 14],
    used: usize,
}

impl SentControl {
    /// The area, to be lent to a system call.
    pub(super) fn area(&self) -> *mut u8 {
        self.words.as_ptr().cast_mut().cast()
    }

    /// Bytes in it.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Adds a message. What does not fit is left out.
    pub(super) fn push<T: NoUninit>(&mut self, level: i32, kind: i32, payload: T) {
        let at = self.used;
        let bytes: &mut [u8] = bytemuck::must_cast_slice_mut(&mut self.words);
        let length = size_of::<CMSGHDR>() + size_of::<T>();
        let Some(message) = bytes.get_mut(at..at + length) else { return };
        let (header, data) = message.split_at_mut(size_of::<CMSGHDR>());
        header.copy_from_slice(bytemuck::bytes_of(&CMSGHDR {
            cmsg_len: length,
            cmsg_level: level,
            cmsg_type: kind,
        }));
        data.copy_from_slice(bytemuck::bytes_of(&payload));
        self.used += wsa_cmsg_space(size_of::<T>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(sent: &SentControl, length: usize) -> Vec<(i32, i32, u32)> {
        // SAFETY: the area is aligned, and `length` at most what was written.
        let messages = unsafe { ReceivedControl::new(sent.area(), length.min(sent.used())) };
        messages.map(|message| (message.level, message.kind, message.read())).collect()
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        let mut sent = SentControl::default();
        sent.push(0, 3, 0xb9u32);
        sent.push(41, 50, [7u32; 5]);
        assert_eq!(received(&sent, usize::MAX), [(0, 3, 0xb9), (41, 50, 7)]);
    }

    #[test]
    fn a_message_that_is_cut_off_is_left_out() {
        let mut sent = SentControl::default();
        sent.push(0, 3, 1u32);
        sent.push(0, 4, 2u32);
        for length in 24..24 + size_of::<CMSGHDR>() + 4 {
            assert_eq!(received(&sent, length), [(0, 3, 1)], "{length} bytes");
        }
    }

    #[test]
    fn an_area_that_is_full_stays_as_it_is() {
        let mut sent = SentControl::default();
        for _ in 0..9 {
            sent.push(0, 3, 1u32);
        }
        assert!(sent.used() <= size_of_val(&sent.words));
    }
}
