//! One shard's own stack of free slots, in front of the shared one.

// UNSAFETY: free slots are kept as addresses, which are not `Send` by themselves.
#![expect(unsafe_code, reason = "a magazine of addresses moves between threads with its shard")]

use core::ptr::NonNull;

use arrayvec::ArrayVec;

/// The largest magazine: slots that one shard can keep to itself.
pub const MAGAZINE_MAX: usize = 64;

/// Free slots that one shard holds for itself, so that taking and putting touch no atomic.
///
/// It belongs to the pool that made it ([`Pool::magazine`](crate::Pool::magazine)). Empty, it takes half its size from
/// the shared stack by one exchange; full, it gives half back the same way, so a shard that alternates never
/// exchanges twice in a row. Slots in a magazine that is dropped stay unused until the pool goes: give it back with
/// [`Pool::retire`](crate::Pool::retire) instead.
///
/// # Invariants
/// `free.len() <= size <= MAGAZINE_MAX`. Every address is a slot of pool `owner`, free, and in no other place.
pub struct Magazine<T> {
    /// Identity of the pool whose slots these are; no two pools of a process's life share one.
    owner: u64,
    size: usize,
    free: ArrayVec<NonNull<T>, MAGAZINE_MAX>,
}

impl<T> Magazine<T> {
    /// How many free slots it holds now.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn len(&self) -> usize {
        self.free.len()
    }

    /// Whether the next take goes to the shared stack.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// How many free slots it holds at most.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn new(owner: u64, size: usize) -> Self {
        Self { owner, size: size.min(MAGAZINE_MAX), free: ArrayVec::new() }
    }

    #[inline]
    pub(crate) fn belongs_to(&self, pool: u64) -> bool {
        self.owner == pool
    }

    /// The slot put last, which is the one most likely in cache.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<NonNull<T>> {
        self.free.pop()
    }

    /// Keeps a free slot, or says that the magazine is full.
    #[inline]
    pub(crate) fn push(&mut self, slot: NonNull<T>) -> bool {
        if self.free.len() >= self.size {
            return false;
        }
        // SAFETY: `len < size <= MAGAZINE_MAX`, the array's capacity.
        unsafe { self.free.push_unchecked(slot) };
        true
    }

    /// How many slots a refill takes: half the size, and one for a magazine that keeps none.
    pub(crate) fn refill(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "size <= MAGAZINE_MAX")]
        let half = self.size.div_ceil(2).max(1) as u32;
        half
    }

    /// Removes the half that was put longest ago, for a flush.
    pub(crate) fn drain_half(&mut self) -> impl Iterator<Item = NonNull<T>> {
        let half = self.size.div_ceil(2).min(self.free.len());
        self.free.drain(..half)
    }

    /// Removes everything, for retirement.
    pub(crate) fn drain_all(&mut self) -> impl Iterator<Item = NonNull<T>> {
        self.free.drain(..)
    }
}

// SAFETY: the slots are free: nobody else refers to them, and taking one hands out the whole `T`, which may move to
// this thread because `T: Send`.
unsafe impl<T: Send> Send for Magazine<T> {}
// SAFETY: `&Magazine` reveals numbers only.
unsafe impl<T> Sync for Magazine<T> {}
