//! Memory for a ring inside one process, and its two sides.

#![expect(unsafe_code, reason = "hands a ring the memory it runs over")]

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_pools::{
    Attach, AttachError, Consumer, MAPPING_ALIGNMENT, Memory, Producer, Region, ReserveError, Tag,
};

use crate::heap::Heap;

/// A data region (head, then data from `DATA` on) and a cursor region, as a mapping would have them.
pub(crate) struct RingBytes<'h> {
    data: Region<&'h Heap>,
    cursor: Region<&'h Heap>,
    bytes: usize,
}

/// Where the data begins in its region; the head is at its start.
const DATA: usize = 64;

impl<'h> RingBytes<'h> {
    pub(crate) fn new(heap: &'h Heap, bytes: usize) -> Self {
        let region = |bytes| region(heap, bytes);
        Self { data: region(DATA + bytes), cursor: region(8), bytes }
    }

    pub(crate) fn producer(&self) -> Producer {
        // SAFETY: both regions live until `self` is dropped, which tests do last, and are only used as a ring.
        unsafe {
            Producer::from_raw(self.head_address(), self.cursor_address(), self.data_address(), self.bytes)
        }
        .unwrap()
    }

    pub(crate) fn consumer(&self) -> Consumer {
        self.attach(Attach::Cursor).unwrap()
    }

    pub(crate) fn attach(&self, attach: Attach) -> Result<Consumer, AttachError> {
        // SAFETY: as for `producer`; a producer leaves what is unread alone.
        unsafe {
            Consumer::from_raw(
                self.head_address(),
                self.cursor_address(),
                self.data_address(),
                self.bytes,
                attach,
            )
        }
    }

    /// The word that the reader writes, for playing a reader that is not honest.
    pub(crate) fn cursor(&self) -> &AtomicU64 {
        // SAFETY: aligned, alive, and accessed atomically by everybody.
        unsafe { AtomicU64::from_ptr(self.cursor_address().as_ptr()) }
    }

    /// The word that the producer writes, for playing a producer that is broken.
    pub(crate) fn head(&self) -> &AtomicU64 {
        // SAFETY: aligned, alive, and accessed atomically by everybody.
        unsafe { AtomicU64::from_ptr(self.head_address().as_ptr()) }
    }

    /// Overwrites 8 bytes of data, for playing a producer that is broken.
    pub(crate) fn plant(&self, offset: usize, word: u64) {
        assert!(offset.is_multiple_of(8) && offset < self.bytes);
        // SAFETY: inside the data by the check.
        let word_at = unsafe { self.data_address().add(offset) };
        // SAFETY: aligned and alive; frame headers are accessed atomically.
        unsafe { AtomicU64::from_ptr(word_at.as_ptr().cast()) }.store(word, Ordering::Relaxed);
    }

    pub(crate) fn head_address(&self) -> NonNull<u64> {
        self.data.start().cast()
    }

    pub(crate) fn cursor_address(&self) -> NonNull<u64> {
        self.cursor.start().cast()
    }

    pub(crate) fn data_address(&self) -> NonNull<u8> {
        // SAFETY: the region is `DATA + bytes` long.
        unsafe { self.data.start().add(DATA) }
    }
}

/// Reserves, fills and commits one record of `len` bytes of `fill`.
pub(crate) fn write(producer: &mut Producer, len: usize, fill: u8) -> Result<(), ReserveError> {
    let mut reservation = producer.reserve(len)?;
    reservation.write(0, &vec![fill; len]).unwrap();
    reservation.commit();
    Ok(())
}

/// Reads what is there and returns lengths and first bytes.
pub(crate) fn read(consumer: &mut Consumer) -> Vec<(usize, Option<u8>)> {
    consumer
        .batch()
        .map(|record| record.unwrap())
        .map(|record| (record.len(), record.first().copied()))
        .collect()
}

fn region<M: Memory>(memory: M, bytes: usize) -> Region<M> {
    let layout = Layout::from_size_align(bytes, MAPPING_ALIGNMENT).unwrap();
    Region::new(memory, Tag::new(b"SkTs"), layout).unwrap()
}
