//! A request slot in somebody's hands: its bytes.

// UNSAFETY: lends the bytes of a slot that no provider has.
#![expect(unsafe_code, reason = "the guard owns its slot, and the slot its bytes")]

use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::abi::wsk::WSK_BUF;
use crate::anchor::Anchor;
use crate::kernel::Kernel;
use crate::request::pool::{Requests, RequestsBlock};
use crate::request::slot::Slot;

/// A slot of [`Requests`] with its bytes, outside of any request: to be filled and sent, or received into. Whoever asks
/// something with it gives it away until the answer brings it back, so that nobody looks at bytes that a provider has.
///
/// Dereferenced it is the bytes that are filled. Dropping it gives it back.
pub struct Buffer<K: Kernel> {
    requests: Anchor<RequestsBlock<K>, K>,
    slot: NonNull<Slot<K>>,
    filled: u32,
}

// SAFETY: it owns the slot, which belongs to no thread.
unsafe impl<K: Kernel> Send for Buffer<K> {}
// SAFETY: shared, its bytes are only read.
unsafe impl<K: Kernel> Sync for Buffer<K> {}

impl<K: Kernel> Buffer<K> {
    pub(super) fn take(requests: &Requests<K>) -> Option<Self> {
        let requests = requests.block.clone();
        let slot = requests.pool.take_shared()?.into_raw();
        // SAFETY: taken just now.
        let taken = unsafe { slot.as_ref() };
        // SAFETY: as above.
        unsafe { taken.set_home(requests.as_ptr()) };
        requests.taken.fetch_add(1, Ordering::Relaxed);
        Some(Self { requests, slot, filled: 0 })
    }

    /// Bytes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.requests.bytes as usize
    }

    /// Lets `fill` write into all of its bytes and say how many of them count; more than there are count as all.
    pub fn fill_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) {
        let filled = fill(self.all());
        self.set_filled(filled);
    }

    /// Copies `bytes` in, as far as they fit, in the place of what it held; how many.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        self.fill_with(|all| {
            let fits = bytes.len().min(all.len());
            for (to, from) in all.iter_mut().zip(bytes) {
                *to = *from;
            }
            fits
        });
        self.len()
    }

    /// Says how many of its bytes count; more than there are count as all.
    pub fn set_filled(&mut self, filled: usize) {
        self.filled = u32::try_from(filled).unwrap_or(u32::MAX).min(self.requests.bytes);
    }

    pub(crate) fn all(&mut self) -> &mut [u8] {
        let capacity = self.capacity();
        // SAFETY: the slot's data is that long, was zeroed when it was taken from memory, and is this guard's alone.
        unsafe { core::slice::from_raw_parts_mut(self.slot().data().as_ptr(), capacity) }
    }

    pub(crate) fn requests(&self) -> Requests<K> {
        Requests { block: self.requests.clone() }
    }

    pub(super) fn block(&self) -> &RequestsBlock<K> {
        &self.requests
    }

    pub(crate) fn slot(&self) -> &Slot<K> {
        // SAFETY: the pool lives while the anchor does.
        unsafe { self.slot.as_ref() }
    }

    pub(crate) fn as_ptr(&self) -> NonNull<Slot<K>> {
        self.slot
    }

    /// Describes the first `bytes` of it for WSK.
    pub(crate) fn describe(&mut self, bytes: usize) -> *mut WSK_BUF {
        let buffer = self.slot().buffer();
        // SAFETY: the slot is this guard's.
        unsafe { (*buffer).Length = bytes.min(self.capacity()) };
        buffer
    }

    /// Gives the guard up; the slot's owner holds its anchor by [`Buffer::from_raw`].
    pub(crate) fn into_raw(self) -> NonNull<Slot<K>> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: taken once: the guard is not dropped.
        let requests = unsafe { core::ptr::read(&raw mut this.requests) };
        requests.into_value();
        this.slot
    }

    /// # Safety
    /// `slot` came from [`Buffer::into_raw`], and is taken back once.
    pub(crate) unsafe fn from_raw(slot: NonNull<Slot<K>>) -> Self {
        // SAFETY: the caller's promise.
        let held = unsafe { slot.as_ref() };
        // SAFETY: taken from its pool.
        let home = unsafe { held.home() };
        // SAFETY: the caller's promise.
        let requests = unsafe { Anchor::from_value(home) };
        Self { requests, slot, filled: 0 }
    }
}

impl<K: Kernel> Deref for Buffer<K> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: as in `all`; `filled` is at most the capacity.
        unsafe { core::slice::from_raw_parts(self.slot().data().as_ptr(), self.filled as usize) }
    }
}

impl<K: Kernel> DerefMut for Buffer<K> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let filled = self.filled as usize;
        self.all().get_mut(..filled).unwrap_or_default()
    }
}

impl<K: Kernel> Drop for Buffer<K> {
    fn drop(&mut self) {
        self.requests.taken.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: it came from this pool, and is given back once.
        drop(unsafe { skua_pools::Slot::from_raw(&self.requests.pool, self.slot) });
    }
}

impl<K: Kernel> core::fmt::Debug for Buffer<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Buffer({} of {} bytes)", self.filled, self.capacity())
    }
}
