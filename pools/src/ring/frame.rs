//! One frame: an 8-byte header and a payload, padded to 8 bytes.

use crate::cursor::POSITION_UNIT;

/// Bytes before a payload: its length and kind.
pub const FRAME_HEADER: usize = 8;

/// What a frame is, as its header's second word says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, up to the end of the data: the frame after it begins at offset 0.
    Pad,
    Record,
}

/// A frame's first 8 bytes: `len: u32`, then `kind: u32`, in the byte order of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of payload, without padding.
    pub(crate) len: u32,
    pub(crate) kind: Kind,
}

/// Bytes that a frame with a payload of `len` bytes takes, header and padding included; `None` if `len` does not
/// fit the header.
#[inline]
pub(crate) fn frame_bytes(len: usize) -> Option<u64> {
    let len = u32::try_from(len).ok()?;
    // No overflow: below 2^33.
    Some((FRAME_HEADER as u64 + u64::from(len)).next_multiple_of(POSITION_UNIT))
}

impl Header {
    /// The header as one word, so that it is stored and loaded at once.
    #[inline]
    pub(crate) fn encode(self) -> u64 {
        let kind: u32 = match self.kind {
            Kind::Pad => 0,
            Kind::Record => 1,
        };
        let [a, b, c, d] = self.len.to_ne_bytes();
        let [e, f, g, h] = kind.to_ne_bytes();
        u64::from_ne_bytes([a, b, c, d, e, f, g, h])
    }

    /// The header in a word from the ring; `None` for a kind that does not exist.
    #[inline]
    pub(crate) fn decode(word: u64) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
        let kind = match u32::from_ne_bytes([e, f, g, h]) {
            0 => Kind::Pad,
            1 => Kind::Record,
            _ => return None,
        };
        Some(Self { len: u32::from_ne_bytes([a, b, c, d]), kind })
    }
}
