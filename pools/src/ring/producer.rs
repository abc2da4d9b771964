//! The writing side.

// UNSAFETY: writes records into mapped memory by address.
#![expect(unsafe_code, reason = "records are written into mapped memory by address")]

use core::ptr::{self, NonNull};

use super::frame::{FRAME_HEADER, Header, Kind, frame_bytes};
use super::{FRAME_SHARE, MappedWord, Parts, RingGeometryError};
use crate::cursor::{ProducerCursor, Word};
use crate::primitive::Ordering;

/// Why no room was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// The reader has not released enough.
    #[error("the ring is full: the reader is behind by more than its size")]
    Full,
    /// The payload exceeds [`largest_payload`](crate::largest_payload) and never fits.
    #[error("{0} bytes exceed a quarter of the ring: enlarge the ring or capture less")]
    TooLarge(usize),
}

/// A write that does not lie inside its reservation. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the write ends outside of the reserved payload")]
pub struct OutsideReservation;

/// The one writer of a ring.
///
/// # Invariants
/// Bytes are written only into what is free by this side's own account.
pub struct Producer {
    cursor: ProducerCursor<MappedWord>,
    parts: Parts,
}

impl Producer {
    /// Starts an empty ring; stores 0 to `head` and expects the cursor to start at 0.
    ///
    /// # Errors
    /// [`RingGeometryError`] for a size or an address that no ring has.
    ///
    /// # Safety
    /// Until the producer is dropped, `head`, `cursor` and `bytes` bytes at `data` are valid, disjoint and resident
    /// if it is used above APC_LEVEL; nobody else writes `head` or the data; in this process nobody accesses the
    /// words but atomically, nor data that is not published. What another process does to `cursor` is harmless.
    ///
    /// # IRQL
    /// Any; meant for open.
    pub unsafe fn from_raw(
        head: NonNull<u64>,
        cursor: NonNull<u64>,
        data: NonNull<u8>,
        bytes: usize,
    ) -> Result<Self, RingGeometryError> {
        let parts = Parts::check(head, cursor, data, bytes)?;
        Ok(Self { cursor: ProducerCursor::new(parts.head, parts.cursor, parts.bytes), parts })
    }

    /// Room for one record of `len` bytes. Several can be reserved and committed before one
    /// [`publish`](Producer::publish).
    ///
    /// # Errors
    /// [`ReserveError::Full`] until the reader has released more, [`ReserveError::TooLarge`] for ever.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn reserve(&mut self, len: usize) -> Result<Reservation<'_>, ReserveError> {
        let frame = frame_bytes(len).filter(|frame| *frame <= self.parts.bytes / FRAME_SHARE as u64);
        let Some(frame) = frame else { return Err(ReserveError::TooLarge(len)) };
        let to_end = self.parts.left_from(self.cursor.tail());
        let pad = if frame <= to_end { 0 } else { to_end };
        if !self.cursor.has_room(pad + frame) {
            return Err(ReserveError::Full);
        }
        if pad != 0 {
            self.write_header(self.cursor.tail(), pad - FRAME_HEADER as u64, Kind::Pad);
        }
        let at = self.cursor.tail() + pad;
        self.write_header(at, len as u64, Kind::Record);
        // SAFETY: the frame is contiguous and lies in the data, header first.
        let payload = unsafe { self.parts.header(at).0.cast::<u8>().add(FRAME_HEADER) };
        Ok(Reservation { payload, len, bytes: pad + frame, producer: self })
    }

    /// Shows the reader every record committed, by one store.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn publish(&mut self) {
        self.cursor.publish();
    }

    /// Whether to wake the reader: it sleeps for any record, or for `watermark` unread bytes that are there, and was
    /// not told in this sleep. One fence and one load; asked once after each [`publish`](Producer::publish).
    ///
    /// # IRQL
    /// Any.
    #[inline]
    #[must_use = "this sleep of the reader is counted as ended once true is returned"]
    pub fn wake_needed(&mut self, watermark: u64) -> bool {
        self.cursor.wake_needed(watermark)
    }

    /// Looks at the reader's cursor, so that [`used`](Producer::used) and [`free`](Producer::free) are of now.
    ///
    /// # IRQL
    /// Any.
    pub fn refresh(&mut self) {
        self.cursor.refresh();
    }

    /// Bytes of data.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.parts.bytes
    }

    /// Bytes in use, headers, padding and unpublished records included, by the last look at the cursor.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.cursor.used()
    }

    /// Bytes free, by the last look at the cursor.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.parts.bytes - self.cursor.used()
    }

    /// How often the cursor was found holding what no honest reader stores: outside of the last accepted position
    /// and the head, or not a multiple of 8. Above 0 the reader is faulty; its last good position stays in force.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn reader_faults(&self) -> u64 {
        self.cursor.faults()
    }

    #[inline]
    fn write_header(&self, position: u64, len: u64, kind: Kind) {
        #[expect(clippy::cast_possible_truncation, reason = "at most a quarter of RING_MAX_BYTES")]
        let header = Header { len: len as u32, kind };
        // Relaxed: published with the head.
        self.parts.header(position).store(header.encode(), Ordering::Relaxed);
    }
}

// SAFETY: the addresses are valid in any thread by the promise given to `from_raw`, and this value alone writes there.
unsafe impl Send for Producer {}
// SAFETY: `&Producer` reads this side's own account only.
unsafe impl Sync for Producer {}

/// Room for one record. [`commit`](Reservation::commit) makes it part of the next publish; dropping it gives the
/// room back.
///
/// Bytes that are not written hold what an earlier record left there, or 0.
///
/// # Invariants
/// `len` bytes at `payload` lie in the ring, free and unpublished.
pub struct Reservation<'p> {
    producer: &'p mut Producer,
    payload: NonNull<u8>,
    len: usize,
    /// What the tail moves by: pad, header, payload, padding.
    bytes: u64,
}

impl Reservation<'_> {
    /// Copies `bytes` to `offset` in the payload.
    ///
    /// # Errors
    /// [`OutsideReservation`] if they do not fit there.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), OutsideReservation> {
        // SAFETY: a slice is valid for reads of its length.
        unsafe { self.copy_from(offset, NonNull::from_ref(bytes).cast(), bytes.len()) }
    }

    /// Copies `len` bytes from memory that is not ours alone to `offset` in the payload.
    ///
    /// # Errors
    /// [`OutsideReservation`] if they do not fit there.
    ///
    /// # Safety
    /// `source` is valid for reads of `len` bytes and does not overlap the ring. Others may change the bytes
    /// meanwhile only from outside of the program (a device, another process); then the copy holds some of either.
    ///
    /// # IRQL
    /// Any at which `source` may be read.
    #[inline]
    pub unsafe fn copy_from(
        &mut self,
        offset: usize,
        source: NonNull<u8>,
        len: usize,
    ) -> Result<(), OutsideReservation> {
        let end = offset.checked_add(len).ok_or(OutsideReservation)?;
        if end > self.len {
            return Err(OutsideReservation);
        }
        // SAFETY: `offset <= self.len`, which lies in the reserved payload.
        let target = unsafe { self.payload.add(offset) };
        // SAFETY: the source is readable by the caller's promise, the target is reserved for `len` bytes, and they
        // do not overlap.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), target.as_ptr(), len) };
        Ok(())
    }

    /// The payload's first byte, 8-aligned, for writing [`len`](Reservation::len) bytes. Write through it, never
    /// read and never form a reference: a reader has the memory mapped.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.payload.as_ptr()
    }

    /// Bytes of payload.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "the length asked for, not a collection's")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Makes the record part of the next [`Producer::publish`].
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn commit(self) {
        self.producer.cursor.advance(self.bytes);
    }
}
