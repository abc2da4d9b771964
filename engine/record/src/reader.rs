//! The reading end of one ring.

// UNSAFETY: a ring lies in memory that was mapped from outside; opening it takes the caller's word for the mapping.
#![expect(unsafe_code, reason = "a ring is opened over mapped memory")]

use core::ptr::{self, NonNull};

use skua_pools::{Attach, AttachError, Batch, Consumer, Corrupt, WaitFor};

use crate::record::Record;
use crate::ring_header::{CURSOR_BYTES, Geometry, RingError, RingHeader};
use crate::sequence::{Continuity, Sequence};

/// Takes records out of one ring.
///
/// The ring's bytes come from somewhere else and are not believed: whatever is there, reading ends with a record that
/// was checked, with a count, or with an error.
pub struct RingReader {
    consumer: Consumer,
    geometry: Geometry,
    sequence: Sequence,
    damage: Damage,
}

/// What could not be read, since the reader was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Damage {
    /// Frames that held no record; each was passed over.
    pub records: u64,
    /// Bytes passed over because no frame began where one had to.
    pub bytes: u64,
    /// Cursors of a reader before that could not be, so that reading began at the head. How much was passed over is not
    /// known; the records' numbers tell.
    pub cursors: u64,
}

/// What one call of [`RingReader::read`] handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Records handed out.
    pub records: u64,
    /// Captured bytes of those.
    pub bytes: u64,
    /// Whether the limit ended it, and there may be more to read at once.
    pub limited: bool,
}

impl Progress {
    pub(crate) fn count(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.bytes += record.payload().len() as u64;
    }
}

impl RingReader {
    /// Opens the ring whose data region has `data_bytes` at `data`, and whose cursor region is at `cursor`, where the
    /// reader before left off.
    ///
    /// # Errors
    /// [`OpenError`] when the memory holds no ring of this version, or the reader before left it damaged.
    ///
    /// # Safety
    /// Until the reader is dropped, `data` is valid for reads of `data_bytes`, and `cursor` for reads and writes of
    /// [`CURSOR_BYTES`]; in this process nobody accesses the head and the cursor but atomically, and no other reader
    /// uses the ring. Whoever writes the data leaves alone what is published and not given back, as
    /// [`skua_pools::Producer`] does. The contents are not trusted.
    pub unsafe fn open(
        data: NonNull<u8>,
        data_bytes: usize,
        cursor: NonNull<u8>,
        cursor_bytes: usize,
    ) -> Result<Self, OpenError> {
        // SAFETY: the caller's promise.
        let (consumer, geometry) = unsafe { attach(data, data_bytes, cursor, cursor_bytes, Attach::Cursor) }?;
        Ok(Self { consumer, geometry, sequence: Sequence::new(), damage: Damage::default() })
    }

    /// The same, but where the reader before left a cursor that cannot be, reading begins at the head: what is unread is
    /// lost, and [`Damage::cursors`] counts it.
    ///
    /// # Errors
    /// [`OpenError`] when the memory holds no ring of this version.
    ///
    /// # Safety
    /// As for [`RingReader::open`].
    pub unsafe fn recover(
        data: NonNull<u8>,
        data_bytes: usize,
        cursor: NonNull<u8>,
        cursor_bytes: usize,
    ) -> Result<Self, OpenError> {
        // SAFETY: the caller's promise.
        let (consumer, geometry, damage) = unsafe { recover(data, data_bytes, cursor, cursor_bytes) }?;
        Ok(Self { consumer, geometry, sequence: Sequence::new(), damage })
    }

    /// What the ring's header says.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Hands out the records that are published by now, each with its number extended to 64 bits, and gives their room
    /// back to the writer. Stops early after the record with which `limit` bytes of the ring were read, so that room
    /// is given back in portions; a limit of 0 reads one record.
    ///
    /// A frame that holds no record is passed over and counted in [`RingReader::damage`]; where frames cannot be told
    /// apart any more, so is everything published by then.
    ///
    /// # Errors
    /// [`Corrupt::Head`] when the ring's head cannot be: nothing more can be read from this ring.
    #[inline]
    pub fn read(&mut self, limit: u64, mut visit: impl FnMut(&Record<'_>, u64)) -> Result<Progress, Corrupt> {
        let start = self.consumer.position();
        let mut progress = Progress::default();
        while let Some(frame) = self.consumer.next() {
            match frame {
                Ok(frame) => match Record::parse(frame) {
                    Ok(record) => {
                        let number = self.sequence.follow(record.header().sequence);
                        visit(&record, number);
                        progress.count(&record);
                    }
                    Err(_) => self.damage.records += 1,
                },
                Err(Corrupt::Frame { .. }) => self.damage.bytes += self.consumer.skip()?,
                Err(corrupt) => return Err(corrupt),
            }
            if self.consumer.position() - start >= limit {
                progress.limited = true;
                break;
            }
        }
        self.consumer.release();
        Ok(progress)
    }

    /// Gives the room of everything read back to the writer. [`RingReader::read`] does so by itself; a
    /// [`merge`](crate::merge()) does not.
    pub fn release(&mut self) {
        self.consumer.release();
    }

    /// What a lane of a merge needs at the same time.
    pub(crate) fn parts(&mut self) -> (Batch<'_>, &mut Sequence, &mut Damage) {
        (self.consumer.batch(), &mut self.sequence, &mut self.damage)
    }

    /// Announces that the reader is about to sleep for `wait`, and says whether it may: see
    /// [`Consumer::prepare_wait`]. After the sleep, [`RingReader::read`] or [`RingReader::cancel_wait`].
    ///
    /// # Errors
    /// As [`RingReader::read`].
    pub fn prepare_wait(&mut self, wait: WaitFor) -> Result<bool, Corrupt> {
        self.consumer.prepare_wait(wait)
    }

    /// Withdraws the announcement of a sleep.
    pub fn cancel_wait(&mut self) {
        self.consumer.cancel_wait();
    }

    /// Bytes of the ring that are published and not read.
    ///
    /// # Errors
    /// As [`RingReader::read`].
    pub fn unread(&mut self) -> Result<u64, Corrupt> {
        self.consumer.unread()
    }

    /// Bytes of the ring ever read: frames and padding.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.consumer.position()
    }

    /// What the records' numbers prove so far.
    #[must_use]
    pub const fn continuity(&self) -> Continuity {
        self.sequence.continuity()
    }

    /// What could not be read so far.
    #[must_use]
    pub const fn damage(&self) -> Damage {
        self.damage
    }
}

/// Why a ring could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The region holds no ring that this reader can read.
    #[error(transparent)]
    Header(#[from] RingError),
    /// Head and cursor do not make sense together.
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// Attaches to a ring, or at its head where the reader before left a cursor that cannot be.
///
/// # Safety
/// As for [`RingReader::open`], or the ring is read through [`Consumer::peek`] alone.
pub(crate) unsafe fn recover(
    data: NonNull<u8>,
    data_bytes: usize,
    cursor: NonNull<u8>,
    cursor_bytes: usize,
) -> Result<(Consumer, Geometry, Damage), OpenError> {
    // SAFETY: the caller's promise.
    let attached = unsafe { attach(data, data_bytes, cursor, cursor_bytes, Attach::Cursor) };
    if let Err(OpenError::Attach(AttachError::Cursor { .. })) = attached {
        // SAFETY: the caller's promise.
        let (mut consumer, geometry) =
            unsafe { attach(data, data_bytes, cursor, cursor_bytes, Attach::Head) }?;
        // The writer, and whoever attaches next, find a cursor that can be.
        consumer.release();
        return Ok((consumer, geometry, Damage { cursors: 1, ..Damage::default() }));
    }
    attached.map(|(consumer, geometry)| (consumer, geometry, Damage::default()))
}

/// Checks the ring's header and attaches.
///
/// # Safety
/// As for [`recover`].
unsafe fn attach(
    data: NonNull<u8>,
    data_bytes: usize,
    cursor: NonNull<u8>,
    cursor_bytes: usize,
    at: Attach,
) -> Result<(Consumer, Geometry), OpenError> {
    if data_bytes < RingHeader::PAGE_BYTES || cursor_bytes < CURSOR_BYTES {
        return Err(RingError::Mapping.into());
    }
    let mut header = [0; RingHeader::BYTES];
    // SAFETY: the region is readable and longer than a header, which is not written once the region is shared; a
    // writer that does so all the same spoils this copy, and what is in the copy is checked below.
    unsafe { ptr::copy_nonoverlapping(data.as_ptr(), header.as_mut_ptr(), header.len()) };
    let geometry = RingHeader::read(&header, data_bytes)?;
    let Ok(ring_bytes) = usize::try_from(geometry.data_bytes()) else {
        return Err(RingError::DataBytes { bytes: geometry.data_bytes() }.into());
    };
    // SAFETY: the region is at least a page longer than the offset.
    let head = unsafe { data.add(RingHeader::HEAD_OFFSET) };
    // SAFETY: `RingHeader::read` found that the region has a page and `ring_bytes` more.
    let first = unsafe { data.add(RingHeader::PAGE_BYTES) };
    // SAFETY: head, cursor and data lie in the regions that the caller vouches for, data as long as the region was
    // found to be.
    let consumer = unsafe { Consumer::from_raw(head.cast(), cursor.cast(), first, ring_bytes, at) }?;
    Ok((consumer, geometry))
}
