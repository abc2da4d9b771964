//! Locks that are entered in one function and left in another, and std's without poisoning.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks `mutex`. A panic of another holder is that thread's report to make, not a reason to fail here too.
pub(crate) fn hold<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place that one thread occupies at a time, without a guard: NT raises and lowers in separate calls.
///
/// Entering and leaving take two exchanges when nobody waits. Nothing is allocated on Linux.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    occupied: AtomicBool,
    /// Threads that wait; changed under `gate` only.
    waiting: AtomicU32,
    gate: Mutex<()>,
    left: Condvar,
}

impl Seat {
    /// Enters if nobody is there.
    pub(crate) fn try_enter(&self) -> bool {
        // SeqCst: see `leave`.
        self.occupied.compare_exchange(false, true, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Waits until nobody is there, and enters.
    pub(crate) fn enter(&self) {
        if self.try_enter() {
            return;
        }
        let mut gate = hold(&self.gate);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while !self.try_enter() {
            gate = self.left.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Leaves; the caller is the one who entered.
    ///
    /// No waiter is forgotten, because both sides write before they read, in one order that all threads agree on:
    ///
    /// ```text
    /// waiter                          leaver
    /// waiting += 1                    occupied = false
    /// occupied? -> waits              waiting? -> takes the gate, notifies
    /// ```
    pub(crate) fn leave(&self) {
        self.occupied.store(false, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            drop(hold(&self.gate));
            self.left.notify_one();
        }
    }
}
