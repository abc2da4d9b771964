//! Counted UTF-16 strings, as NT takes names.

use skua_engine::abi::nt::UNICODE_STRING;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};

/// The code units of an ASCII text; in constants anything else does not compile.
#[must_use]
pub const fn ascii<const N: usize>(text: &[u8; N]) -> [u16; N] {
    let mut units = [0; N];
    let mut index = 0;
    while index < N {
        assert!(text[index].is_ascii());
        units[index] = text[index] as u16;
        index += 1;
    }
    units
}

/// A string over borrowed code units, for the routines that only read it.
///
/// # Errors
/// STATUS_INVALID_PARAMETER if it takes more than 65534 bytes.
pub fn borrowed(units: &[u16]) -> Result<UNICODE_STRING, NTSTATUS> {
    let bytes = u16::try_from(size_of_val(units)).map_err(|_long| STATUS_INVALID_PARAMETER)?;
    Ok(UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: units.as_ptr().cast_mut() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_counts_bytes_and_has_no_terminator() {
        const NAME: [u16; 4] = ascii(b"Skua");
        assert_eq!(NAME, [0x53, 0x6b, 0x75, 0x61]);
        let string = borrowed(&NAME).unwrap();
        assert_eq!((string.Length, string.MaximumLength), (8, 8));
        assert_eq!(string.Buffer.cast_const(), NAME.as_ptr());
    }

    #[test]
    fn a_string_that_cannot_be_counted_is_refused() {
        let units = [0; 0x8000];
        assert!(borrowed(&units[..0x7FFF]).is_ok());
        assert_eq!(borrowed(&units).err(), Some(STATUS_INVALID_PARAMETER));
    }
}
