//! Every interleaving, within the bounds stated beside each model, of the algorithms that threads share.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p skua-pools --lib --release` runs them. What is exclusive by the algorithm's claim
//! lies in loom's `UnsafeCell`, which fails the model when two threads touch it without an order between them.
//!
//! Loom does not reorder a load after a later store of the same thread; where an argument needs that excluded (the
//! Release side of a pop), it stands in the code.

// UNSAFETY: models touch cells by raw pointer, and give the pool memory from std's allocator.
#![expect(unsafe_code, reason = "loom's cells and the Memory trait are unsafe to use")]

mod counters;
mod handover;
mod parking;
mod pool;
mod ring;
mod rundown;
mod stack;

use core::alloc::Layout;
use core::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::model::Builder;

use crate::memory::{MEMORY_ALIGNMENT, Memory, Tag};

/// Explores `model` with at most `preemptions` preemptive switches in an execution, or without such a bound.
fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

/// Something that one thread at a time may touch. A failed model is two threads in it at once.
struct Exclusive(UnsafeCell<u64>);

impl Exclusive {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// Writes, as the owner.
    fn touch(&self) {
        self.0.with_mut(|value| {
            // SAFETY: loom stops the model before this line if another thread may be in the cell.
            unsafe { *value += 1 }
        });
    }

    /// Reads, as one of several that share.
    fn look(&self) -> u64 {
        self.0.with(|value| {
            // SAFETY: loom stops the model before this line if a writer may be in the cell.
            unsafe { *value }
        })
    }

    fn set(&self, new: u64) {
        self.0.with_mut(|value| {
            // SAFETY: loom stops the model before this line if another thread may be in the cell.
            unsafe { *value = new }
        });
    }
}

// SAFETY: loom checks every access.
unsafe impl Sync for Exclusive {}

/// std's allocator.
#[derive(Clone, Copy)]
struct Heap;

const TAG: Tag = Tag::new(b"Loom");

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, MEMORY_ALIGNMENT).unwrap()
}

// SAFETY: std's allocator gives zeroed memory of that size and alignment, and frees it by the same layout.
unsafe impl Memory for Heap {
    fn allocate(&self, bytes: usize, _tag: Tag) -> Option<NonNull<u8>> {
        // SAFETY: a request is never empty.
        NonNull::new(unsafe { std::alloc::alloc_zeroed(layout(bytes)) })
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, _tag: Tag) {
        // SAFETY: allocated above with the same layout, by the contract of `free`.
        unsafe { std::alloc::dealloc(address.as_ptr(), layout(bytes)) }
    }
}
