//! One failure, some calls from now.

use std::sync::atomic::{AtomicU64, Ordering};

/// The call that is to fail, counted down; 0 for none.
#[derive(Default)]
pub(super) struct Fault(AtomicU64);

impl Fault {
    pub(super) fn fail(&self, nth: u64) {
        self.0.store(nth, Ordering::Relaxed);
    }

    /// Counts one call; whether it is the one.
    pub(super) fn is_now(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) == Ok(1)
    }
}
