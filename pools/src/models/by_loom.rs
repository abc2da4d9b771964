//! Loom: every interleaving, within bounds.

// UNSAFETY: loom's cells are touched by raw pointer.
#![expect(unsafe_code, reason = "loom's cells are unsafe to use")]

pub(super) use loom as checker;
pub(super) use loom::sync::Notify;

use loom::cell::UnsafeCell;
use loom::model::Builder;

/// Explores `model` with at most `preemptions` preemptive switches in an execution, or without such a bound.
pub(super) fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

/// Something that one thread at a time may touch. A failed model is two threads in it at once.
pub(super) struct Exclusive(UnsafeCell<u64>);

impl Exclusive {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// Writes, as the owner.
    pub(super) fn touch(&self) {
        self.0.with_mut(|value| {
            // SAFETY: loom stops the model before this line if another thread may be in the cell.
            unsafe { *value += 1 }
        });
    }

    /// Reads, as one of several that share.
    pub(super) fn look(&self) -> u64 {
        self.0.with(|value| {
            // SAFETY: loom stops the model before this line if a writer may be in the cell.
            unsafe { *value }
        })
    }

    pub(super) fn set(&self, new: u64) {
        self.0.with_mut(|value| {
            // SAFETY: loom stops the model before this line if another thread may be in the cell.
            unsafe { *value = new }
        });
    }
}

// SAFETY: loom checks every access.
unsafe impl Sync for Exclusive {}
