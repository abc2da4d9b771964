//! Records for a reader that cannot map the rings.

// UNSAFETY: opens the rings over the kernel's own mapping, and writes into the reader's locked buffer.
#![expect(unsafe_code, reason = "rings and locked buffers are reached by address")]

use core::ptr::NonNull;

use skua_engine::abi::nt::mm_get_mdl_byte_count;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
};
use skua_pools::{SharedMemory as _, Slab, WaitFor};
use skua_record::{CURSOR_BYTES, PackedReader, RecordHeader, RingReader};

use super::{RunningSink, TAG};
use crate::executive::Executive;
use crate::request::Request;
use crate::sections::Sections;

/// The driver's own readers of a sink's rings, for as long as a program reads through it. `None` where a ring's memory is
/// no ring any more.
pub(super) type Packed<E> = Slab<Option<PackedReader>, E>;

impl<E: Executive> RunningSink<E> {
    /// Completes `request` with whole records of every ring, as many as there are and fit. What the request before was
    /// given is given back to the rings now: a program that ends in between has its successor read it again.
    pub(crate) fn read(&mut self, executive: &E, request: Request) {
        let read = self.read_into(executive, &request);
        let (status, written) = read.map_or_else(|status| (status, 0), |written| (STATUS_SUCCESS, written));
        request.finish(executive, status, written);
    }

    fn read_into(&mut self, executive: &E, request: &Request) -> Result<usize, NTSTATUS> {
        let mut output = LockedOutput::new(executive, request)?;
        let mut left = None;
        for reader in self.packed(executive)?.iter_mut().flatten() {
            reader.cancel_wait();
            left = left.or(output.fill(reader));
        }
        match left {
            // The next record does not fit into the whole of the buffer.
            Some(needed) if output.written == 0 && needed > output.bytes => Err(STATUS_BUFFER_TOO_SMALL),
            _ => Ok(output.written),
        }
    }

    /// Announces the sleep of a program that reads through the driver; one that has the rings mapped does so itself.
    /// Whether there is nothing to read.
    pub(crate) fn prepare_wait(&mut self) -> bool {
        let Some(readers) = &mut self.packed else { return true };
        let mut readers = readers.iter_mut().flatten();
        // The first ring with something to read ends it: nobody waits then.
        readers.all(|reader| reader.prepare_wait(WaitFor::Any).unwrap_or(true))
    }

    /// What was given to the program is given back to the rings: it has it.
    pub(super) fn release_packed(&mut self) {
        if let Some(readers) = &mut self.packed {
            readers.iter_mut().flatten().for_each(PackedReader::cancel_wait);
        }
    }

    /// A ring as its reader left it; `None` where the reader's cursor cannot be.
    pub(super) fn reader_of(&self, ring: u32) -> Option<RingReader> {
        let sink = self.engine.handler();
        let mapping = sink.mapping(ring)?;
        let (data, cursor) = (Sections::<E>::data(mapping), Sections::<E>::cursor(mapping));
        let data_bytes = sink.config().data_region_bytes();
        // SAFETY: both sections are mapped while the sink lives, as long as asked; their words are accessed atomically by
        // the producer and by this, which reads positions alone; the control thread, which alone calls this, drops the
        // value before the sink.
        unsafe { RingReader::open(data, data_bytes, cursor, CURSOR_BYTES) }.ok()
    }

    /// The driver's readers, opened when they are first asked for.
    fn packed(&mut self, executive: &E) -> Result<&mut Packed<E>, NTSTATUS> {
        if self.packed.is_none() {
            let sink = self.engine.handler();
            let data_bytes = sink.config().data_region_bytes();
            let open = |ring: usize| {
                let mapping = sink.mapping(u32::try_from(ring).ok()?)?;
                let (data, cursor) = (Sections::<E>::data(mapping), Sections::<E>::cursor(mapping));
                // SAFETY: as in `reader_of`; the readers are dropped before the engine, and so before its sections.
                unsafe { PackedReader::open(data, data_bytes, cursor, CURSOR_BYTES) }.ok()
            };
            let rings = usize::try_from(sink.rings()).unwrap_or(0);
            let readers = Slab::new(executive.clone(), TAG, rings, open);
            self.packed = Some(readers.map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?);
        }
        self.packed.as_mut().ok_or(STATUS_INSUFFICIENT_RESOURCES)
    }
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
    fn new<E: Executive>(executive: &E, request: &Request) -> Result<Self, NTSTATUS> {
        let mdl = request.output_mdl();
        if mdl.is_null() || request.output_bytes() < RecordHeader::BYTES {
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

    /// Copies records from `reader` as long as they fit; bytes of the one that does not.
    fn fill(&mut self, reader: &mut PackedReader) -> Option<usize> {
        // SAFETY: `written` does not exceed `bytes`.
        let place = unsafe { self.start.add(self.written) };
        // SAFETY: so many bytes are left; the buffer is another process's pages, which no ring lies in.
        let copied = unsafe { reader.read_into_ptr(place, self.bytes - self.written) };
        // A head that does not fit where the reader stands: what it says next time may.
        let progress = copied.unwrap_or_default();
        self.written += progress.bytes;
        progress.next
    }
}
