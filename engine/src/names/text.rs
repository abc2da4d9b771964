//! Text in a request's slot, in the code units of NT.

use crate::abi::nt::UNICODE_STRING;
use crate::kernel::Kernel;
use crate::request::{Buffer, RequestError};

/// Code units of a string that are looked at.
pub(super) const UNITS: usize = 1025;

/// Writes texts one after the other into a slot's bytes.
pub(super) struct Writer<'b, K: Kernel> {
    buffer: &'b mut Buffer<K>,
    used: usize,
}

impl<'b, K: Kernel> Writer<'b, K> {
    pub(super) fn new(buffer: &'b mut Buffer<K>) -> Self {
        Self { buffer, used: 0 }
    }

    /// Appends a text; the string that describes it.
    pub(super) fn push(&mut self, text: &str) -> Result<UNICODE_STRING, RequestError> {
        let start = self.used;
        for unit in text.encode_utf16() {
            let [first, second] = unit.to_ne_bytes();
            match self.buffer.all().get_mut(self.used..self.used + 2) {
                Some([to_first, to_second]) => (*to_first, *to_second) = (first, second),
                _ => return Err(RequestError::TooLong { bytes: start + text.len() * 2 }),
            }
            self.used += 2;
        }
        self.describe(start, self.used - start, self.used - start)
    }

    /// Appends room for `bytes` of text.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<UNICODE_STRING, RequestError> {
        let start = self.used;
        self.used += bytes;
        if self.used > self.buffer.capacity() {
            return Err(RequestError::TooLong { bytes: self.used });
        }
        self.describe(start, 0, bytes)
    }

    fn describe(&self, start: usize, length: usize, room: usize) -> Result<UNICODE_STRING, RequestError> {
        let too_long = RequestError::TooLong { bytes: room };
        let at = self.buffer.slot().data().as_ptr().wrapping_add(start).cast();
        Ok(UNICODE_STRING {
            Length: u16::try_from(length).map_err(|_| too_long)?,
            MaximumLength: u16::try_from(room).map_err(|_| too_long)?,
            Buffer: at,
        })
    }
}

/// The characters of text in a slot's bytes. What is no character is U+FFFD.
pub(super) fn characters(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    let (units, _odd) = bytes.as_chunks::<2>();
    decode(units.iter().map(|&unit| u16::from_ne_bytes(unit)))
}

pub(super) fn decode(units: impl Iterator<Item = u16>) -> impl Iterator<Item = char> {
    char::decode_utf16(units.take(UNITS)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
}
