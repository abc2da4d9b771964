//! The guard over one slot.

// UNSAFETY: lends the element behind an address; crosses contexts that carry a plain pointer.
#![expect(unsafe_code, reason = "a slot is an address in the pool's slab")]

use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use crate::memory::Memory;
use crate::pool::Pool;

/// One slot of a [`Pool`], owned until it is dropped, put back, or turned into its address.
///
/// Dropping it returns it to the shared stack by one exchange, from any thread and at any IRQL;
/// [`Pool::put`] returns it to the shard's magazine without one. The element inside stays built either way.
/// It cannot outlive its pool:
///
/// ```compile_fail,E0505
/// fn keep<M: skua_pools::Memory>(pool: skua_pools::Pool<u32, M>) {
///     let slot = pool.take_shared();
///     drop(pool);
///     drop(slot);
/// }
/// ```
///
/// # Invariants
/// `value` is a built slot of `pool` and nobody else holds it.
pub struct Slot<'p, T, M: Memory> {
    pool: &'p Pool<T, M>,
    value: NonNull<T>,
}

impl<'p, T, M: Memory> Slot<'p, T, M> {
    /// Gives up the guard and keeps the slot: for a context that carries one pointer, such as an IRP's.
    ///
    /// The address stays valid, and the same for this slot, for the pool's life. The slot remains taken until
    /// [`from_raw`](Slot::from_raw). Meanwhile the caller may read and write through the address, provided that nobody
    /// borrows the pool mutably ([`Pool::slots_mut`]).
    ///
    /// # IRQL
    /// Any.
    #[must_use = "the slot stays taken until `from_raw` gets this address"]
    #[inline]
    pub fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).value
    }

    /// Takes back what [`into_raw`](Slot::into_raw) gave up.
    ///
    /// # Safety
    /// `value` came from `into_raw` on a slot of this same `pool`, was not turned back since, and no reference to the
    /// element is in use.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "dropping the slot returns it to the pool"]
    #[inline]
    pub unsafe fn from_raw(pool: &'p Pool<T, M>, value: NonNull<T>) -> Self {
        debug_assert!(pool.contains(value), "from_raw with an address of another pool");
        Self { pool, value }
    }

    /// The element's address, the same for this slot for the pool's life.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    pub fn as_ptr(&self) -> NonNull<T> {
        self.value
    }

    /// Which of the pool's slots this is.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    pub fn index(&self) -> u32 {
        self.pool.index_of(self.value)
    }

    #[inline]
    pub(crate) fn new(pool: &'p Pool<T, M>, value: NonNull<T>) -> Self {
        Self { pool, value }
    }

    #[inline]
    pub(crate) fn pool(&self) -> &'p Pool<T, M> {
        self.pool
    }
}

impl<T, M: Memory> Deref for Slot<'_, T, M> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the slot is built and this guard alone holds it.
        unsafe { self.value.as_ref() }
    }
}

impl<T, M: Memory> DerefMut for Slot<'_, T, M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and the guard is borrowed mutably.
        unsafe { self.value.as_mut() }
    }
}

impl<T, M: Memory> Drop for Slot<'_, T, M> {
    #[inline]
    fn drop(&mut self) {
        self.pool.put_shared(self.value);
    }
}

impl<T: fmt::Debug, M: Memory> fmt::Debug for Slot<'_, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&**self).finish()
    }
}

// SAFETY: the guard owns the element as a `Box<T>` would, and the pool takes it back from any thread.
unsafe impl<T: Send, M: Memory + Sync> Send for Slot<'_, T, M> {}
// SAFETY: `&Slot` gives `&T` and the index.
unsafe impl<T: Send + Sync, M: Memory + Sync> Sync for Slot<'_, T, M> {}
