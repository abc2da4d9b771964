//! The only switch between core's atomics, loom's and shuttle's.
//!
//! Everything that loom and shuttle explore takes its atomics from here. What stays core's in every build is outside the
//! explored state: the source of pool identities, and words that lie in mapped bytes.

// UNSAFETY: loom's read of a word by its only writer is unsafe to call.
#![cfg_attr(all(test, loom), expect(unsafe_code, reason = "loom's unsync_load is unsafe to call"))]

/// Core's in every build.
pub(crate) use core::sync::atomic::AtomicU64 as PlainAtomicU64;
pub(crate) use core::sync::atomic::Ordering;

#[cfg(not(all(test, any(loom, shuttle))))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, fence};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, fence};
#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, fence};

/// What the calling thread itself stored last in a word that nobody else writes.
#[cfg(not(all(test, loom)))]
#[inline]
pub(crate) fn load_own(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

/// What the calling thread itself stored last in a word that nobody else writes; loom checks that nobody does.
///
/// No step of its own to loom, which remembers one last access per word: a load here would hide from it that the
/// store to follow can overtake another thread's earlier load, and it would not try that order.
#[cfg(all(test, loom))]
pub(crate) fn load_own(word: &AtomicU64) -> u64 {
    // SAFETY: loom fails the model if another thread may store at this time.
    unsafe { word.unsync_load() }
}
