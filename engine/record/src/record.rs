//! A header and its captured bytes, checked.

use skua_pools::FRAME_HEADER;

use crate::header::{Family, RecordFlags, RecordHeader};

/// One datagram as the sink stored it.
///
/// # Invariants
/// The header is of this layout's version, its family is 4 or 6, `payload` has `captured` bytes, `captured` is at most
/// `original`, and the record is marked truncated exactly when it is less. [`Record::parse`] is the only way to make
/// one.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    header: RecordHeader,
    family: Family,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Checks one frame of a ring.
    ///
    /// The header is copied out before it is checked, so that what was checked is what is used, whoever else can
    /// write to the frame.
    ///
    /// # Errors
    /// [`RecordError`] says what does not hold; nothing is trusted, and nothing panics on any bytes.
    #[inline]
    pub fn parse(frame: &'a [u8]) -> Result<Self, RecordError> {
        let Some((bytes, payload)) = frame.split_first_chunk::<{ RecordHeader::BYTES }>() else {
            return Err(RecordError::Short { bytes: frame.len() });
        };
        let header: RecordHeader = bytemuck::pod_read_unaligned(bytes);
        let family = header.check(payload.len())?;
        Ok(Self { header, family, payload })
    }

    /// Checks the record that `bytes` begin with; what follows it is somebody else's.
    ///
    /// # Errors
    /// As for [`Record::parse`].
    pub(crate) fn parse_first(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let Some((first, rest)) = bytes.split_first_chunk::<{ RecordHeader::BYTES }>() else {
            return Err(RecordError::Short { bytes: bytes.len() });
        };
        let header: RecordHeader = bytemuck::pod_read_unaligned(first);
        let payload = rest.get(..usize::from(header.captured)).unwrap_or(rest);
        let family = header.check(payload.len())?;
        Ok(Self { header, family, payload })
    }

    /// The header.
    #[inline]
    #[must_use]
    pub const fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The IP version it arrived over.
    #[inline]
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The captured bytes: the whole payload, unless the record is truncated.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes that the record takes in a ring: frame header, record header, captured bytes, padding.
    #[inline]
    #[must_use]
    pub const fn ring_bytes(&self) -> u64 {
        Self::ring_bytes_of(self.header.captured)
    }

    /// The same for any record of `captured` bytes.
    #[inline]
    #[must_use]
    pub const fn ring_bytes_of(captured: u16) -> u64 {
        (FRAME_HEADER as u64 + RecordHeader::BYTES as u64 + captured as u64).next_multiple_of(8)
    }

    /// Bytes that a record of `captured` bytes takes in a buffer of a [`PackedReader`](crate::PackedReader): header,
    /// captured bytes, padding to 8.
    #[inline]
    #[must_use]
    pub const fn packed_bytes_of(captured: u16) -> usize {
        (RecordHeader::BYTES + captured as usize).next_multiple_of(8)
    }

    /// Whether fewer bytes were captured than came.
    #[inline]
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.header.captured < self.header.original
    }
}

impl RecordHeader {
    /// Checks the header of a record that has `payload` bytes after it.
    #[inline]
    pub(crate) fn check(&self, payload: usize) -> Result<Family, RecordError> {
        if self.version() != Self::VERSION {
            return Err(RecordError::Version { version: self.version() });
        }
        let Some(family) = self.family() else {
            return Err(RecordError::Family { family: self.form & 0xf });
        };
        if usize::from(self.captured) != payload {
            return Err(RecordError::Length { captured: self.captured, bytes: payload });
        }
        let truncated = self.record_flags().contains(RecordFlags::TRUNCATED);
        if self.captured > self.original || truncated != (self.captured < self.original) {
            return Err(RecordError::Truncation { captured: self.captured, original: self.original });
        }
        Ok(family)
    }
}

/// Why a frame holds no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is shorter than a header.
    #[error("a frame of {bytes} bytes is shorter than a record header; the ring was not written by a sink")]
    Short {
        /// Bytes of the frame.
        bytes: usize,
    },
    /// It is laid out in another version.
    #[error(
        "the record is of version {version}, this reader knows version 1; use the reader of the sink's release"
    )]
    Version {
        /// The version it says.
        version: u8,
    },
    /// It names an IP version that does not exist.
    #[error("the record says IP version {family}; the ring is damaged")]
    Family {
        /// The version it says.
        family: u8,
    },
    /// Header and frame disagree about the captured bytes.
    #[error("the record says {captured} captured bytes and its frame holds {bytes}; the ring is damaged")]
    Length {
        /// What the header says.
        captured: u16,
        /// What follows the header.
        bytes: usize,
    },
    /// More was captured than came, or the truncation mark contradicts the lengths.
    #[error("the record says {captured} of {original} bytes and marks the contrary; the ring is damaged")]
    Truncation {
        /// Captured bytes.
        captured: u16,
        /// Bytes that came.
        original: u16,
    },
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    fn frame(header: RecordHeader, payload: &[u8]) -> ([u8; 128], usize) {
        let mut bytes = [0; 128];
        bytes[..64].copy_from_slice(bytemuck::bytes_of(&header));
        bytes[64..64 + payload.len()].copy_from_slice(payload);
        (bytes, 64 + payload.len())
    }

    fn check(change: impl FnOnce(&mut RecordHeader)) -> Result<(), RecordError> {
        let mut header =
            RecordHeader { original: 3, captured: 3, form: Family::V6.form(), ..RecordHeader::zeroed() };
        change(&mut header);
        let (bytes, length) = frame(header, b"abc");
        Record::parse(&bytes[..length]).map(|record| assert_eq!(record.payload(), b"abc"))
    }

    #[test]
    fn a_whole_record_is_taken() {
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|h| (h.original, h.flags) = (9, 1)), Ok(()));
        assert_eq!(check(|h| h.flags = 0x80), Ok(()), "flags of a later release are not an error");
    }

    #[test]
    fn each_contradiction_is_named() {
        assert_eq!(check(|h| h.form = 0x24), Err(RecordError::Version { version: 2 }));
        assert_eq!(check(|h| h.form = 0x15), Err(RecordError::Family { family: 5 }));
        assert_eq!(check(|h| h.captured = 4), Err(RecordError::Length { captured: 4, bytes: 3 }));
        assert_eq!(check(|h| h.original = 2), Err(RecordError::Truncation { captured: 3, original: 2 }));
        assert_eq!(check(|h| h.original = 4), Err(RecordError::Truncation { captured: 3, original: 4 }));
        assert_eq!(check(|h| h.flags = 1), Err(RecordError::Truncation { captured: 3, original: 3 }));
        assert_eq!(Record::parse(&[0; 63]).unwrap_err(), RecordError::Short { bytes: 63 });
    }
}
