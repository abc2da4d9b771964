//! Slots built once and lent out one at a time.

// UNSAFETY: makes addresses of slots from indices, and lends all of them while the pool is borrowed mutably.
#![expect(unsafe_code, reason = "slots are addressed inside the slab, without a reference to the whole")]

use core::ptr::NonNull;

use crate::magazine::{MAGAZINE_MAX, Magazine};
use crate::memory::{Memory, OutOfMemory, Tag};
use crate::primitive::{AtomicU32, Ordering, PlainAtomicU64};
use crate::slab::Slab;
use crate::slot::Slot;
use crate::stack::{Chain, MAX_SLOTS, Stack};

/// How many slots a pool has and who keeps some back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Slots that any single taker can hold when nothing else is held; at least 1.
    pub capacity: u32,
    /// How many magazines the pool gives out; 0 for a pool that is only used shared.
    pub shards: u32,
    /// Free slots that one magazine keeps at most; 0 to [`MAGAZINE_MAX`].
    pub magazine: u32,
}

/// Why a pool was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A capacity of 0.
    #[error("a pool of 0 slots serves nobody: give it a capacity of at least 1")]
    NoCapacity,
    /// A magazine above [`MAGAZINE_MAX`].
    #[error("a magazine keeps at most {MAGAZINE_MAX} slots, not {0}")]
    MagazineTooLarge(u32),
    /// More slots than 24 bits number.
    #[error("{0} slots (capacity + shards x magazine) exceed 16777215: lower the capacity or the magazines")]
    TooManySlots(u64),
    /// The memory is not to be had.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl PoolConfig {
    /// Slots in all: the capacity, and for each shard a magazine's worth, so that full magazines elsewhere never keep
    /// a taker from the capacity.
    ///
    /// # Errors
    /// [`PoolError`] for sizes that no pool can have.
    ///
    /// # IRQL
    /// Any.
    pub fn slots(&self) -> Result<u32, PoolError> {
        if self.capacity == 0 {
            return Err(PoolError::NoCapacity);
        }
        if self.magazine as usize > MAGAZINE_MAX {
            return Err(PoolError::MagazineTooLarge(self.magazine));
        }
        // No overflow: 2^32 + 2^32 * 64.
        let slots = u64::from(self.capacity) + u64::from(self.shards) * u64::from(self.magazine);
        match u32::try_from(slots) {
            Ok(slots) if slots <= MAX_SLOTS => Ok(slots),
            _ => Err(PoolError::TooManySlots(slots)),
        }
    }
}

/// A fixed number of `T`, built at open, lent out as [`Slot`]s and never rebuilt.
///
/// Each shard takes from and puts into its own [`Magazine`], without atomics; magazines refill from and flush to one
/// shared stack, half a magazine by one compare-exchange. Slots return from any thread and context.
///
/// # Invariants
/// A slot is in exactly one place: on the stack, in one magazine, under one `Slot`, or given up by
/// [`Slot::into_raw`]. Whoever has it there alone may touch the element. Elements change threads with their slots, so
/// a pool of what is not `Send` is not shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// fn pool<M: skua_pools::Memory + Sync>() {
///     shared::<skua_pools::Pool<*const u8, M>>();
/// }
/// ```
pub struct Pool<T, M: Memory> {
    slots: Slab<T, M>,
    /// `links[i]` belongs to slot `i`, apart from it: a slot in use is never read or written by the free list.
    links: Slab<AtomicU32, M>,
    stack: Stack,
    /// Told apart from every other pool by this, so that a magazine of another pool is recognised even when that pool
    /// is gone and this one lies at its address.
    identity: u64,
    magazine: usize,
    /// Magazines that may still be made; written at open and at retirement only.
    magazines_left: AtomicU32,
}

impl<T, M: Memory> Pool<T, M> {
    /// Takes the memory and builds every slot with `init(index)`.
    ///
    /// An element that must know its own address is completed with [`slots_mut`](Pool::slots_mut).
    ///
    /// # Errors
    /// [`PoolError`]; nothing is held then, and what `init` built has been dropped.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(
        memory: M,
        tag: Tag,
        config: &PoolConfig,
        mut init: impl FnMut(u32) -> T,
    ) -> Result<Self, PoolError>
    where
        M: Clone,
    {
        const { assert!(size_of::<T>() != 0, "slots are told apart by their address, so T needs a size") };
        let slots = config.slots()?;
        let mut indices = 0..slots;
        let links = Slab::new(memory.clone(), tag, slots as usize, |_| {
            let index = indices.next().unwrap_or(slots);
            AtomicU32::new(Stack::initial_link(index, slots))
        })?;
        let mut indices = 0..slots;
        let slots = Slab::new(memory, tag, slots as usize, |_| init(indices.next().unwrap_or(slots)))?;
        Ok(Self {
            slots,
            links,
            stack: Stack::full(),
            identity: next_identity(),
            magazine: config.magazine as usize,
            magazines_left: AtomicU32::new(config.shards),
        })
    }

    /// Exactly how many bytes [`new`](Pool::new) asks of [`Memory`], in two requests.
    ///
    /// # Errors
    /// [`PoolError`] for sizes that no pool can have.
    ///
    /// # IRQL
    /// Any.
    pub fn bytes(config: &PoolConfig) -> Result<usize, PoolError> {
        let slots = config.slots()?;
        let elements = Slab::<T, M>::bytes(slots as usize);
        let links = Slab::<AtomicU32, M>::bytes(slots as usize);
        elements
            .zip(links)
            .and_then(|(elements, links)| elements.checked_add(links))
            .ok_or(PoolError::TooManySlots(u64::from(slots)))
    }

    /// A magazine, empty, for one shard; `None` once as many are out as the configuration has shards.
    ///
    /// # IRQL
    /// Any; meant for open.
    #[must_use]
    pub fn magazine(&self) -> Option<Magazine<T>> {
        self.magazines_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .ok()
            .map(|_| Magazine::new(self.identity, self.magazine))
    }

    /// Takes a slot, from the magazine if it has one; `None` when neither it nor the shared stack has.
    ///
    /// A magazine of another pool is left alone: the slot comes from the shared stack.
    ///
    /// # IRQL
    /// Any, provided that the magazine's shard is held.
    #[inline]
    pub fn take<'p>(&'p self, magazine: &mut Magazine<T>) -> Option<Slot<'p, T, M>> {
        if magazine.belongs_to(self.identity)
            && let Some(value) = magazine.pop()
        {
            return Some(Slot::new(self, value));
        }
        self.refill(magazine)
    }

    /// Takes a slot from the shared stack by one exchange.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn take_shared(&self) -> Option<Slot<'_, T, M>> {
        let mut chain = self.stack.pop(&self.links, 1)?.indices(&self.links);
        chain.next().map(|index| Slot::new(self, self.address_of(index)))
    }

    /// Returns a slot through the magazine.
    ///
    /// A slot or magazine of another pool is recognised: the slot goes to its own pool's shared stack.
    ///
    /// # IRQL
    /// Any, provided that the magazine's shard is held.
    #[inline]
    pub fn put(&self, slot: Slot<'_, T, M>, magazine: &mut Magazine<T>) {
        if !core::ptr::eq(slot.pool(), self) || !magazine.belongs_to(self.identity) {
            return misdirected(slot);
        }
        let value = slot.into_raw();
        if !magazine.push(value) {
            self.flush(value, magazine);
        }
    }

    /// Takes back a magazine and its slots, so that another can be made. One of another pool is dropped.
    ///
    /// # IRQL
    /// Any; meant for close.
    pub fn retire(&self, mut magazine: Magazine<T>) {
        if !magazine.belongs_to(self.identity) {
            return;
        }
        let mut values = magazine.drain_all();
        if let Some(first) = values.next() {
            self.put_chain(first, values);
        }
        self.magazines_left.fetch_add(1, Ordering::Relaxed);
    }

    /// Every slot with its index, for completing elements in place before use.
    ///
    /// The borrow proves that no [`Slot`] is out. Addresses from [`Slot::into_raw`] must not be used during it.
    ///
    /// # IRQL
    /// Any; meant for open.
    pub fn slots_mut(&mut self) -> impl ExactSizeIterator<Item = (u32, &mut T)> {
        // `slots` fits in u32 by `PoolConfig::slots`, so the two ranges end together.
        self.slots.iter_mut().zip(0..MAX_SLOTS).map(|(value, index)| (index, value))
    }

    /// Number of slots, the magazines' surplus included.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.count()
    }

    /// How many slots are not on the shared stack, found by walking it.
    ///
    /// With all magazines retired these are the ones somebody still holds: 0 at an orderly close.
    ///
    /// # IRQL
    /// Any; takes time in proportion to the slots, so meant for close.
    #[must_use]
    pub fn outstanding(&mut self) -> usize {
        self.slots.count() - self.stack.count(&self.links) as usize
    }

    /// Brings half a magazine from the shared stack and gives out one of it.
    #[cold]
    #[inline(never)]
    fn refill<'p>(&'p self, magazine: &mut Magazine<T>) -> Option<Slot<'p, T, M>> {
        if !magazine.belongs_to(self.identity) {
            return self.take_shared();
        }
        let mut chain = self.stack.pop(&self.links, magazine.refill())?.indices(&self.links);
        let first = chain.next()?;
        for index in chain {
            // Never refused: the magazine was empty, and at most half its size arrives.
            let kept = magazine.push(self.address_of(index));
            debug_assert!(kept);
        }
        Some(Slot::new(self, self.address_of(first)))
    }

    /// Sends `value` and the magazine's older half to the shared stack by one exchange.
    #[cold]
    #[inline(never)]
    fn flush(&self, value: NonNull<T>, magazine: &mut Magazine<T>) {
        self.put_chain(value, magazine.drain_half());
    }

    /// Returns owned slots to the shared stack by one exchange.
    fn put_chain(&self, first: NonNull<T>, rest: impl Iterator<Item = NonNull<T>>) {
        let mut chain = Chain::of(self.index_of(first));
        rest.for_each(|value| chain.prepend(&self.links, self.index_of(value)));
        self.stack.push(&self.links, chain);
    }

    /// Returns an owned slot to the shared stack.
    #[inline]
    pub(crate) fn put_shared(&self, value: NonNull<T>) {
        self.stack.push(&self.links, Chain::of(self.index_of(value)));
    }

    /// The index of an address that `address_of` made.
    #[inline]
    pub(crate) fn index_of(&self, value: NonNull<T>) -> u32 {
        // SAFETY: both lie in the slab, a whole number of elements apart, and the base comes first.
        let index = unsafe { value.offset_from_unsigned(self.slots.base()) };
        #[expect(clippy::cast_possible_truncation, reason = "a pool has fewer than 2^24 slots")]
        let index = index as u32;
        index
    }

    /// Whether `value` is the address of one of the slots.
    pub(crate) fn contains(&self, value: NonNull<T>) -> bool {
        let distance = value.addr().get().wrapping_sub(self.slots.base().addr().get());
        distance.is_multiple_of(size_of::<T>()) && distance / size_of::<T>() < self.slots.count()
    }

    /// The address of slot `index`, an index that came off the stack.
    #[inline]
    fn address_of(&self, index: u32) -> NonNull<T> {
        // SAFETY: indices on the stack are below the number of slots.
        unsafe { self.slots.base().add(index as usize) }
    }
}

/// Sends a slot home that was put with another pool or magazine: dropping it returns it to its own pool.
#[cold]
fn misdirected<T, M: Memory>(slot: Slot<'_, T, M>) {
    drop(slot);
}

/// A number that no other pool gets. 64 bits do not wrap.
fn next_identity() -> u64 {
    static NEXT: PlainAtomicU64 = PlainAtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

// SAFETY: sharing a pool lets threads take each other's elements, which `T: Send` permits, and never lends one to
// two of them; the free list is made of atomics.
unsafe impl<T: Send, M: Memory + Sync> Sync for Pool<T, M> {}
