//! A record that is copied instead of lent.

// UNSAFETY: copies out of mapped memory by address.
#![expect(unsafe_code, reason = "records are copied out of mapped memory")]

use core::ptr;

use super::consumer::{Consumer, Found};

/// The next record of a ring, before it counts as read. Dropping it leaves it the next.
///
/// # Invariants
/// `found` lies in the ring's data, where the consumer stands.
pub struct Unread<'c> {
    consumer: &'c mut Consumer,
    found: Found,
}

/// A read that does not lie inside its record. Nothing was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the read ends outside of the record")]
pub struct OutsideRecord;

impl<'c> Unread<'c> {
    #[inline]
    pub(super) fn new(consumer: &'c mut Consumer, found: Found) -> Self {
        Self { consumer, found }
    }

    /// Bytes of payload.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "the record's length, not a collection's")]
    pub fn len(&self) -> usize {
        self.found.len
    }

    /// Fills `to` with the payload from `offset` on.
    ///
    /// # Errors
    /// [`OutsideRecord`] if there is less.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn copy_to(&self, offset: usize, to: &mut [u8]) -> Result<(), OutsideRecord> {
        // SAFETY: a slice is valid for writes of its length, and is no ring.
        unsafe { self.copy_to_ptr(offset, to.as_mut_ptr(), to.len()) }
    }

    /// Copies `bytes` of the payload from `offset` on. If the frame is written meanwhile, the copy holds some of either.
    ///
    /// # Errors
    /// [`OutsideRecord`] if there are fewer.
    ///
    /// # Safety
    /// `to` is valid for writes of `bytes` and does not overlap the ring. Others may change it meanwhile only from
    /// outside of the program.
    ///
    /// # IRQL
    /// Any at which `to` may be written.
    #[inline]
    pub unsafe fn copy_to_ptr(&self, offset: usize, to: *mut u8, bytes: usize) -> Result<(), OutsideRecord> {
        let end = offset.checked_add(bytes).ok_or(OutsideRecord)?;
        if end > self.found.len {
            return Err(OutsideRecord);
        }
        // SAFETY: `offset` is at most `len`, and all of the payload lies in the data.
        let from = unsafe { self.found.payload.add(offset) };
        // SAFETY: the target is writable by the caller's promise, the source lies in the data, and they do not overlap.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, bytes) };
        Ok(())
    }

    /// Counts it as read. Its room is given back by the next release.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn take(self) {
        self.consumer.pass(self.found.frame);
    }
}
