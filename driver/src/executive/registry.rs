//! One value of the registry, and its data as the type it says it is.

/// [`RegistryValue::kind`]: a string, with or without its terminator.
pub const REG_SZ: u32 = 1;
/// [`RegistryValue::kind`]: a string with names of environment variables in it.
pub const REG_EXPAND_SZ: u32 = 2;
/// [`RegistryValue::kind`]: bytes.
pub const REG_BINARY: u32 = 3;
/// [`RegistryValue::kind`]: a number of 32 bits.
pub const REG_DWORD: u32 = 4;
/// [`RegistryValue::kind`]: strings, each with its terminator, and an empty one behind the last.
pub const REG_MULTI_SZ: u32 = 7;
/// [`RegistryValue::kind`]: a number of 64 bits.
pub const REG_QWORD: u32 = 11;

/// One value of a key, as whoever may write to the key left it: type and data need not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryValue<'b> {
    /// The type, `REG_`.
    pub kind: u32,
    /// The data, little-endian.
    pub data: &'b [u8],
}

impl<'b> RegistryValue<'b> {
    /// The number, if this is a [`REG_DWORD`] of 4 bytes.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn dword(&self) -> Option<u32> {
        let bytes = self.data.try_into().ok()?;
        (self.kind == REG_DWORD).then(|| u32::from_le_bytes(bytes))
    }

    /// The number, if this is a [`REG_QWORD`] of 8 bytes, or a [`REG_DWORD`].
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn qword(&self) -> Option<u64> {
        if let Some(narrow) = self.dword() {
            return Some(u64::from(narrow));
        }
        let bytes = self.data.try_into().ok()?;
        (self.kind == REG_QWORD).then(|| u64::from_le_bytes(bytes))
    }

    /// The code units before the first zero, if this is a [`REG_SZ`]; an odd last byte is left out.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn string(&self) -> Option<impl Iterator<Item = u16> + Clone + use<'b>> {
        (self.kind == REG_SZ).then(|| units(self.data).take_while(|unit| *unit != 0))
    }

    /// The strings, if this is a [`REG_MULTI_SZ`]: each as its code units. An empty string ends the list, as it does in
    /// C.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn strings(
        &self,
    ) -> Option<impl Iterator<Item = impl Iterator<Item = u16> + Clone + use<'b>> + use<'b>> {
        (self.kind == REG_MULTI_SZ).then_some(Strings { left: self.data })
    }
}

struct Strings<'b> {
    left: &'b [u8],
}

impl<'b> Iterator for Strings<'b> {
    type Item = Units<'b>;

    fn next(&mut self) -> Option<Units<'b>> {
        let length = units(self.left).take_while(|unit| *unit != 0).count();
        let (string, rest) = self.left.split_at_checked(length * 2)?;
        self.left = rest.get(2..).unwrap_or_default();
        (length > 0).then(|| units(string))
    }
}

type Units<'b> = core::iter::Map<core::slice::Iter<'b, [u8; 2]>, fn(&[u8; 2]) -> u16>;

fn units(bytes: &[u8]) -> Units<'_> {
    let (pairs, _odd) = bytes.as_chunks();
    pairs.iter().map(|pair| u16::from_le_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    fn bytes(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn strings(data: &[u8]) -> Vec<String> {
        let value = RegistryValue { kind: REG_MULTI_SZ, data };
        let decode = |units: Vec<u16>| String::from_utf16(&units).unwrap();
        value.strings().unwrap().map(|units| decode(units.collect())).collect()
    }

    #[test]
    fn a_number_has_the_size_that_its_type_says() {
        assert_eq!(RegistryValue { kind: REG_DWORD, data: &[1, 2, 0, 0] }.dword(), Some(0x201));
        assert_eq!(RegistryValue { kind: REG_DWORD, data: &[1, 2, 0] }.dword(), None);
        assert_eq!(RegistryValue { kind: REG_BINARY, data: &[1, 2, 0, 0] }.dword(), None);
        assert_eq!(RegistryValue { kind: REG_DWORD, data: &[1, 2, 0, 0] }.qword(), Some(0x201));
        assert_eq!(RegistryValue { kind: REG_QWORD, data: &[0, 0, 0, 0, 1, 0, 0, 0] }.qword(), Some(1 << 32));
        assert_eq!(RegistryValue { kind: REG_QWORD, data: &[1, 2, 0, 0] }.qword(), None);
    }

    #[test]
    fn a_string_ends_at_its_terminator_or_with_its_data() {
        for data in ["name", "name\0", "name\0junk"] {
            let data = bytes(data);
            let value = RegistryValue { kind: REG_SZ, data: &data };
            assert!(value.string().unwrap().eq("name".encode_utf16()));
        }
        let odd = RegistryValue { kind: REG_SZ, data: b"n\0a" };
        assert!(odd.string().unwrap().eq("n".encode_utf16()));
        assert!(RegistryValue { kind: REG_EXPAND_SZ, data: b"n\0" }.string().is_none());
    }

    #[test]
    fn strings_end_at_the_empty_one_or_with_their_data() {
        for data in ["a\0bc\0\0", "a\0bc\0", "a\0bc", "a\0bc\0\0d\0\0"] {
            assert_eq!(strings(&bytes(data)), ["a", "bc"]);
        }
        assert_eq!(strings(b"a\0\0\0b\0\0"), ["a", "b"]);
        for data in ["", "\0", "\0\0a\0\0"] {
            assert!(strings(&bytes(data)).is_empty());
        }
    }
}
