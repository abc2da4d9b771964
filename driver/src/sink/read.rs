//! Records for a reader that cannot map the rings.

// UNSAFETY: opens the rings over the kernel's own mapping, and writes into the reader's locked buffer.
#![expect(unsafe_code, reason = "rings and locked buffers are reached by address")]

use core::ptr::NonNull;

use skua_engine::abi::nt::mm_get_mdl_byte_count;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_SUCCESS,
};
use skua_pools::SharedMemory as _;
use skua_record::{CURSOR_BYTES, Record, RecordHeader, RingReader};

use super::RunningSink;
use crate::executive::Executive;
use crate::request::Request;
use crate::sections::Sections;

impl<E: Executive> RunningSink<E> {
    /// Completes `request` with whole records of every ring, as many as there are and fit. The output has room for the
    /// largest record at least, so that one that is there always fits.
    pub(crate) fn read(&self, executive: &E, request: Request) {
        let sink = self.engine.handler();
        let largest = packed_bytes(usize::from(sink.config().snap_length));
        let mut output = match LockedOutput::new(executive, &request, largest) {
            Ok(output) => output,
            Err(status) => return request.complete(executive, status),
        };
        let mut damaged = false;
        for ring in 0..sink.rings() {
            match self.reader_of(ring) {
                Some(mut reader) => damaged |= output.fill(&mut reader, largest).is_err(),
                // The reader stored a cursor that cannot be.
                None => damaged = true,
            }
        }
        let status =
            if damaged && output.written == 0 { STATUS_INVALID_DEVICE_STATE } else { STATUS_SUCCESS };
        request.finish(executive, status, output.written);
    }

    /// A ring as its reader sees it; `None` where the reader's cursor cannot be.
    pub(super) fn reader_of(&self, ring: u32) -> Option<RingReader> {
        let sink = self.engine.handler();
        let mapping = sink.mapping(ring)?;
        let (data, cursor) = (Sections::<E>::data(mapping), Sections::<E>::cursor(mapping));
        let data_bytes = sink.config().data_region_bytes();
        // SAFETY: both sections are mapped while the sink lives, as long as asked; their words are accessed atomically by
        // the producer and by this, the cursor is stored to on behalf of the one file that reads, and the control thread,
        // which alone calls this, drops the value before the sink.
        unsafe { RingReader::open(data, data_bytes, cursor, CURSOR_BYTES) }.ok()
    }
}

/// Bytes that a record with so much payload takes in the output.
fn packed_bytes(captured: usize) -> usize {
    (RecordHeader::BYTES + captured).next_multiple_of(8)
}

/// The caller's buffer of METHOD_OUT_DIRECT. The caller may write to it at the same time, so no reference into it is
/// made.
///
/// # Invariants
/// `bytes` from `start` are writable until the request is completed; `written` is at most `bytes`.
struct LockedOutput {
    start: NonNull<u8>,
    bytes: usize,
    written: usize,
}

impl LockedOutput {
    fn new<E: Executive>(executive: &E, request: &Request, least: usize) -> Result<Self, NTSTATUS> {
        let mdl = request.output_mdl();
        if mdl.is_null() || request.output_bytes() < least {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        // SAFETY: the I/O manager made the descriptor and locked its pages; it is the request's.
        let described = unsafe { mm_get_mdl_byte_count(mdl) };
        // SAFETY: as above.
        let start = unsafe { executive.mm_get_system_address_for_mdl_safe(mdl) };
        let start = NonNull::new(start.cast()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let described = usize::try_from(described).unwrap_or(0);
        Ok(Self { start, bytes: described.min(request.output_bytes()), written: 0 })
    }

    /// Moves records from `reader` as long as the largest would fit.
    fn fill(&mut self, reader: &mut RingReader, largest: usize) -> Result<(), skua_pools::Corrupt> {
        while self.bytes - self.written >= largest {
            // A limit of 0: one record.
            let progress = reader.read(0, |record, _| self.push(record))?;
            if progress.records == 0 && !progress.limited {
                break;
            }
        }
        Ok(())
    }

    fn push(&mut self, record: &Record<'_>) {
        let payload = record.payload();
        let packed = packed_bytes(payload.len());
        if self.bytes - self.written < packed {
            // A record beyond the snap length: the reader damaged the ring's account, not its data.
            return;
        }
        let zeros = [0; 7];
        let padding = packed - RecordHeader::BYTES - payload.len();
        self.copy(bytemuck::bytes_of(record.header()));
        self.copy(payload);
        self.copy(zeros.get(..padding).unwrap_or_default());
    }

    /// Adds bytes for which there is room.
    fn copy(&mut self, bytes: &[u8]) {
        if bytes.len() > self.bytes - self.written {
            return;
        }
        // SAFETY: `written + bytes.len()` does not exceed `bytes`.
        let place = unsafe { self.start.add(self.written) };
        // SAFETY: as above; ring and headers do not overlap the caller's buffer.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        self.written += bytes.len();
    }
}
