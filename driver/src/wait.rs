//! A reader's pended wait.
//!
//! Whoever takes the packet out of its cell and finds the cancel routine still there completes it. The routine is gone where
//! somebody cancels at the same moment; then neither may complete before the other has let go of the packet:
//!
//! | reader's thread (control)        | a ring's writer (any processor)     | who cancels                            |
//! |----------------------------------|-------------------------------------|----------------------------------------|
//! | takes the cancel spin lock       |                                     | IoCancelIrp: takes the lock            |
//! | cancelled already? completes     |                                     | exchanges the routine, calls it:       |
//! | sets the routine, parks, unlocks | rung = true                         | releases the lock                      |
//! | rung? takes and completes        | takes the packet out of the cell    | takes it out: completes CANCELLED      |
//! |                                  | exchanges the routine: completes    | not there: meets the one who took it   |
//! |                                  | gone: meets the one who cancels     |                                        |
//!
//! They meet at a word of the packet, which both exchange: the first to come leaves without another look at the packet, the
//! second completes it. Nobody waits.
//!
//! The cell and `rung` are exchanged, sequentially consistent: a writer that rang before the packet was parked is seen by
//! the reader's look at `rung`, and one that rings after it finds the packet. A wake without a record is harmless, a lost
//! one is not: `rung` stays set until a wait has used it up.

// UNSAFETY: packets are reached by address, and the cell from a packet's context.
#![expect(unsafe_code, reason = "the exchange of the cancel routine says whose the packet is")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

use skua_engine::Dispatch;
use skua_engine::abi::nt::{DEVICE_OBJECT, FALSE, IRP, io_set_cancel_routine};
use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_DEVICE_BUSY, STATUS_SUCCESS};

use crate::executive::Executive;
use crate::queue::{context, context_word, set_context};
use crate::request::Request;

/// Word of DriverContext that leads from a parked packet to its cell.
const CELL: usize = 1;
/// Word of DriverContext where taker and canceller meet: null until the first has come.
const MEETING: usize = 2;

/// Where the reader of one sink waits: at most one packet at a time.
///
/// It lives as long as the device, because a cancel routine may come to it after its packet was completed elsewhere.
#[derive(Debug)]
pub(crate) struct WaitCell<E: Executive> {
    parked: AtomicPtr<IRP>,
    /// There was a wake that no wait has used up.
    rung: AtomicBool,
    executive: E,
}

impl<E: Executive> WaitCell<E> {
    pub(crate) fn new(executive: E) -> Self {
        Self { parked: AtomicPtr::new(ptr::null_mut()), rung: AtomicBool::new(false), executive }
    }

    /// Pends `request`, which is marked pending, until a wake, its cancellation or [`WaitCell::end`]. One that waits
    /// already keeps its place, and this one fails with STATUS_DEVICE_BUSY.
    ///
    /// # Safety
    /// The cell stays where it is until the packet is completed and cancel routines have returned.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL. One thread parks at a time.
    pub(crate) unsafe fn park(&self, request: Request) {
        if !self.parked.load(Ordering::Relaxed).is_null() {
            return request.complete(&self.executive, STATUS_DEVICE_BUSY);
        }
        let irp = request.into_irp();
        // SAFETY: the packet is this function's.
        unsafe { set_context(irp, CELL, ptr::from_ref(self).cast_mut().cast()) };
        // SAFETY: as above.
        unsafe { set_context(irp, MEETING, ptr::null_mut()) };
        let irql = self.executive.io_acquire_cancel_spin_lock();
        // SAFETY: as above; whoever cancels writes the byte under the lock.
        let cancelled = unsafe { is_cancelled(irp) };
        if !cancelled {
            // SAFETY: the packet is valid; from here on whoever exchanges the routine away completes it.
            unsafe { io_set_cancel_routine(irp.as_ptr(), Some(cancel::<E>)) };
            self.parked.store(irp.as_ptr(), Ordering::SeqCst);
        }
        // SAFETY: taken above, at this level.
        unsafe { self.executive.io_release_cancel_spin_lock(irql) };
        if cancelled {
            // SAFETY: it was not parked, so it is still this function's.
            let request = unsafe { Request::from_irp(irp) };
            return request.complete(&self.executive, STATUS_CANCELLED);
        }
        if self.rung.swap(false, Ordering::SeqCst) {
            self.end(STATUS_SUCCESS);
        }
    }

    /// Completes the wait with success, or lets the next one return at once.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn wake(&self) {
        self.rung.store(true, Ordering::SeqCst);
        let Some(request) = self.take() else { return };
        // Before the completion: a reader that wakes looks at every ring, and so at all that was rung for until here.
        self.rung.store(false, Ordering::SeqCst);
        request.complete(&self.executive, STATUS_SUCCESS);
    }

    /// Completes the wait with `status`, if there is one.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn end(&self, status: NTSTATUS) {
        if let Some(request) = self.take() {
            request.complete(&self.executive, status);
        }
    }

    /// Forgets a wake that nobody used up: another reader comes.
    pub(crate) fn reset(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    /// The parked packet, unless it is left to the one who cancels it.
    fn take(&self) -> Option<Request> {
        let irp = NonNull::new(self.parked.swap(ptr::null_mut(), Ordering::SeqCst))?;
        // SAFETY: whoever cancels does not complete a packet that is not in the cell before it was met below.
        let routine = unsafe { io_set_cancel_routine(irp.as_ptr(), None) };
        // SAFETY: it was taken out of the cell by this function, which is one of the two.
        let owned = routine.is_some() || unsafe { meet(irp) };
        // SAFETY: nobody cancels it, or whoever did has let go of it.
        owned.then(|| unsafe { Request::from_irp(irp) })
    }
}

/// Ends a wait that is cancelled.
unsafe extern "C" fn cancel<E: Executive>(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    let Some(irp) = NonNull::new(irp) else { return };
    // SAFETY: whoever else has the packet does not complete it before it was met below.
    let cell = unsafe { context(irp, CELL) }.cast::<WaitCell<E>>();
    // SAFETY: `park` set it, and the cell outlives the routine.
    let cell = unsafe { &*cell };
    let executive = &cell.executive;
    // SAFETY: as for the context.
    let irql = unsafe { (*irp.as_ptr()).CancelIrql };
    // SAFETY: IoCancelIrp calls with the lock held and the level from before in the packet.
    unsafe { executive.io_release_cancel_spin_lock(irql) };
    let parked = irp.as_ptr();
    let here = cell.parked.compare_exchange(parked, ptr::null_mut(), Ordering::SeqCst, Ordering::Relaxed);
    // SAFETY: it is called for this packet, which somebody else took out of the cell.
    if here.is_ok() || unsafe { meet(irp) } {
        // Raised, so that an unload which flushes queued DPCs waits for what follows the completion.
        Dispatch::with(executive, |_| {
            // SAFETY: nobody else had taken it, or whoever did has let go of it.
            let request = unsafe { Request::from_irp(irp) };
            request.complete(executive, STATUS_CANCELLED);
        });
    }
}

/// Whether this side, taker or canceller, is the second to come, and so owns the packet. The first must not touch it again.
///
/// # Safety
/// Each side calls it once for a packet that was parked, and the packet is not completed before both have.
unsafe fn meet(irp: NonNull<IRP>) -> bool {
    // SAFETY: the packet is valid by the caller's promise.
    let word = unsafe { context_word(irp, MEETING) };
    // SAFETY: aligned, and accessed atomically while there may be two sides.
    let word = unsafe { AtomicPtr::from_ptr(word) };
    // Acquire and release: what the first did with the packet comes before its completion by the second.
    !word.swap(irp.as_ptr().cast(), Ordering::AcqRel).is_null()
}

/// Whether the packet has been cancelled.
///
/// # Safety
/// The packet is valid.
unsafe fn is_cancelled(irp: NonNull<IRP>) -> bool {
    // SAFETY: the caller's promise.
    let byte = unsafe { &raw mut (*irp.as_ptr()).Cancel };
    // SAFETY: the byte is accessed atomically here and by the I/O manager.
    unsafe { AtomicU8::from_ptr(byte) }.load(Ordering::SeqCst) != FALSE
}
