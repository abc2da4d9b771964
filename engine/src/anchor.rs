//! A counted owner of one value in nonpaged memory.

// UNSAFETY: reference counting over memory taken from the kernel.
#![expect(unsafe_code, reason = "the count keeps the block alive; the last owner frees it")]

use core::alloc::Layout;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use skua_pools::{OutOfMemory, Region, Tag};

use crate::kernel::Kernel;

/// What `Arc` is where there is an allocator: the value stays at its address until the last clone is dropped.
///
/// # Invariants
/// `block` points into the block's own region; `owners` counts the anchors that exist.
pub(crate) struct Anchor<T, K: Kernel> {
    block: NonNull<Block<T, K>>,
}

struct Block<T, K: Kernel> {
    owners: AtomicUsize,
    value: T,
    /// The memory this block lies in; moved out before it is freed.
    region: Region<K>,
}

// SAFETY: an anchor shares the value like a reference and may be the one to drop it.
unsafe impl<T: Send + Sync, K: Kernel> Send for Anchor<T, K> {}
// SAFETY: as for Send.
unsafe impl<T: Send + Sync, K: Kernel> Sync for Anchor<T, K> {}

impl<T, K: Kernel> Anchor<T, K> {
    /// What [`Anchor::new`] asks of memory, in bytes.
    pub(crate) fn bytes() -> usize {
        Region::<K>::bytes_for(Layout::new::<Block<T, K>>())
    }

    /// Puts `value` at an address of its own.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn new(kernel: &K, tag: Tag, value: T) -> Result<Self, OutOfMemory> {
        let region = Region::new(kernel.clone(), tag, Layout::new::<Block<T, K>>())?;
        let block = region.start().cast::<Block<T, K>>();
        // SAFETY: the region is large enough and aligned for the block, and nothing is in it.
        unsafe { block.write(Block { owners: AtomicUsize::new(1), value, region }) };
        Ok(Self { block })
    }

    /// The value's address, which stays the same for its life.
    #[inline]
    pub(crate) fn as_ptr(&self) -> NonNull<T> {
        // SAFETY: the value is a field of the block. Not through a reference to it: the address leads back to the block.
        unsafe { self.block.byte_add(offset_of!(Block<T, K>, value)) }.cast()
    }

    /// Gives the ownership away as the value's address; [`Anchor::from_value`] takes it back.
    pub(crate) fn into_value(self) -> NonNull<T> {
        let value = self.as_ptr();
        core::mem::forget(self);
        value
    }

    /// Takes back what [`Anchor::into_value`] gave away.
    ///
    /// # Safety
    /// `value` came from `into_value` of an anchor of this very type, and is taken back once.
    pub(crate) unsafe fn from_value(value: NonNull<T>) -> Self {
        // SAFETY: the value is a field of its block.
        let block = unsafe { value.byte_sub(offset_of!(Block<T, K>, value)) };
        Self { block: block.cast() }
    }

    #[inline]
    fn block(&self) -> &Block<T, K> {
        // SAFETY: the block lives while an anchor does.
        unsafe { self.block.as_ref() }
    }
}

impl<T, K: Kernel> Deref for Anchor<T, K> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.block().value
    }
}

impl<T, K: Kernel> Clone for Anchor<T, K> {
    fn clone(&self) -> Self {
        // Relaxed: a new owner is made from an existing one, which keeps the block alive meanwhile.
        self.block().owners.fetch_add(1, Ordering::Relaxed);
        Self { block: self.block }
    }
}

impl<T, K: Kernel> Drop for Anchor<T, K> {
    fn drop(&mut self) {
        // Release: what this owner did with the value happens before it is dropped, by whoever is last.
        if self.block().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        let block = self.block.as_ptr();
        // SAFETY: a field of the block, which no other owner has.
        let region = unsafe { &raw const (*block).region };
        // SAFETY: read once: nothing uses the block's copy again.
        let region = unsafe { region.read() };
        // SAFETY: as for the region.
        let value = unsafe { &raw mut (*block).value };
        // SAFETY: dropped once, in place: a value may be too large for the stack at DISPATCH_LEVEL.
        unsafe { value.drop_in_place() };
        drop(region);
    }
}
