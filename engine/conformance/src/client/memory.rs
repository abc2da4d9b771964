//! Memory of a check: nonpaged, and never freed under somebody who may still use it.

// UNSAFETY: owns allocations of the kernel's memory by address.
#![expect(unsafe_code, reason = "memory comes by address and holds what zeroes are a value of")]

use core::ops::Deref;
use core::ptr::{self, NonNull};

use skua_engine::Kernel;
use skua_pools::Tag;

use super::Bench;
use crate::outcome::Outcome;

/// What the checks' memory is charged to.
pub const TAG: Tag = Tag::new(b"SkCo");

/// Types of which all zeroes is a value.
///
/// # Safety
/// It is.
pub(crate) unsafe trait Zeroed {}

// SAFETY: plain bytes.
unsafe impl Zeroed for u8 {}
// SAFETY: plain words.
unsafe impl Zeroed for u64 {}

/// One value, or a run of `count` of them, zeroed.
///
/// Once something hung on its bench it is not freed: a provider that still has an IRP may write to it.
///
/// # Invariants
/// `start` is an allocation of `count` values, which is freed once, here.
pub(crate) struct Owned<'b, T: Zeroed, K: Kernel> {
    start: NonNull<T>,
    count: usize,
    bench: &'b Bench<K>,
}

impl<'b, T: Zeroed, K: Kernel> Owned<'b, T, K> {
    /// One zeroed value.
    pub(crate) fn new(bench: &'b Bench<K>) -> Result<Self, Outcome> {
        Self::run(bench, 1)
    }

    /// `count` zeroed values, at least 1.
    pub(crate) fn run(bench: &'b Bench<K>, count: usize) -> Result<Self, Outcome> {
        const { assert!(align_of::<T>() <= skua_pools::MEMORY_ALIGNMENT) };
        let bytes = size_of::<T>().saturating_mul(count.max(1));
        let start = bench.kernel().allocate(bytes, TAG);
        let start = start.ok_or(Outcome::NotApplicable { why: "no memory for the check" })?;
        Ok(Self { start: start.cast(), count: count.max(1), bench })
    }

    /// Where it lies. It stays there.
    pub(crate) const fn as_ptr(&self) -> *mut T {
        self.start.as_ptr()
    }

    pub(crate) const fn bench(&self) -> &'b Bench<K> {
        self.bench
    }
}

impl<K: Kernel> Owned<'_, u8, K> {
    /// All of them.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes, and no request writes to them while a check looks.
        unsafe { core::slice::from_raw_parts(self.as_ptr(), self.count) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.as_ptr(), self.count) }
    }
}

impl<T: Zeroed, K: Kernel> Deref for Owned<'_, T, K> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: initialised by being zeroed, and freed when `self` is dropped only.
        unsafe { self.start.as_ref() }
    }
}

impl<T: Zeroed, K: Kernel> Drop for Owned<'_, T, K> {
    fn drop(&mut self) {
        if self.bench.hung().is_some() {
            return;
        }
        // SAFETY: the value is not used any more.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.count)) };
        let bytes = size_of::<T>() * self.count;
        // SAFETY: allocated with the same numbers by `run`.
        unsafe { self.bench.kernel().free(self.start.cast(), bytes, TAG) };
    }
}
