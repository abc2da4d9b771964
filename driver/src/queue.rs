//! Requests on their way to the control thread.

// UNSAFETY: links packets through the words that they keep for the driver that has them.
#![expect(unsafe_code, reason = "a packet's DriverContext is its present owner's")]

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use skua_engine::abi::nt::IRP;

use crate::request::Request;

/// Word of DriverContext that links a packet in a queue.
const LINK: usize = 0;

/// Requests in the order of their arrival: added by any thread, taken by one, without a lock.
///
/// # Invariants
/// `head` is null, [`CLOSED`], or the latest of a chain of packets that are the queue's, each linked to the one before it.
#[derive(Debug)]
pub(crate) struct RequestQueue {
    head: AtomicPtr<IRP>,
}

/// Stands where no packet can: nothing is taken in any more.
const CLOSED: *mut IRP = ptr::without_provenance_mut(1);

impl RequestQueue {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Adds a request, or gives it back if the queue was closed. A retry means that another add or take has completed.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn push(&self, request: Request) -> Result<(), Request> {
        let irp = request.into_irp();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == CLOSED {
                // SAFETY: given away above, and taken by nobody.
                return Err(unsafe { Request::from_irp(irp) });
            }
            // SAFETY: the packet is this function's until the exchange below succeeds.
            unsafe { set_context(irp, LINK, head.cast()) };
            match self.head.compare_exchange_weak(head, irp.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => head = now,
            }
        }
    }

    /// Takes all requests there are.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn take(&self) -> Requests {
        self.exchange(ptr::null_mut())
    }

    /// Takes all requests there are and turns later ones away.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn close(&self) -> Requests {
        self.exchange(CLOSED)
    }

    fn exchange(&self, with: *mut IRP) -> Requests {
        let mut latest = self.head.swap(with, Ordering::Acquire);
        if latest == CLOSED {
            latest = ptr::null_mut();
        }
        let mut oldest = ptr::null_mut();
        while let Some(irp) = NonNull::new(latest) {
            // SAFETY: the whole chain was taken, so its packets are this function's.
            latest = unsafe { context(irp, LINK) }.cast();
            // SAFETY: as above.
            unsafe { set_context(irp, LINK, oldest) };
            oldest = irp.as_ptr().cast();
        }
        Requests { oldest: oldest.cast() }
    }
}

/// Requests that were taken, the oldest first.
///
/// # Invariants
/// `oldest` is null or the first of a chain of packets that are this value's.
#[must_use = "packets that are not completed hang their callers"]
pub(crate) struct Requests {
    oldest: *mut IRP,
}

impl Iterator for Requests {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let irp = NonNull::new(self.oldest)?;
        // SAFETY: the chain is this value's.
        self.oldest = unsafe { context(irp, LINK) }.cast();
        // SAFETY: as above; it leaves the chain here.
        Some(unsafe { Request::from_irp(irp) })
    }
}

/// A word that a packet keeps for the driver that has it.
///
/// # Safety
/// The packet is the caller's.
pub(crate) unsafe fn context(irp: NonNull<IRP>, word: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    let place = unsafe { context_word(irp, word) };
    // SAFETY: as above.
    unsafe { place.read() }
}

/// Writes that word.
///
/// # Safety
/// As for [`context`].
pub(crate) unsafe fn set_context(irp: NonNull<IRP>, word: usize, value: *mut c_void) {
    // SAFETY: the caller's promise.
    let place = unsafe { context_word(irp, word) };
    // SAFETY: as above.
    unsafe { place.write(value) }
}

/// Where that word is; the last one for a number that there is none of.
///
/// # Safety
/// The packet is valid.
pub(crate) unsafe fn context_word(irp: NonNull<IRP>, word: usize) -> *mut *mut c_void {
    // SAFETY: the caller's promise; a driver that has a packet uses this arm.
    let words = unsafe { &raw mut (*irp.as_ptr()).Tail.Overlay.DriverContext };
    words.cast::<*mut c_void>().wrapping_add(word.min(WORDS - 1))
}

/// Words of DriverContext.
const WORDS: usize = 4;
