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
    _data: Region,
    _cursor: Region,
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
        // SAFETY: both regions live as long as the reader, which is dropped first. Their words are accessed by the ring's
        // two ends only, atomically. The data is written by the sink's producer, which leaves published records alone.
        let ring = unsafe { RingReader::open(data.start(), data.bytes(), cursor.start(), cursor.bytes()) }?;
        Ok(MappedReader { ring, _data: data, _cursor: cursor })
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
    use skua_pools::Producer;
    use skua_record::{Clock, Family, RingHeader};

    use super::*;
    use crate::sink::specimen;

    const RING_BYTES: usize = 4096;

    #[test]
    fn a_record_crosses_from_one_mapping_to_the_other() {
        let mapping = MappedMemory.create(0, RingHeader::PAGE_BYTES + RING_BYTES, 4096).unwrap();
        let start = MappedMemory::data(&mapping);
        let clock = Clock::new(1, 2, 3).unwrap();
        // SAFETY: the region begins with room for a header, and nobody else has it yet.
        unsafe { start.cast().write(RingHeader::new(9, RING_BYTES as u64, [0; 16], [0; 16], &clock)) };
        // SAFETY: the region has a page before its data, and the head in it.
        let head = unsafe { start.add(RingHeader::HEAD_OFFSET) }.cast();
        // SAFETY: as above.
        let data = unsafe { start.add(RingHeader::PAGE_BYTES) };
        let cursor = MappedMemory::cursor(&mapping).cast();
        // SAFETY: the mapping outlives the producer, which is the only one.
        let mut producer = unsafe { Producer::from_raw(head, cursor, data, RING_BYTES) }.unwrap();
        let mut reader = mapping.attach().unwrap();
        assert_eq!(reader.ring.geometry().processor(), 9);

        for number in 0..100 {
            let frame = specimen::frame(specimen::header(number), Family::V4, b"payload", 7);
            let mut room = producer.reserve(frame.len()).unwrap();
            room.write(0, &frame).unwrap();
            room.commit();
            producer.publish();
            let mut seen = Vec::new();
            reader
                .ring
                .read(u64::MAX, |record, number| seen.push((record.payload().to_vec(), number)))
                .unwrap();
            assert_eq!(seen, [(b"payload".to_vec(), u64::from(number))]);
        }
    }

    #[test]
    fn memory_without_a_ring_is_refused() {
        let mapping = MappedMemory.create(0, RingHeader::PAGE_BYTES + RING_BYTES, 4096).unwrap();
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
