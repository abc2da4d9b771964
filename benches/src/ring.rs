//! A ring whose two ends are in one process.

// UNSAFETY: lays both ends of a ring over one mapping.
#![expect(unsafe_code, reason = "the ends of a ring are made from addresses")]

use crossbeam_utils::CachePadded;
use skua_pools::{Attach, Consumer, OutOfMemory, Producer, SharedMemory};
use skua_record::{CURSOR_BYTES, RingHeader};

use crate::memory::{Regions, SystemMemory};

/// Both ends of a ring and the memory under them.
///
/// # Invariants
/// The ends point into `_regions` and are only lent, so they do not outlive it.
pub struct LocalRing {
    // Apart, as they are in two processes: what each end keeps for itself changes with every record.
    producer: CachePadded<Producer>,
    consumer: CachePadded<Consumer>,
    _regions: Regions,
}

impl LocalRing {
    /// An empty ring of `bytes` bytes of data, laid out as a sink does it: the head in a page before the data, the
    /// cursor in a region of its own.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// For a size that no ring has.
    pub fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        let regions = SystemMemory.create(0, RingHeader::PAGE_BYTES + bytes, CURSOR_BYTES)?;
        let page = SystemMemory::data(&regions);
        let cursor = SystemMemory::cursor(&regions).cast();
        // SAFETY: inside the page before the data.
        let head = unsafe { page.add(RingHeader::HEAD_OFFSET) }.cast();
        // SAFETY: the region is one page and the data.
        let data = unsafe { page.add(RingHeader::PAGE_BYTES) };
        // SAFETY: the regions live as long as the ends, and nobody else has them.
        let producer = unsafe { Producer::from_raw(head, cursor, data, bytes) };
        // SAFETY: as above; the producer is the only writer.
        let consumer = unsafe { Consumer::from_raw(head, cursor, data, bytes, Attach::Cursor) };
        let (producer, consumer) = (producer.expect("a ring's size"), consumer.expect("an empty ring"));
        Ok(Self { producer: producer.into(), consumer: consumer.into(), _regions: regions })
    }

    /// The writing and the reading end.
    pub fn ends(&mut self) -> (&mut Producer, &mut Consumer) {
        (&mut self.producer, &mut self.consumer)
    }
}
