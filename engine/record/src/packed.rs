//! Records side by side in a buffer, for readers that cannot map the rings.
//!
//! ```text
//!  0              64               64 + captured
//!  +--------------+----------------+---------+--------------+- - -
//!  | RecordHeader | captured bytes | 0 to 8  | RecordHeader |
//!  +--------------+----------------+---------+--------------+- - -
//! ```

// UNSAFETY: opens rings over mapped memory, and writes into buffers that others can write to.
#![expect(unsafe_code, reason = "rings and shared buffers are reached by address")]

use core::ptr::{self, NonNull};

use bytemuck::Zeroable;
use skua_pools::{Consumer, Corrupt, Unread, WaitFor};

use crate::header::RecordHeader;
use crate::reader::{Damage, OpenError, recover};
use crate::record::{Record, RecordError};
use crate::ring_header::Geometry;

/// Copies records out of one ring into buffers, packed.
///
/// Unlike a [`RingReader`](crate::RingReader) it lends nothing out of the ring: it may read one whose cursor somebody else
/// can write to, who could have what is unread written over. What he gets is then some record of the right length, and
/// damage is counted; nobody else comes to harm.
pub struct PackedReader {
    consumer: Consumer,
    geometry: Geometry,
    damage: Damage,
}

/// What one call of [`PackedReader::read_into`] copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PackedProgress {
    /// Records copied.
    pub records: u64,
    /// Bytes of the buffer that they take.
    pub bytes: usize,
    /// Bytes that the next record takes, which did not fit; `None` when everything published by then was copied.
    pub next: Option<usize>,
}

impl PackedReader {
    /// Opens a ring where the reader before left off, as [`RingReader::recover`](crate::RingReader::recover) does.
    ///
    /// # Errors
    /// [`OpenError`] when the memory holds no ring of this version.
    ///
    /// # Safety
    /// Until the reader is dropped, `data` is valid for reads of `data_bytes`, and `cursor` for reads and writes of
    /// [`CURSOR_BYTES`](crate::CURSOR_BYTES); in this process nobody accesses the head and the cursor but atomically, and
    /// only a [`skua_pools::Producer`] writes the data. Neither the contents nor other writers of the cursor are trusted.
    ///
    /// # IRQL
    /// Any at which the memory is resident.
    pub unsafe fn open(
        data: NonNull<u8>,
        data_bytes: usize,
        cursor: NonNull<u8>,
        cursor_bytes: usize,
    ) -> Result<Self, OpenError> {
        // SAFETY: the caller's promise. Records are read through `peek` alone.
        let (consumer, geometry, damage) = unsafe { recover(data, data_bytes, cursor, cursor_bytes) }?;
        Ok(Self { consumer, geometry, damage })
    }

    /// What the ring's header says.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Copies the records that are published by now, as long as they fit whole; none is split. Their room is given back
    /// by [`PackedReader::release`], so that who asks for records again has had those before: a reader that is opened
    /// after a crash finds what was not given back.
    ///
    /// Frames that hold no record are passed over and counted in [`PackedReader::damage`].
    ///
    /// # Errors
    /// [`Corrupt::Head`] when the ring's head does not fit where this reader stands: open it again.
    ///
    /// # IRQL
    /// Any at which the memory is resident.
    pub fn read_into(&mut self, buffer: &mut [u8]) -> Result<PackedProgress, Corrupt> {
        // SAFETY: a slice is valid for writes of its length, and is no ring.
        unsafe { self.read_into_ptr(NonNull::from_mut(buffer).cast(), buffer.len()) }
    }

    /// The same for a buffer that others can read and write meanwhile. It is written once, and never read.
    ///
    /// # Errors
    /// As for [`PackedReader::read_into`].
    ///
    /// # Safety
    /// `buffer` is valid for writes of `room` bytes and does not overlap the ring. Others may change it meanwhile only
    /// from outside of the program.
    ///
    /// # IRQL
    /// Any at which ring and buffer are resident.
    pub unsafe fn read_into_ptr(
        &mut self,
        buffer: NonNull<u8>,
        room: usize,
    ) -> Result<PackedProgress, Corrupt> {
        let mut progress = PackedProgress::default();
        while let Some(found) = self.consumer.peek() {
            let corrupt = match found {
                Ok(unread) => {
                    let Some((header, packed)) = check(&unread) else {
                        self.damage.records = self.damage.records.saturating_add(1);
                        unread.take();
                        continue;
                    };
                    if packed > room - progress.bytes {
                        progress.next = Some(packed);
                        break;
                    }
                    // SAFETY: `progress.bytes` is at most `room`.
                    let place = unsafe { buffer.add(progress.bytes) };
                    // SAFETY: `packed` bytes are left from there on.
                    unsafe { pack(&unread, &header, place.as_ptr(), packed) };
                    unread.take();
                    progress.bytes += packed;
                    progress.records += 1;
                    continue;
                }
                Err(corrupt) => corrupt,
            };
            let passed_over = match corrupt {
                Corrupt::Frame { .. } => self.consumer.skip(),
                corrupt => Err(corrupt),
            };
            match passed_over {
                Ok(bytes) => self.damage.bytes = self.damage.bytes.saturating_add(bytes),
                // It comes again with the next call; what was copied is not to be lost with it.
                Err(_) if progress.records > 0 => break,
                Err(corrupt) => return Err(corrupt),
            }
        }
        Ok(progress)
    }

    /// Gives the room of everything copied back to the writer.
    ///
    /// # IRQL
    /// Any at which the memory is resident.
    pub fn release(&mut self) {
        self.consumer.release();
    }

    /// As [`RingReader::prepare_wait`](crate::RingReader::prepare_wait), which gives room back too.
    ///
    /// # Errors
    /// As for [`PackedReader::read_into`].
    ///
    /// # IRQL
    /// Any at which the memory is resident.
    pub fn prepare_wait(&mut self, wait: WaitFor) -> Result<bool, Corrupt> {
        self.consumer.prepare_wait(wait)
    }

    /// Withdraws the announcement of a sleep, and gives room back.
    ///
    /// # IRQL
    /// Any at which the memory is resident.
    pub fn cancel_wait(&mut self) {
        self.consumer.cancel_wait();
    }

    /// Bytes of the ring that are published and not copied.
    ///
    /// # Errors
    /// As for [`PackedReader::read_into`].
    ///
    /// # IRQL
    /// Any at which the memory is resident.
    pub fn unread(&mut self) -> Result<u64, Corrupt> {
        self.consumer.unread()
    }

    /// Bytes of the ring ever read: frames and padding.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.consumer.position()
    }

    /// What could not be read so far.
    #[must_use]
    pub const fn damage(&self) -> Damage {
        self.damage
    }
}

/// The header of a record, as it was when it was copied, and the bytes that the record takes when it is packed.
fn check(unread: &Unread<'_>) -> Option<(RecordHeader, usize)> {
    let mut header = RecordHeader::zeroed();
    unread.copy_to(0, bytemuck::bytes_of_mut(&mut header)).ok()?;
    let captured = unread.len().checked_sub(RecordHeader::BYTES)?;
    header.check(captured).ok()?;
    Some((header, Record::packed_bytes_of(header.captured)))
}

/// Writes a record of `packed` bytes.
///
/// # Safety
/// `place` is valid for writes of `packed` bytes and does not overlap the ring.
unsafe fn pack(unread: &Unread<'_>, header: &RecordHeader, place: *mut u8, packed: usize) {
    let captured = usize::from(header.captured);
    // SAFETY: a record is no shorter than its header.
    unsafe { ptr::copy_nonoverlapping(bytemuck::bytes_of(header).as_ptr(), place, RecordHeader::BYTES) };
    // SAFETY: the captured bytes come next.
    let payload = unsafe { place.add(RecordHeader::BYTES) };
    // SAFETY: there is room for them. They are there: `check` has compared lengths.
    let _all_there = unsafe { unread.copy_to_ptr(RecordHeader::BYTES, payload, captured) };
    // SAFETY: the padding, if any, comes last.
    let padding = unsafe { payload.add(captured) };
    // SAFETY: it fills the record up to `packed`.
    unsafe { ptr::write_bytes(padding, 0, packed - RecordHeader::BYTES - captured) };
}

/// The records in a buffer that a [`PackedReader`] filled: its first [`PackedProgress::bytes`].
///
/// Iteration ends with the buffer, or after one error.
#[derive(Clone, Debug)]
pub struct PackedRecords<'a> {
    rest: &'a [u8],
}

impl<'a> PackedRecords<'a> {
    /// The records in `buffer`, which may hold anything.
    #[must_use]
    pub const fn new(buffer: &'a [u8]) -> Self {
        Self { rest: buffer }
    }
}

impl<'a> Iterator for PackedRecords<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = Record::parse_first(self.rest);
        self.rest = match &record {
            Ok(record) => {
                self.rest.get(Record::packed_bytes_of(record.header().captured)..).unwrap_or_default()
            }
            Err(_) => &[],
        };
        Some(record)
    }
}
