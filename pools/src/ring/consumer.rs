//! The reading side.

// UNSAFETY: lends records out of mapped memory.
#![expect(unsafe_code, reason = "records are lent out of mapped memory")]

use core::ptr::NonNull;
use core::slice;

use super::frame::{FRAME_HEADER, Header, Kind, frame_bytes};
use super::unread::Unread;
use super::{MappedWord, Parts, RingGeometryError};
use crate::cursor::{Attach, BadAttach, BadHead, ConsumerCursor, WaitFor, Word};
use crate::primitive::Ordering;

/// Why a reader could not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The memory cannot be a ring.
    #[error(transparent)]
    Geometry(#[from] RingGeometryError),
    /// The head is no position.
    #[error("the ring's head {0} is not a multiple of 8: this is not a ring, or its writer is broken")]
    Head(u64),
    /// The cursor that the last reader left does not fit the head.
    #[error("the cursor {cursor} left by the last reader does not fit the head {head}: attach at the head")]
    Cursor {
        /// The position found.
        cursor: u64,
        /// The head at that time.
        head: u64,
    },
    /// The position asked for is not between cursor and head.
    #[error("position {position} is not between the ring's cursor {cursor} and its head {head}")]
    Position {
        /// The position asked for.
        position: u64,
        /// The ring's cursor.
        cursor: u64,
        /// The ring's head.
        head: u64,
    },
}

/// What was found does not make sense; the reader stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corrupt {
    /// The head went back, is no multiple of 8, or is further away than the ring is large.
    #[error("the ring's head {head} cannot be, with the reader at {position}: attach again")]
    Head {
        /// The head found.
        head: u64,
        /// Where the reader is.
        position: u64,
    },
    /// A frame header whose length or kind cannot be.
    #[error("no frame begins at position {position} (found {header:#018x}): skip to the head")]
    Frame {
        /// Where the reader is.
        position: u64,
        /// The 8 bytes found.
        header: u64,
    },
}

impl Corrupt {
    fn head(error: BadHead, position: u64) -> Self {
        let BadHead(head) = error;
        Self::Head { head, position }
    }
}

/// The one reader of a ring.
///
/// Records are lent where they lie, until [`release`](Consumer::release) gives their room back:
///
/// ```compile_fail,E0499
/// fn hold(consumer: &mut skua_pools::Consumer) {
///     let record = consumer.next();
///     consumer.release();
///     drop(record);
/// }
/// ```
pub struct Consumer {
    cursor: ConsumerCursor<MappedWord>,
    parts: Parts,
}

/// Where a record lies: `len` bytes of payload, in a frame of `frame` bytes.
pub(super) struct Found {
    pub(super) payload: NonNull<u8>,
    pub(super) len: usize,
    pub(super) frame: u64,
}

impl Consumer {
    /// Begins to read a ring. Nothing is stored before the first release or wait.
    ///
    /// # Errors
    /// [`AttachError`]; with [`Attach::Head`] only for memory that cannot be a ring.
    ///
    /// # Safety
    /// Until the consumer is dropped, `head`, `cursor` and `bytes` bytes at `data` are valid for reads and `cursor` for
    /// writes; in this process nobody accesses the words but atomically, and no other reader uses this ring. Whoever
    /// writes the data leaves what lies between cursor and head alone, as [`Producer`](crate::Producer) does; where
    /// somebody else can move the cursor, and so have it written all the same, nothing is read but through
    /// [`peek`](Consumer::peek). The *contents* are not trusted.
    ///
    /// # IRQL
    /// Any.
    pub unsafe fn from_raw(
        head: NonNull<u64>,
        cursor: NonNull<u64>,
        data: NonNull<u8>,
        bytes: usize,
        attach: Attach,
    ) -> Result<Self, AttachError> {
        let parts = Parts::check(head, cursor, data, bytes)?;
        let cursor = ConsumerCursor::attach(parts.head, parts.cursor, parts.bytes, attach);
        let cursor = cursor.map_err(|error| match error {
            BadAttach::Head(head) => AttachError::Head(head),
            BadAttach::Cursor { cursor, head } => AttachError::Cursor { cursor, head },
            BadAttach::Position { position, cursor, head } => {
                AttachError::Position { position, cursor, head }
            }
        })?;
        Ok(Self { cursor, parts })
    }

    /// The next record, or `None` when everything published was read.
    ///
    /// After [`Corrupt`] the reader stands still: the same error comes again until [`skip`](Consumer::skip).
    ///
    /// # IRQL
    /// Any.
    #[expect(
        clippy::should_implement_trait,
        reason = "lends from the consumer, which Iterator cannot express"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Result<&[u8], Corrupt>> {
        let record = self.advance()?;
        Some(record.map(|(payload, len)| {
            // SAFETY: `advance` found the payload inside what is published; nobody writes it until it is released,
            // which takes `&mut self` and ends this borrow.
            unsafe { slice::from_raw_parts(payload.as_ptr(), len) }
        }))
    }

    /// The next record, without counting it as read; `None` and errors as for [`next`](Consumer::next).
    ///
    /// Nothing is lent: what it is asked for is copied.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn peek(&mut self) -> Option<Result<Unread<'_>, Corrupt>> {
        let found = self.find()?;
        Some(found.map(|found| Unread::new(self, found)))
    }

    /// What is published by now, record by record. All of them can be held until the batch is dropped.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_> {
        Batch { consumer: self, failed: false }
    }

    /// Gives the room of everything read back to the producer.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn release(&mut self) {
        self.cursor.release();
    }

    /// Releases, announces that the reader is about to sleep, and says whether it may.
    ///
    /// On `true`: sleep until woken or until a time-out, then [`cancel_wait`](Consumer::cancel_wait) or read and
    /// release. On `false` what was to be waited for is there, and the announcement is withdrawn; the producer may have
    /// seen it, so a wake can find the reader awake.
    ///
    /// # Errors
    /// [`Corrupt::Head`]; the announcement is withdrawn.
    ///
    /// # IRQL
    /// Any.
    pub fn prepare_wait(&mut self, wait: WaitFor) -> Result<bool, Corrupt> {
        let position = self.cursor.position();
        self.cursor.prepare_wait(wait).map_err(|error| Corrupt::head(error, position))
    }

    /// Withdraws the announcement of a sleep, so that the producer wakes nobody.
    ///
    /// # IRQL
    /// Any.
    pub fn cancel_wait(&mut self) {
        self.cursor.release();
    }

    /// Passes over everything published, and says how many bytes of frames that was: the way on after
    /// [`Corrupt::Frame`].
    ///
    /// # Errors
    /// [`Corrupt::Head`], from which only attaching again leads on.
    ///
    /// # IRQL
    /// Any.
    pub fn skip(&mut self) -> Result<u64, Corrupt> {
        self.refresh()?;
        Ok(self.cursor.skip())
    }

    /// Bytes ever read: what to store for [`Attach::At`].
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// Bytes of data.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.parts.bytes
    }

    /// Bytes published and not read, looking at the head.
    ///
    /// # Errors
    /// [`Corrupt::Head`].
    ///
    /// # IRQL
    /// Any.
    pub fn unread(&mut self) -> Result<u64, Corrupt> {
        self.refresh()?;
        Ok(self.cursor.available())
    }

    /// Counts a frame that [`Consumer::find`] found here as read.
    #[inline]
    pub(super) fn pass(&mut self, frame: u64) {
        self.cursor.advance(frame);
    }

    fn refresh(&mut self) -> Result<(), Corrupt> {
        let position = self.cursor.position();
        self.cursor.refresh().map_err(|error| Corrupt::head(error, position))
    }

    /// Steps over one record, and over a pad before it, and says where its payload lies.
    #[inline]
    fn advance(&mut self) -> Option<Result<(NonNull<u8>, usize), Corrupt>> {
        let found = self.find()?;
        Some(found.map(|Found { payload, len, frame }| {
            self.cursor.advance(frame);
            (payload, len)
        }))
    }

    /// Steps over a pad and says where the record after it has its payload, and how many bytes its frame takes.
    ///
    /// It ends: each pad is part of what is published, which is no more than the ring has.
    #[inline]
    fn find(&mut self) -> Option<Result<Found, Corrupt>> {
        loop {
            if self.cursor.available() == 0 {
                if let Err(corrupt) = self.refresh() {
                    return Some(Err(corrupt));
                }
                if self.cursor.available() == 0 {
                    return None;
                }
            }
            let position = self.cursor.position();
            // Loaded once: what is checked is what is used.
            let word = self.parts.header(position).load(Ordering::Relaxed);
            let Some((header, frame)) = self.check(position, word) else {
                return Some(Err(Corrupt::Frame { position, header: word }));
            };
            if header.kind == Kind::Record {
                // SAFETY: `check` found the whole frame inside the data, header first.
                let payload = unsafe { self.parts.header(position).0.cast::<u8>().add(FRAME_HEADER) };
                return Some(Ok(Found { payload, len: header.len as usize, frame }));
            }
            self.cursor.advance(frame);
        }
    }

    /// The header in `word` and its frame's size, if such a frame can stand at `position`.
    #[inline]
    fn check(&self, position: u64, word: u64) -> Option<(Header, u64)> {
        let header = Header::decode(word)?;
        let frame = frame_bytes(header.len as usize)?;
        let to_end = self.parts.left_from(position);
        let fits = frame <= self.cursor.available() && frame <= to_end;
        let ends = header.kind == Kind::Record || frame == to_end;
        (fits && ends).then_some((header, frame))
    }
}

// SAFETY: the addresses are valid in any thread by the promise given to `from_raw`, and this value alone stores there.
unsafe impl Send for Consumer {}
// SAFETY: `&Consumer` reads this side's own account only.
unsafe impl Sync for Consumer {}

/// The records published, lent together: until the batch and all of them are dropped, nothing is released.
///
/// Iteration ends where nothing more is published, or after one error.
pub struct Batch<'c> {
    consumer: &'c mut Consumer,
    failed: bool,
}

impl<'c> Iterator for Batch<'c> {
    type Item = Result<&'c [u8], Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let record = self.consumer.advance()?;
        self.failed = record.is_err();
        Some(record.map(|(payload, len)| {
            // SAFETY: as in `Consumer::next`; releasing needs the consumer back from this batch, and so from every
            // record it lent.
            unsafe { slice::from_raw_parts(payload.as_ptr(), len) }
        }))
    }
}
