//! One parked request, completed once by whoever wakes it, ends it or cancels it.
//!
//! A request that waits can be cancelled by its owner at any time: the system takes the request's cancel mark away and calls
//! whoever set it. Who takes the request out of its place and finds the mark still there completes it. Where the mark is
//! gone somebody cancels at the same moment, and neither may complete the request before the other has let go of it:
//!
//! | who parks (one thread)            | who wakes (any)                   | who cancels                            |
//! |-----------------------------------|-----------------------------------|----------------------------------------|
//! | keeps cancellation out (a lock)   |                                   | takes the same lock                    |
//! | cancelled already? completes      |                                   | takes the mark away, lets the lock go  |
//! | sets the mark, parks, lets it go  | rung = true                       | takes it out of the place: completes   |
//! | rung? takes and completes         | takes it out of the place         | not there: meets the one who took it   |
//! |                                   | takes the mark away: completes    |                                        |
//! |                                   | gone: meets the one who cancels   |                                        |
//!
//! They meet at a word of the request, which both exchange: the first to come leaves without another look at the request,
//! the second completes it. Nobody waits, nothing is locked.
//!
//! Place and `rung` are exchanged in the opposite order by the one who parks and the one who wakes. Of two exchanges of one
//! word one comes first: a wake that rang before the request was parked is found in `rung`, one that rings later finds the
//! request. A wake too many is harmless, a lost one is not: `rung` stays set until a wait has used it up.

// UNSAFETY: calls exchanges of requests that it was given by address.
#![expect(unsafe_code, reason = "who has a request says when its words may be exchanged")]

use core::fmt;
use core::ptr::{self, NonNull};

use crate::primitive::{AtomicBool, AtomicPtr, Ordering};

/// A request that can be parked: what of it the algorithm exchanges.
///
/// # Safety
/// [`disarm`](Cancellable::disarm) and [`meet`](Cancellable::meet) are exchanges of words that nothing else changes while
/// the request is parked, but the system, which takes the mark away when the request is cancelled.
pub unsafe trait Cancellable {
    /// Takes the cancel mark away: whether it was there.
    ///
    /// # Safety
    /// The request is not completed.
    ///
    /// # IRQL
    /// Any at which the request is resident.
    unsafe fn disarm(request: NonNull<Self>) -> bool;

    /// Marks the meeting place: whether somebody had done so since the request was parked. Acquires what the other released.
    ///
    /// # Safety
    /// The request is not completed, and its meeting place was clear when it was parked.
    ///
    /// # IRQL
    /// Any at which the request is resident.
    unsafe fn meet(request: NonNull<Self>) -> bool;
}

/// The place of one parked request.
///
/// # Invariants
/// `parked` is null or a request that was parked here and is not completed.
pub struct Parking<T> {
    parked: AtomicPtr<T>,
    /// There was a wake that no request has used up.
    rung: AtomicBool,
}

impl<T: Cancellable> Parking<T> {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Self { parked: AtomicPtr::new(ptr::null_mut()), rung: AtomicBool::new(false) }
    }

    /// Whether nothing is parked. True for the one thread that parks until it does.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.parked.load(Ordering::Relaxed).is_null()
    }

    /// Parks `request`, whose mark is set. Afterwards, when cancellation is let in again, the caller asks
    /// [`Parking::use_wake`].
    ///
    /// # Safety
    /// The request is not cancelled, cannot be before this has returned, and its meeting place is clear. One thread parks
    /// at a time, in a [vacant](Parking::is_vacant) place. Who cancels the request calls [`Parking::cancelled`].
    ///
    /// # IRQL
    /// Any at which the place is resident.
    pub unsafe fn park(&self, request: NonNull<T>) {
        let before = self.parked.swap(request.as_ptr(), Ordering::SeqCst);
        debug_assert!(before.is_null(), "parked where something is parked");
    }

    /// What was parked just now, if there was a wake before: the caller completes it.
    ///
    /// # IRQL
    /// Any at which place and request are resident.
    #[must_use = "it hangs unless it is completed"]
    pub fn use_wake(&self) -> Option<NonNull<T>> {
        if self.rung.swap(false, Ordering::SeqCst) { self.take() } else { None }
    }

    /// What is parked: the caller completes it. If there is nothing, the next request that is parked is woken at once.
    ///
    /// # IRQL
    /// Any at which place and request are resident.
    #[must_use = "it hangs unless it is completed"]
    pub fn wake(&self) -> Option<NonNull<T>> {
        self.rung.swap(true, Ordering::SeqCst);
        let request = self.take()?;
        // Before the completion: whoever is woken by it looks at everything that was rung for until here.
        self.rung.swap(false, Ordering::SeqCst);
        Some(request)
    }

    /// What is parked, unless it is left to the one who cancels it: the caller completes it.
    ///
    /// # IRQL
    /// Any at which place and request are resident.
    #[must_use = "it hangs unless it is completed"]
    pub fn take(&self) -> Option<NonNull<T>> {
        let request = NonNull::new(self.parked.swap(ptr::null_mut(), Ordering::SeqCst))?;
        // SAFETY: it was parked; who cancels it and does not find it here completes it after the meeting only.
        if unsafe { T::disarm(request) } {
            return Some(request);
        }
        // SAFETY: the mark is gone, so somebody cancels: not completed before both have met.
        unsafe { T::meet(request) }.then_some(request)
    }

    /// The request was cancelled: its mark was taken away by the system. Whether the caller completes it; if not, it must
    /// not be looked at again.
    ///
    /// # Safety
    /// The request was parked here, and this is called once for it.
    ///
    /// # IRQL
    /// Any at which place and request are resident.
    pub unsafe fn cancelled(&self, request: NonNull<T>) -> bool {
        let out = ptr::null_mut();
        let here = self.parked.compare_exchange(request.as_ptr(), out, Ordering::SeqCst, Ordering::SeqCst);
        // SAFETY: somebody took it out, and completes it after the meeting only.
        here.is_ok() || unsafe { T::meet(request) }
    }

    /// Forgets a wake that nobody used up.
    ///
    /// # IRQL
    /// Any.
    pub fn reset(&self) {
        self.rung.swap(false, Ordering::SeqCst);
    }
}

impl<T: Cancellable> Default for Parking<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Parking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parking").finish_non_exhaustive()
    }
}
