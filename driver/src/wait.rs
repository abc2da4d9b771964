//! A reader's pended wait: [`Parking`] of packets, with NT's cancel routines.

// UNSAFETY: packets are reached by address, and the cell from a packet's context.
#![expect(unsafe_code, reason = "the exchange of the cancel routine says whose the packet is")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use skua_engine::abi::nt::{DEVICE_OBJECT, FALSE, IRP, io_set_cancel_routine};
use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_DEVICE_BUSY, STATUS_SUCCESS};
use skua_pools::{Cancellable, Parking};

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
    parking: Parking<Packet>,
    executive: E,
}

/// A packet that may be parked.
#[repr(transparent)]
struct Packet(IRP);

impl<E: Executive> WaitCell<E> {
    pub(crate) fn new(executive: E) -> Self {
        Self { parking: Parking::new(), executive }
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
        if !self.parking.is_vacant() {
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
            // SAFETY: the packet is valid.
            unsafe { io_set_cancel_routine(irp.as_ptr(), Some(cancel::<E>)) };
            // SAFETY: not cancelled, and IoCancelIrp waits for the lock; its routine calls `cancelled`.
            unsafe { self.parking.park(irp.cast()) };
        }
        // SAFETY: taken above, at this level.
        unsafe { self.executive.io_release_cancel_spin_lock(irql) };
        if cancelled {
            // SAFETY: it was not parked, so it is still this function's.
            let request = unsafe { Request::from_irp(irp) };
            return request.complete(&self.executive, STATUS_CANCELLED);
        }
        self.complete(self.parking.use_wake(), STATUS_SUCCESS);
    }

    /// Completes the wait with success, or lets the next one return at once.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn wake(&self) {
        self.complete(self.parking.wake(), STATUS_SUCCESS);
    }

    /// Completes the wait with `status`, if there is one.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn end(&self, status: NTSTATUS) {
        self.complete(self.parking.take(), status);
    }

    /// Forgets a wake that nobody used up: another reader comes.
    pub(crate) fn reset(&self) {
        self.parking.reset();
    }

    /// Completes what was taken out of the parking.
    fn complete(&self, taken: Option<NonNull<Packet>>, status: NTSTATUS) {
        if let Some(packet) = taken {
            // SAFETY: whoever takes a packet out owns it.
            let request = unsafe { Request::from_irp(packet.cast()) };
            request.complete(&self.executive, status);
        }
    }
}

// SAFETY: the routine is exchanged here and by IoCancelIrp, the word in DriverContext here alone while it is parked.
unsafe impl Cancellable for Packet {
    unsafe fn disarm(request: NonNull<Self>) -> bool {
        // SAFETY: the packet is not completed, by the caller's promise.
        unsafe { io_set_cancel_routine(request.cast().as_ptr(), None) }.is_some()
    }

    unsafe fn meet(request: NonNull<Self>) -> bool {
        // SAFETY: as above.
        let word = unsafe { context_word(request.cast(), MEETING) };
        // SAFETY: aligned, and accessed atomically while there may be two sides.
        let word = unsafe { AtomicPtr::from_ptr(word) };
        // Acquire and release: what the first did with the packet comes before its completion by the second.
        !word.swap(request.as_ptr().cast(), Ordering::AcqRel).is_null()
    }
}

/// Ends a wait that is cancelled.
unsafe extern "C" fn cancel<E: Executive>(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    let Some(irp) = NonNull::new(irp) else { return };
    // SAFETY: nobody completes the packet before `cancelled` below.
    let cell = unsafe { context(irp, CELL) }.cast::<WaitCell<E>>();
    // SAFETY: `park` set it, and the cell outlives the routine.
    let cell = unsafe { &*cell };
    let executive = &cell.executive;
    // SAFETY: as for the context.
    let irql = unsafe { (*irp.as_ptr()).CancelIrql };
    // SAFETY: IoCancelIrp calls with the lock held and the level from before in the packet.
    unsafe { executive.io_release_cancel_spin_lock(irql) };
    // SAFETY: parked at this cell; the routine is called once.
    if unsafe { cell.parking.cancelled(irp.cast()) } {
        cell.complete(Some(irp.cast()), STATUS_CANCELLED);
    }
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
