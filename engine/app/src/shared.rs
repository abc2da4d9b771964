//! The memory that rings lie in, mapped once for the writer and once for the reader.
//!
//! On Linux each region is a memfd. The writer maps it for writing; the reader maps the data without write access and
//! the cursor with it, at other addresses: a reader that writes where it must not ends with a fault, and one that
//! relies on the writer's addresses does not work. Elsewhere both ends have the same plain memory.

// UNSAFETY: maps memory and lends its addresses.
#![expect(unsafe_code, reason = "regions are mapped and lent by address")]

use std::io;
use std::ptr::NonNull;

use skua_pools::{OutOfMemory, SharedMemory, Tag};
use skua_record::{OpenError, RingReader};

use region::Region;

#[cfg(target_os = "linux")]
#[path = "shared/memfd.rs"]
mod region;
#[cfg(not(target_os = "linux"))]
#[path = "shared/plain.rs"]
mod region;

const TAG: Tag = Tag::new(b"SkMf");

/// Hands out regions that a reader in this process maps anew.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MappedMemory;

/// The writer's side of one ring.
#[derive(Debug)]
pub(crate) struct Mapping {
    data: Region,
    cursor: Region,
}

/// A reader with its own mapping of a ring.
pub(crate) struct MappedReader {
    // Dropped first: it reads the regions.
    pub(crate) ring: RingReader,
    _regions: Box<dyn Send>,
}

/// Why a reader could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AttachError {
    /// The regions could not be mapped.
    #[error("the ring could not be mapped for reading: {0}; lower --ring or --workers")]
    Map(#[from] io::Error),
    /// What is mapped is no ring.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Mapping {
    /// Maps the ring for its reader. There must be one at a time: two would take records from each other.
    ///
    /// # Errors
    /// [`AttachError`] when the system has no mapping to give, or no ring was written yet.
    pub(crate) fn attach(&self) -> Result<MappedReader, AttachError> {
        let data = self.data.for_reading()?;
        let cursor = self.cursor.for_writing()?;
        let (data_place, cursor_place) = ((data.start(), data.bytes()), (cursor.start(), cursor.bytes()));
        // SAFETY: both regions are the reader's. Their words are accessed by the ring's two ends only, atomically. The data
        // is written by the sink's producer, which leaves published records alone.
        let reader = unsafe { MappedReader::open(data_place, cursor_place, Box::new((data, cursor))) }?;
        Ok(reader)
    }
}

impl MappedReader {
    /// Opens the ring whose data and cursor regions lie at these addresses and have so many bytes. `regions` keeps them
    /// there.
    ///
    /// # Errors
    /// As [`RingReader::open`].
    ///
    /// # Safety
    /// As for [`RingReader::open`], for as long as `regions` lives.
    pub(crate) unsafe fn open(
        data: (NonNull<u8>, usize),
        cursor: (NonNull<u8>, usize),
        regions: Box<dyn Send>,
    ) -> Result<Self, OpenError> {
        // SAFETY: the caller's promise; the regions are dropped after the reader.
        let ring = unsafe { RingReader::open(data.0, data.1, cursor.0, cursor.1) }?;
        Ok(Self { ring, _regions: regions })
    }
}

// SAFETY: regions are page-aligned, zeroed, disjoint, as long as asked, stay where they are until they are dropped, and
// the reader has mappings (or a count) of its own. Pages are the process's, so they are there at every level it knows.
unsafe impl SharedMemory for MappedMemory {
    type Mapping = Mapping;

    fn create(&self, _shard: u32, data_bytes: usize, cursor_bytes: usize) -> Result<Mapping, OutOfMemory> {
        let region = |bytes| Region::new(bytes).map_err(|_| OutOfMemory { bytes, tag: TAG });
        Ok(Mapping { data: region(data_bytes)?, cursor: region(cursor_bytes)? })
    }

    fn data(mapping: &Mapping) -> NonNull<u8> {
        mapping.data.start()
    }

    fn cursor(mapping: &Mapping) -> NonNull<u8> {
        mapping.cursor.start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::specimen;

    #[test]
    fn a_record_crosses_from_one_mapping_to_the_other() {
        let mut ring = specimen::Ring::new(9, 4096);
        let mut reader = ring.mapping.attach().unwrap();
        assert_eq!(reader.ring.geometry().processor(), 9);
        for number in 0..100 {
            ring.publish(&[number], 0);
            let mut seen = Vec::new();
            let visit =
                |record: &skua_record::Record<'_>, number| seen.push((record.payload().to_vec(), number));
            reader.ring.read(u64::MAX, visit).unwrap();
            assert_eq!(seen, [(b"payload".to_vec(), number)]);
        }
    }

    #[test]
    fn memory_without_a_ring_is_refused() {
        let mapping = MappedMemory.create(0, 8192, 4096).unwrap();
        assert!(matches!(mapping.attach(), Err(AttachError::Open(_))));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_two_ends_have_addresses_of_their_own() {
        let region = Region::new(8192).unwrap();
        let reading = region.for_reading().unwrap();
        assert_ne!(region.start(), reading.start());
    }
}
