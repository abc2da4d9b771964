//! How a ring's writer reaches the reader's wait.

// UNSAFETY: the cell is reached by address from the rings' writers.
#![expect(unsafe_code, reason = "the device's cells outlive the sinks that wake through them")]

use core::ptr::NonNull;

use skua_engine::Wake;
use skua_record::RecordHeader;

use crate::executive::Executive;
use crate::trace;
use crate::wait::WaitCell;

/// Wakes the reader that waits at one of the device's cells.
///
/// # Invariants
/// The cell stays where it is for longer than this value lives: it is the device's, and the device ends after its sinks.
pub(crate) struct ReaderWake<E: Executive> {
    cell: NonNull<WaitCell<E>>,
    /// The sink's, for events.
    number: u64,
}

// SAFETY: a cell is shared by design: its methods take `&self` and use atomics.
unsafe impl<E: Executive> Send for ReaderWake<E> {}
// SAFETY: as above.
unsafe impl<E: Executive> Sync for ReaderWake<E> {}

impl<E: Executive> ReaderWake<E> {
    /// Through this cell.
    ///
    /// # Safety
    /// The cell stays where it is for as long as the value lives.
    pub(crate) unsafe fn new(cell: &WaitCell<E>, number: u64) -> Self {
        Self { cell: NonNull::from(cell), number }
    }
}

impl<E: Executive> Wake for ReaderWake<E> {
    fn wake(&self, _shard: u32) {
        // SAFETY: the cell is there, by this type's invariant.
        unsafe { self.cell.as_ref() }.wake();
    }

    fn wants_records(&self) -> bool {
        trace::wants_datagrams()
    }

    fn recorded(&self, header: &RecordHeader) {
        trace::datagram(self.number, u32::from(header.processor), u32::from(header.original));
    }
}
