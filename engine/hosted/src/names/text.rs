//! Counted UTF-16 strings, of a client and for one.

// UNSAFETY: reads and fills a client's strings.
#![expect(unsafe_code, reason = "UNICODE_STRING leads to memory of a client")]

use skua_engine::abi::nt::UNICODE_STRING;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NO_MATCH};

use super::Place;

/// The text of a string: `None` for null. It ends at a zero, if it has one. STATUS_INVALID_PARAMETER for a string that is
/// none, STATUS_NO_MATCH for code units that are no characters: nothing has such a name.
///
/// # Safety
/// `string` is null, or readable with as many bytes of its buffer as it says.
pub(super) unsafe fn read(string: *const UNICODE_STRING) -> Result<Option<String>, NTSTATUS> {
    if string.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let UNICODE_STRING { Length, MaximumLength, Buffer } = unsafe { string.read_unaligned() };
    let is_whole = Length % 2 == 0 && Length <= MaximumLength && (Length == 0 || !Buffer.is_null());
    if !is_whole {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: within what the string says, each read once.
    let unit = |at: usize| unsafe { Buffer.wrapping_add(at).read_unaligned() };
    let units: Vec<u16> = (0..usize::from(Length / 2)).map(unit).take_while(|unit| *unit != 0).collect();
    String::from_utf16(&units).map(Some).map_err(|_| STATUS_NO_MATCH)
}

/// A string of the client's that is to be filled.
///
/// # Invariants
/// As for [`Place`], and `buffer` has room for `units`.
pub(super) struct Room {
    string: Place<UNICODE_STRING>,
    buffer: Place<u16>,
    units: usize,
}

impl Room {
    /// What a string has room for: `None` for null; STATUS_INVALID_PARAMETER for one without a buffer.
    ///
    /// # Safety
    /// `string` is null, or it and its buffer are writable until the request completes.
    pub(super) unsafe fn of(string: *mut UNICODE_STRING) -> Result<Option<Self>, NTSTATUS> {
        if string.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let UNICODE_STRING { MaximumLength, Buffer, .. } = unsafe { string.read_unaligned() };
        if Buffer.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let units = usize::from(MaximumLength / 2);
        Ok(Some(Self { string: Place(string), buffer: Place(Buffer), units }))
    }

    /// Whether `text` and a zero fit.
    pub(super) fn fits(&self, text: &str) -> bool {
        text.encode_utf16().count() < self.units
    }

    /// Writes `text`, which fits, and a zero that its length does not count.
    pub(super) fn fill(&self, text: &str) {
        let mut length = 0;
        for unit in text.encode_utf16().take(self.units.saturating_sub(1)) {
            // SAFETY: below the units that there is room for.
            unsafe { self.buffer.0.wrapping_add(length).write_unaligned(unit) };
            length += 1;
        }
        // SAFETY: as above.
        unsafe { self.buffer.0.wrapping_add(length).write_unaligned(0) };
        // SAFETY: the string, lent until the request completes.
        let field = unsafe { &raw mut (*self.string.0).Length };
        // SAFETY: as above.
        unsafe { field.write_unaligned(u16::try_from(length * 2).unwrap_or_default()) };
    }
}
