//! A fixed number of elements in one region, built once and dropped once.

// UNSAFETY: turns a region's bytes into elements and back.
#![expect(unsafe_code, reason = "elements are placed into raw memory")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::slice;

use crate::memory::{Memory, OutOfMemory, Region, Tag};

/// `len` elements of `T`, side by side, at addresses that never change.
///
/// This is what a shard table, a row table or a pool is laid out in: nothing is taken after [`new`](Slab::new). Dropping
/// it drops the elements and frees memory, at PASSIVE_LEVEL.
///
/// # Invariants
/// Elements `0..built` are initialised. Outside of `new`, `built` equals the length asked for.
pub struct Slab<T, M: Memory> {
    region: Region<M>,
    built: usize,
    /// A slab owns its elements and drops them.
    _elements: PhantomData<T>,
}

impl<T, M: Memory> Slab<T, M> {
    /// Takes room for `len` elements and builds them in order with `init(index)`.
    ///
    /// A length of 0 takes no memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] when `memory` refuses [`bytes`](Slab::bytes) bytes, or when they exceed the address space.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(
        memory: M,
        tag: Tag,
        len: usize,
        mut init: impl FnMut(usize) -> T,
    ) -> Result<Self, OutOfMemory> {
        let layout = Layout::array::<T>(len).map_err(|_| OutOfMemory { bytes: usize::MAX, tag })?;
        let region = Region::new(memory, tag, layout)?;
        // Built inside the slab, so that an `init` that panics leaves what it built to `drop`.
        let mut slab = Self { region, built: 0, _elements: PhantomData };
        while slab.built < len {
            // SAFETY: `built < len`, and the region holds `len` elements.
            let element = unsafe { slab.base().add(slab.built) };
            let value = init(slab.built);
            // SAFETY: the region is aligned for `T`, nobody else holds it, and nothing lives at `built` yet.
            unsafe { element.write(value) };
            slab.built += 1;
        }
        Ok(slab)
    }

    /// Exactly how many bytes [`new`](Slab::new) asks of [`Memory`]; `None` when they exceed the address space.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn bytes(len: usize) -> Option<usize> {
        Layout::array::<T>(len).ok().map(Region::<M>::bytes_for)
    }

    /// The first element's address, for code that lends elements out one by one and must not form a `&[T]`.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    pub fn base(&self) -> NonNull<T> {
        self.region.start().cast()
    }

    /// Number of elements, without touching them.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    pub fn count(&self) -> usize {
        self.built
    }
}

impl<T, M: Memory> Deref for Slab<T, M> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `built` elements from the base are initialised and live as long as `self`.
        unsafe { slice::from_raw_parts(self.base().as_ptr(), self.built) }
    }
}

impl<T, M: Memory> DerefMut for Slab<T, M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `&mut self` is the only way to them.
        unsafe { slice::from_raw_parts_mut(self.base().as_ptr(), self.built) }
    }
}

impl<T, M: Memory> Drop for Slab<T, M> {
    fn drop(&mut self) {
        let elements: *mut [T] = &raw mut **self;
        // SAFETY: `built` elements are initialised, and they are never touched again.
        unsafe { elements.drop_in_place() }
    }
}

// SAFETY: a slab owns its elements as `Box<[T]>` would.
unsafe impl<T: Send, M: Memory + Send> Send for Slab<T, M> {}
// SAFETY: as for `Box<[T]>`; `base` hands out an address, and using it takes unsafe code.
unsafe impl<T: Sync, M: Memory + Sync> Sync for Slab<T, M> {}
