//! The only switch between core's atomics and loom's.
//!
//! Everything that loom explores takes its atomics from here. What stays core's in every build is outside the
//! explored state: the source of pool identities, and words that lie in mapped bytes.

/// Core's in every build.
pub(crate) use core::sync::atomic::AtomicU64 as PlainAtomicU64;
pub(crate) use core::sync::atomic::Ordering;

#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, fence};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, fence};
