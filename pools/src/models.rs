//! Interleavings of the algorithms that threads share: every one within the bounds stated beside each model by loom, thousands
//! at random by shuttle, which also takes models that are too large for loom.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p skua-pools --lib --release` runs them under loom, `--cfg shuttle` under shuttle. What is
//! exclusive by the algorithm's claim lies in an [`Exclusive`], which fails the model when two threads touch it, under loom also
//! without an order between them. Shuttle knows one order of memory alone, the sequentially consistent one.
//!
//! Loom does not reorder a load after a later store of the same thread; where an argument needs that excluded (the
//! Release side of a pop), it stands in the code.

// UNSAFETY: models give the pool memory from std's allocator, and turn addresses back into slots.
#![expect(unsafe_code, reason = "the Memory trait and slots by address are unsafe to use")]

#[cfg(loom)]
#[path = "models/by_loom.rs"]
mod explorer;
#[cfg(shuttle)]
#[path = "models/by_shuttle.rs"]
mod explorer;

mod counters;
mod gate;
mod handover;
#[cfg(shuttle)]
mod large;
mod parking;
mod pool;
mod ring;
mod rundown;
mod stack;

use core::alloc::Layout;
use core::ptr::NonNull;

use explorer::{Exclusive, Notify, checker, explore};

use crate::memory::{MEMORY_ALIGNMENT, Memory, Tag};

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
