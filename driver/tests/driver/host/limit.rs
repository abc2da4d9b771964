//! The most memory that there is for one thing.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes; as many as anybody wants at first.
pub(super) struct Limit(AtomicUsize);

impl Default for Limit {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Limit {
    pub(super) fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn allows(&self, bytes: usize) -> bool {
        bytes <= self.0.load(Ordering::Relaxed)
    }
}
