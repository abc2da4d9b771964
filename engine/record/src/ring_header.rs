//! The first bytes of a ring's data region, and the same once checked.

use core::mem::{offset_of, size_of};

use bytemuck::{Pod, Zeroable};
use skua_pools::{RING_MAX_BYTES, RING_MIN_BYTES};

use crate::clock::Clock;
use crate::header::RecordHeader;

/// Bytes of a cursor region: one page, whose first 8 bytes are the reader's cursor.
pub const CURSOR_BYTES: usize = 4096;

/// What a sink says about a ring, at the start of the ring's data region.
///
/// ```text
///  0         8         12             16           24          28                32        48
///  +---------+---------+--------------+------------+-----------+-----------------+---------+---------+
///  | magic   | version | header_bytes | data_bytes | processor | record_header_  | host_id | boot_id |
///  |         |         |              |            |           | bytes           | 16      | 16      |
///  +---------+---------+--------------+------------+-----------+-----------------+---------+---------+
///  64        72                  80                  88                128     136
///  +---------+-------------------+-------------------+-----------------+-------+---------------------+
///  | ticks   | unix_nanoseconds  | ticks_per_second  | reserved        | head  | zero up to 4096     |
///  +---------+-------------------+-------------------+-----------------+-------+---------------------+
/// ```
///
/// The struct ends before `head`, which lies at [`RingHeader::HEAD_OFFSET`]: the header is written once, before the
/// region is shared, and `head` for as long as the ring lives. `head` has 128 bytes for itself because processors fetch
/// cache lines of 64 bytes in pairs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct RingHeader {
    /// [`RingHeader::MAGIC`].
    pub magic: [u8; 8],
    /// [`RecordHeader::VERSION`].
    pub version: u32,
    /// Bytes from the start of the region to the data: [`RingHeader::PAGE_BYTES`].
    pub header_bytes: u32,
    /// Bytes of data, a power of two.
    pub data_bytes: u64,
    /// The processor whose records these are.
    pub processor: u32,
    /// [`RecordHeader::BYTES`].
    pub record_header_bytes: u32,
    /// Names the machine, for as long as it lives; all zero where nobody set it.
    pub host_id: [u8; 16],
    /// Names this boot of the machine; processor, boot and sequence together number a record for ever.
    pub boot_id: [u8; 16],
    /// The performance counter when the ring was opened.
    pub ticks: u64,
    /// The same moment in ns since 1970-01-01 UTC.
    pub unix_nanoseconds: u64,
    /// How often the counter counts in a second.
    pub ticks_per_second: u64,
    /// Zero.
    pub reserved: [u64; 5],
}

const HEADER_BYTES: u32 = 4096;
const RECORD_HEADER_BYTES: u32 = 64;

const _: () = {
    assert!(HEADER_BYTES as usize == RingHeader::PAGE_BYTES);
    assert!(RECORD_HEADER_BYTES as usize == RecordHeader::BYTES);
    assert!(size_of::<RingHeader>() == RingHeader::BYTES);
    assert!(offset_of!(RingHeader, magic) == 0);
    assert!(offset_of!(RingHeader, version) == 8);
    assert!(offset_of!(RingHeader, header_bytes) == 12);
    assert!(offset_of!(RingHeader, data_bytes) == 16);
    assert!(offset_of!(RingHeader, processor) == 24);
    assert!(offset_of!(RingHeader, record_header_bytes) == 28);
    assert!(offset_of!(RingHeader, host_id) == 32);
    assert!(offset_of!(RingHeader, boot_id) == 48);
    assert!(offset_of!(RingHeader, ticks) == 64);
    assert!(offset_of!(RingHeader, unix_nanoseconds) == 72);
    assert!(offset_of!(RingHeader, ticks_per_second) == 80);
    assert!(RingHeader::HEAD_OFFSET >= RingHeader::BYTES && RingHeader::HEAD_OFFSET.is_multiple_of(128));
};

impl RingHeader {
    /// The first 8 bytes of every data region.
    pub const MAGIC: [u8; 8] = *b"SKUARING";

    /// Bytes of this struct.
    pub const BYTES: usize = 128;

    /// Where in the data region the published position lies, a `u64`.
    pub const HEAD_OFFSET: usize = 128;

    /// Bytes before the data.
    pub const PAGE_BYTES: usize = 4096;

    /// The least and the most data bytes of a ring.
    pub const DATA_BYTES: core::ops::RangeInclusive<u64> = RING_MIN_BYTES as u64..=RING_MAX_BYTES as u64;

    /// The header of `processor`'s ring of `data_bytes`, which is a power of two within [`RingHeader::DATA_BYTES`].
    #[must_use]
    pub const fn new(
        processor: u32,
        data_bytes: u64,
        host_id: [u8; 16],
        boot_id: [u8; 16],
        clock: &Clock,
    ) -> Self {
        Self {
            magic: Self::MAGIC,
            version: RecordHeader::VERSION as u32,
            header_bytes: HEADER_BYTES,
            data_bytes,
            processor,
            record_header_bytes: RECORD_HEADER_BYTES,
            host_id,
            boot_id,
            ticks: clock.ticks(),
            unix_nanoseconds: clock.unix_nanoseconds(clock.ticks()),
            ticks_per_second: clock.ticks_per_second(),
            reserved: [0; 5],
        }
    }

    /// Checks the start of a data region of `region_bytes` in all.
    ///
    /// `header` is a copy of the region's first [`RingHeader::BYTES`]: what was checked is then what is used.
    ///
    /// # Errors
    /// [`RingError`] says what does not hold; nothing is trusted, and nothing panics on any bytes.
    pub fn read(header: &[u8], region_bytes: usize) -> Result<Geometry, RingError> {
        let Some(bytes) = header.first_chunk::<{ Self::BYTES }>() else {
            return Err(RingError::Short { bytes: header.len() as u64 });
        };
        let header: Self = bytemuck::pod_read_unaligned(bytes);
        if header.magic != Self::MAGIC {
            return Err(RingError::Magic);
        }
        if header.version != u32::from(RecordHeader::VERSION) {
            return Err(RingError::Version { version: header.version });
        }
        if header.header_bytes != HEADER_BYTES || header.record_header_bytes != RECORD_HEADER_BYTES {
            return Err(RingError::HeaderBytes {
                ring: header.header_bytes,
                record: header.record_header_bytes,
            });
        }
        if !header.data_bytes.is_power_of_two() || !Self::DATA_BYTES.contains(&header.data_bytes) {
            return Err(RingError::DataBytes { bytes: header.data_bytes });
        }
        // Cannot overflow: data_bytes is at most 2^31.
        if (region_bytes as u64) < Self::PAGE_BYTES as u64 + header.data_bytes {
            return Err(RingError::Short { bytes: region_bytes as u64 });
        }
        let Some(clock) = Clock::new(header.ticks, header.unix_nanoseconds, header.ticks_per_second) else {
            return Err(RingError::Clock);
        };
        Ok(Geometry {
            processor: header.processor,
            data_bytes: header.data_bytes,
            host_id: header.host_id,
            boot_id: header.boot_id,
            clock,
        })
    }
}

/// A ring header that was checked.
///
/// # Invariants
/// The region holds [`RingHeader::PAGE_BYTES`] and `data_bytes` more; `data_bytes` is a power of two within
/// [`RingHeader::DATA_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    processor: u32,
    data_bytes: u64,
    host_id: [u8; 16],
    boot_id: [u8; 16],
    clock: Clock,
}

impl Geometry {
    /// The processor whose records these are.
    #[must_use]
    pub const fn processor(&self) -> u32 {
        self.processor
    }

    /// Bytes of data, a power of two.
    #[must_use]
    pub const fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Names the machine.
    #[must_use]
    pub const fn host_id(&self) -> [u8; 16] {
        self.host_id
    }

    /// Names this boot of the machine.
    #[must_use]
    pub const fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }

    /// How the records' ticks relate to Unix time.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Why a region is no ring that this reader can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// The region is shorter than its header says, or than a header.
    #[error("the region has {bytes} bytes, fewer than its ring needs; map the whole section")]
    Short {
        /// Bytes of the region.
        bytes: u64,
    },
    /// It does not begin as a ring does.
    #[error("the region does not begin with SKUARING; it is not a ring's data region")]
    Magic,
    /// It is laid out in another version.
    #[error(
        "the ring is of version {version}, this reader knows version 1; use the reader of the sink's release"
    )]
    Version {
        /// The version it says.
        version: u32,
    },
    /// Its headers are not as long as version 1's.
    #[error(
        "the ring says headers of {ring} and {record} bytes, version 1 has 4096 and 64; the ring is damaged"
    )]
    HeaderBytes {
        /// Bytes before the data.
        ring: u32,
        /// Bytes of a record header.
        record: u32,
    },
    /// Its size is no power of two, or out of range.
    #[error("the ring says {bytes} data bytes, not a power of two from 4096 to 2^31; the ring is damaged")]
    DataBytes {
        /// The size it says.
        bytes: u64,
    },
    /// Its counter does not count.
    #[error("the ring's clock has 0 ticks a second; the ring is damaged")]
    Clock,
    /// A region is null or not aligned to 8 bytes, or the cursor region is shorter than 8.
    #[error("a region is null, not 8-aligned or too short; map whole pages")]
    Mapping,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RingHeader {
        RingHeader::new(3, 65_536, [1; 16], [2; 16], &Clock::new(7, 8, 9).unwrap())
    }

    fn check(change: impl FnOnce(&mut RingHeader)) -> Result<Geometry, RingError> {
        let mut header = header();
        change(&mut header);
        RingHeader::read(bytemuck::bytes_of(&header), 4096 + 65_536)
    }

    #[test]
    fn a_header_reads_back() {
        let geometry = check(|_| ()).unwrap();
        assert_eq!((geometry.processor(), geometry.data_bytes()), (3, 65_536));
        assert_eq!((geometry.host_id(), geometry.boot_id()), ([1; 16], [2; 16]));
        assert_eq!(*geometry.clock(), Clock::new(7, 8, 9).unwrap());
    }

    #[test]
    fn each_contradiction_is_named() {
        assert_eq!(check(|h| h.magic[7] = b'X'), Err(RingError::Magic));
        assert_eq!(check(|h| h.version = 2), Err(RingError::Version { version: 2 }));
        assert_eq!(check(|h| h.header_bytes = 0), Err(RingError::HeaderBytes { ring: 0, record: 64 }));
        assert_eq!(
            check(|h| h.record_header_bytes = 72),
            Err(RingError::HeaderBytes { ring: 4096, record: 72 })
        );
        for bytes in [0, 65_535, 2048, 1 << 32, 1 << 63, u64::MAX] {
            assert_eq!(check(|h| h.data_bytes = bytes), Err(RingError::DataBytes { bytes }));
        }
        assert_eq!(check(|h| h.data_bytes = 1 << 17), Err(RingError::Short { bytes: 4096 + 65_536 }));
        assert_eq!(check(|h| h.ticks_per_second = 0), Err(RingError::Clock));
        assert_eq!(RingHeader::read(&[0; 127], 1 << 20), Err(RingError::Short { bytes: 127 }));
    }
}
