//! Control messages beside a datagram.

// UNSAFETY: writes messages into an area by address.
#![expect(unsafe_code, reason = "control areas are written by address")]

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, wsa_cmsg_space};

use super::Bench;
use super::memory::Owned;
use crate::outcome::Outcome;

/// An area of control messages, to send or to receive into.
pub(crate) struct ControlArea<'b, K: Kernel> {
    words: Owned<'b, u64, K>,
    length: usize,
}

impl<'b, K: Kernel> ControlArea<'b, K> {
    /// Room for so many bytes.
    pub(crate) fn room(bench: &'b Bench<K>, length: usize) -> Result<Self, Outcome> {
        Ok(Self { words: Owned::run(bench, length.div_ceil(8))?, length })
    }

    /// These messages.
    pub(crate) fn of(bench: &'b Bench<K>, messages: &[(ControlMessage, &[u8])]) -> Result<Self, Outcome> {
        let length = messages.iter().map(|(_, payload)| wsa_cmsg_space(payload.len())).sum();
        let area = Self::room(bench, length)?;
        let mut at = area.words.as_ptr().cast::<u8>();
        for (message, payload) in messages {
            // SAFETY: the area has room for all messages, each at a multiple of 8 bytes.
            unsafe { at.cast::<CMSGHDR>().write_unaligned(CMSGHDR::new(*message, payload.len())) };
            let data = at.wrapping_add(size_of::<CMSGHDR>());
            // SAFETY: as above.
            unsafe { core::ptr::copy_nonoverlapping(payload.as_ptr(), data, payload.len()) };
            at = at.wrapping_add(wsa_cmsg_space(payload.len()));
        }
        Ok(area)
    }

    /// These bytes, whatever they say; `length` of them are spoken of.
    pub(crate) fn bytes(bench: &'b Bench<K>, bytes: &[u8]) -> Result<Self, Outcome> {
        let area = Self::room(bench, bytes.len())?;
        // SAFETY: room for as many bytes.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), area.words.as_ptr().cast::<u8>(), bytes.len());
        };
        Ok(area)
    }

    /// Its length and address, as a call takes them; null where it is empty.
    pub(crate) fn parts(&self) -> (u32, *mut CMSGHDR) {
        let area = if self.length == 0 { core::ptr::null_mut() } else { self.words.as_ptr().cast() };
        (u32::try_from(self.length).unwrap_or(u32::MAX), area)
    }
}
