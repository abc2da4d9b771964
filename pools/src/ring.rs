//! A ring of variable-size records from one producer to one reader, over bytes that two protection domains map.
//!
//! ```text
//!  data region: the reader maps it read-only              cursor region: the reader maps it read-write
//! +------+-- - - --+--------------------------------+    +--------+
//! | head | (other) | data, a power of two of bytes  |    | cursor |
//! +------+-- - - --+--------------------------------+    +--------+
//!
//!  data, 8-byte units:           offset = position mod bytes
//! 0                  cursor                        head                         bytes
//! +------------------+-----------+-----------------+----------------------------+
//! |       free       | frame     | frame | frame   |            free            |
//! +------------------+-----------+-----------------+----------------------------+
//!
//!  frame:  +----------+-----------+---------------------------+-------------+
//!          | len: u32 | kind: u32 | payload, len bytes        | to 8 bytes  |
//!          +----------+-----------+---------------------------+-------------+
//!           kind 0: pad, reaches exactly to the end of the data     kind 1: record
//! ```
//!
//! A payload is always contiguous: a frame that would run over the end is put at offset 0 and a pad fills the rest. A
//! frame takes at most a quarter of the data, so an empty ring takes any frame wherever its head stands.
//!
//! The producer is trusted by nobody it writes for and trusts nobody: it reads back the cursor only, one atomic load at
//! a time, and writes only where its own account says that there is room. The reader checks every length against the
//! head before it looks at a payload.

// UNSAFETY: the two words lie in mapped memory, which is reached by address.
#![expect(unsafe_code, reason = "words in mapped memory are reached by address")]

mod consumer;
mod frame;
mod producer;
mod unread;

pub use consumer::{AttachError, Batch, Consumer, Corrupt};
pub use frame::FRAME_HEADER;
pub use producer::{OutsideReservation, Producer, Reservation, ReserveError};
pub use unread::{OutsideRecord, Unread};

use core::ptr::NonNull;

use crate::cursor::Word;
use crate::primitive::{Ordering, PlainAtomicU64};

/// The least data a ring can have, in bytes.
pub const RING_MIN_BYTES: usize = 4096;

/// The most data a ring can have, in bytes.
pub const RING_MAX_BYTES: usize = 1 << 31;

/// What of a ring's data one frame may take at most: a quarter.
const FRAME_SHARE: usize = 4;

/// Why memory cannot be a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingGeometryError {
    /// The data's size is not a power of two between [`RING_MIN_BYTES`] and [`RING_MAX_BYTES`].
    #[error("a ring has a power of two of data bytes from 4096 to 2147483648, not {0}")]
    Size(usize),
    /// An address is not a multiple of 8.
    #[error("the ring's head, cursor and data must lie at multiples of 8, and one lies at {0:#x}")]
    Misaligned(usize),
}

/// The largest payload that a ring of `data_bytes` takes, in bytes; 0 for a size that no ring has.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn largest_payload(data_bytes: usize) -> usize {
    if check_size(data_bytes).is_err() { 0 } else { data_bytes / FRAME_SHARE - FRAME_HEADER }
}

/// What `from_raw` gets of a ring, checked.
///
/// # Invariants
/// The addresses are multiples of 8 and, by the promise given to `from_raw`, valid for the ring's life; `bytes` is a
/// power of two within the limits.
#[derive(Clone, Copy)]
struct Parts {
    head: MappedWord,
    cursor: MappedWord,
    data: NonNull<u8>,
    bytes: u64,
}

impl Parts {
    fn check(
        head: NonNull<u64>,
        cursor: NonNull<u64>,
        data: NonNull<u8>,
        bytes: usize,
    ) -> Result<Self, RingGeometryError> {
        check_size(bytes)?;
        for address in [head.addr(), cursor.addr(), data.addr()] {
            if !address.get().is_multiple_of(size_of::<u64>()) {
                return Err(RingGeometryError::Misaligned(address.get()));
            }
        }
        Ok(Self { head: MappedWord(head), cursor: MappedWord(cursor), data, bytes: bytes as u64 })
    }

    /// Where in the data a position lies; below `bytes`.
    #[inline]
    fn offset(&self, position: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below bytes, which came from a usize")]
        let offset = (position & (self.bytes - 1)) as usize;
        offset
    }

    /// Bytes from a position to the end of the data; at least 8 for a multiple of 8.
    #[inline]
    fn left_from(&self, position: u64) -> u64 {
        self.bytes - (position & (self.bytes - 1))
    }

    /// The frame header at a position, a multiple of 8.
    #[inline]
    fn header(&self, position: u64) -> MappedWord {
        // SAFETY: the offset is below `bytes`, which the data region has.
        let header = unsafe { self.data.add(self.offset(position)) };
        MappedWord(header.cast())
    }
}

const fn check_size(bytes: usize) -> Result<(), RingGeometryError> {
    if bytes.is_power_of_two() && bytes >= RING_MIN_BYTES && bytes <= RING_MAX_BYTES {
        Ok(())
    } else {
        Err(RingGeometryError::Size(bytes))
    }
}

/// A word in mapped memory.
///
/// # Invariants
/// The address is a multiple of 8 and valid for atomic access while the ring's part that holds it lives; whoever
/// shares the memory accesses it atomically too, or is another process.
#[derive(Clone, Copy)]
struct MappedWord(NonNull<u64>);

impl MappedWord {
    #[inline]
    fn atomic(&self) -> &PlainAtomicU64 {
        // SAFETY: aligned, valid and accessed atomically, by this type's invariant; `&self` does not outlive the part.
        unsafe { PlainAtomicU64::from_ptr(self.0.as_ptr()) }
    }
}

impl Word for MappedWord {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.atomic().load(order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.atomic().store(value, order);
    }
}
