//! Where a reader finds the rings.

use bytemuck::{Pod, Zeroable};

/// What a reader is told when it is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ReaderAttached {
    /// The sink's number.
    pub sink: u64,
    /// Random bits in the sections' names: [`section_name`].
    pub sections: [u8; 16],
    /// Rings, one a processor.
    pub rings: u32,
    /// Zero.
    pub reserved: u32,
    /// Bytes of a ring's data section: header page and data.
    pub data_bytes: u64,
    /// Bytes of a ring's cursor section.
    pub cursor_bytes: u64,
    /// Unread bytes at which a reader that waits for a full load is woken.
    pub watermark: u64,
    /// Datagrams for which there was no room in a ring, up to when the reader before this one left; 0 if there was none.
    /// What was dropped for that reason since then is what this reader's absence cost.
    pub ring_full_before: u64,
    /// The performance counter when the rings were opened, for readers that cannot map them.
    pub ticks: u64,
    /// The same moment in ns since 1970-01-01 UTC.
    pub unix_nanoseconds: u64,
    /// How often the performance counter counts in a second.
    pub ticks_per_second: u64,
}

/// One of a ring's two sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Region {
    /// What a reader may map for reading only.
    Data,
    /// What it maps for writing: its cursor.
    Cursor,
}

/// UTF-16 units of a section's name.
pub const SECTION_NAME_UNITS: usize = 47;

/// The name of a section, without the folder: `\BaseNamedObjects\` for a driver, `Global\` for a program.
///
/// `Skua-`, 32 hexadecimal digits, `-`, four hexadecimal digits of the ring's number, `-data` or `-curs`, all of ASCII.
#[must_use]
pub fn section_name(sections: &[u8; 16], ring: u16, region: Region) -> [u16; SECTION_NAME_UNITS] {
    let mut name = [0; SECTION_NAME_UNITS];
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
    let digits = |byte: u8| [digit(byte >> 4), digit(byte & 0xf)];
    let [high, low] = ring.to_be_bytes();
    let region: &[u8; 5] = match region {
        Region::Data => b"-data",
        Region::Cursor => b"-curs",
    };
    let units = b"Skua-"
        .iter()
        .copied()
        .chain(sections.iter().flat_map(|byte| digits(*byte)))
        .chain([b'-'])
        .chain(digits(high))
        .chain(digits(low))
        .chain(region.iter().copied());
    for (unit, ascii) in name.iter_mut().zip(units) {
        *unit = u16::from(ascii);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fills_its_units() {
        let sections = core::array::from_fn(|index| u8::try_from(index * 17).unwrap());
        let text = |region| std::string::String::from_utf16(&section_name(&sections, 0x1f, region)).unwrap();
        assert_eq!(text(Region::Data), "Skua-00112233445566778899aabbccddeeff-001f-data");
        assert_eq!(text(Region::Cursor), "Skua-00112233445566778899aabbccddeeff-001f-curs");
    }
}
