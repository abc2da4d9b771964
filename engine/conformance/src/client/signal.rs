//! Counts that callbacks raise and a check waits for.

// UNSAFETY: KEVENTs are reached by address.
#![expect(unsafe_code, reason = "an event stays at its address")]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

use skua_engine::abi::nt::KEVENT;
use skua_engine::{Dispatch, Kernel};

use super::Bench;
use super::bench::MOMENT;
use super::memory::Zeroed;
use crate::outcome::Outcome;

/// A notification event in zeroed memory. A callback changes something by [`Signal::change`]; a check waits until what it
/// wants to see is there, and until the callback has done with the signal: the check may free it then.
pub(crate) struct Signal {
    event: UnsafeCell<KEVENT>,
    /// Threads inside [`Signal::change`].
    changing: AtomicU32,
}

// SAFETY: zeroes are a value of both fields.
unsafe impl Zeroed for Signal {}
// SAFETY: the kernel guards an event.
unsafe impl Sync for Signal {}

impl Signal {
    /// Makes it usable, where it will stay.
    pub(crate) fn prepare<K: Kernel>(&self, kernel: &K) {
        // SAFETY: zeroed memory that nobody waits on yet.
        unsafe { kernel.ke_initialize_event(self.event.get(), false) };
    }

    /// Makes `change`, then wakes who waits. The signal may be gone when this returns. At DISPATCH_LEVEL, so that nothing
    /// keeps a check waiting in between.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn change<K: Kernel>(&self, kernel: &K, change: impl FnOnce()) {
        Dispatch::with(kernel, |_| {
            self.changing.fetch_add(1, Ordering::SeqCst);
            change();
            // SAFETY: prepared.
            unsafe { kernel.ke_set_event(self.event.get()) };
            self.changing.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Waits until `condition`; whether it came about within `limit` units of 100 ns.
    fn until<K: Kernel>(&self, kernel: &K, limit: u64, condition: impl Fn() -> bool) -> bool {
        let start = kernel.ke_query_interrupt_time();
        loop {
            // SAFETY: prepared. Cleared before the look, so that what comes after it is not missed.
            unsafe { kernel.ke_clear_event(self.event.get()) };
            let there = condition();
            if there && self.changing.load(Ordering::SeqCst) == 0 {
                return true;
            }
            let gone = kernel.ke_query_interrupt_time().saturating_sub(start);
            // A change that is seen ends in a moment, and nothing is signalled behind it.
            let left = if there { 1_000 } else { limit.saturating_sub(gone) };
            if left == 0 {
                return false;
            }
            // SAFETY: prepared, and there until this returns.
            let _status = unsafe { kernel.ke_wait_for_single_object(self.event.get(), Some(left)) };
        }
    }

    /// Waits for a moment, once.
    #[cfg(feature = "misuse")]
    pub(crate) fn waits_once<K: Kernel>(&self, kernel: &K) -> bool {
        // SAFETY: prepared, and there until this returns.
        unsafe { kernel.ke_wait_for_single_object(self.event.get(), Some(MOMENT)) }.is_success()
    }

    /// Waits for what should come; `step` names it.
    pub(crate) fn wait_for<K: Kernel>(
        &self,
        bench: &Bench<K>,
        step: &'static str,
        condition: impl Fn() -> bool,
    ) -> Result<(), Outcome> {
        if self.until(bench.kernel(), bench.patience(), condition) { Ok(()) } else { Err(bench.hangs(step)) }
    }

    /// As [`Signal::wait_for`], where nothing is in use that hangs: whether it came in time.
    pub(crate) fn comes<K: Kernel>(&self, bench: &Bench<K>, condition: impl Fn() -> bool) -> bool {
        self.until(bench.kernel(), bench.patience(), condition)
    }

    /// Whether `condition` does not come about within a moment.
    pub(crate) fn stays_away<K: Kernel>(&self, bench: &Bench<K>, condition: impl Fn() -> bool) -> bool {
        !self.until(bench.kernel(), MOMENT, condition)
    }
}
