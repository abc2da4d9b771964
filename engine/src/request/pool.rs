//! All the requests that a client can have under way, taken at open.

// UNSAFETY: builds IRPs and MDLs in place, and keeps a list of slots by address.
#![expect(unsafe_code, reason = "slots keep their address for the pool's life")]

use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use core::task::Waker;
use core::time::Duration;

use skua_pools::{Pool, PoolConfig, PoolError, Tag};

use crate::abi::nt::{IO_SIZE_OF_IRP_1, KEVENT, mm_initialize_mdl};
use crate::abi::zeroed;
use crate::anchor::Anchor;
use crate::buffers::Buffers;
use crate::deadline::Deadline;
use crate::kernel::Kernel;
use crate::processor::{Dispatch, Passive};
use crate::request::buffer::Buffer;
use crate::request::slot::{Slot, conclude, finish, keep};
use crate::request::waker::DispatchWaker;
use crate::send::context::layout;

/// Pool tag of requests.
const TAG: Tag = Tag::new(b"SkRq");

/// How many requests there can be at once, and how much each can carry.
#[derive(Clone, Copy, Debug)]
pub struct RequestsConfig {
    /// Slots: one for each request under way and for each [`Buffer`] that somebody holds. At least 1.
    pub slots: u32,
    /// Bytes of data a slot holds, 1 to 16 MiB. Names are handed over there too: 1 KiB is enough for any.
    pub bytes: u32,
    /// The wakers that completions may call at DISPATCH_LEVEL. All others wait for [`Requests::serve`].
    pub wakers: Option<DispatchWaker>,
}

impl Default for RequestsConfig {
    /// 64 requests of 16 KiB, and no executor known.
    fn default() -> Self {
        Self { slots: 64, bytes: 16 << 10, wakers: None }
    }
}

/// The slots of requests: each an IRP, a waker's place and a buffer. A handle: clones are the same slots.
///
/// Whatever is under way keeps the memory; the last to let go frees it.
pub struct Requests<K: Kernel> {
    pub(crate) block: Anchor<RequestsBlock<K>, K>,
}

impl<K: Kernel> Clone for Requests<K> {
    fn clone(&self) -> Self {
        Self { block: self.block.clone() }
    }
}

pub(crate) struct RequestsBlock<K: Kernel> {
    pub kernel: K,
    pub pool: Pool<Slot<K>, K>,
    /// Data bytes of a slot.
    pub bytes: u32,
    wakers: Option<DispatchWaker>,
    /// Slots taken and not given back.
    pub taken: AtomicU32,
    /// Slots of requests that are over and wait for PASSIVE_LEVEL: pushed by completers, taken whole by `serve`.
    deferred: AtomicPtr<Slot<K>>,
    /// Signalled when there are some.
    has_deferred: UnsafeCell<KEVENT>,
    /// MDLs and data; dropped after the pool, whose slots point into it.
    _buffers: Buffers<K>,
}

// SAFETY: the event is the kernel's to guard, the rest is Sync.
unsafe impl<K: Kernel> Sync for RequestsBlock<K> {}
// SAFETY: nothing belongs to a thread.
unsafe impl<K: Kernel> Send for RequestsBlock<K> {}

impl<K: Kernel> Requests<K> {
    /// Takes all memory and builds every IRP and MDL.
    ///
    /// # Errors
    /// [`PoolError`]; nothing is held then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn open(kernel: &K, config: &RequestsConfig, _passive: &Passive<'_>) -> Result<Self, PoolError> {
        let (pool_config, bytes) = sizes(config);
        let slots = pool_config.slots()?;
        let (offset, size) = layout(bytes).ok_or(PoolError::TooManySlots(slots.into()))?;
        let buffers = Buffers::new(kernel, TAG, slots, size)?;
        let mut pool = Pool::new(kernel.clone(), TAG, &pool_config, |index| {
            let start = buffers.at(index);
            // SAFETY: the buffer holds the MDL's room and then the data.
            let data = unsafe { start.add(offset) };
            Slot::over(start.cast(), data)
        })?;
        for (_, slot) in pool.slots_mut() {
            // SAFETY: the slot stays where it is for the pool's life, and holds no IRP in use.
            unsafe { kernel.io_initialize_irp(slot.irp(), IO_SIZE_OF_IRP_1, 1) };
            // SAFETY: nobody waits on it yet.
            unsafe { kernel.ke_initialize_event(slot.event(), false) };
            // SAFETY: the slot is the opener's.
            let mdl = unsafe { (*slot.buffer()).Mdl };
            // SAFETY: the buffer has room for an MDL over the data wherever that begins.
            unsafe { mm_initialize_mdl(mdl, slot.data().as_ptr().cast(), bytes) };
            // SAFETY: initialised just now, over nonpaged memory.
            unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
        }
        let block = RequestsBlock {
            kernel: kernel.clone(),
            pool,
            bytes,
            wakers: config.wakers,
            taken: AtomicU32::new(0),
            deferred: AtomicPtr::new(null_mut()),
            has_deferred: UnsafeCell::new(zeroed()),
            _buffers: buffers,
        };
        let block = Anchor::new(kernel, TAG, block)?;
        // SAFETY: it lies where it will stay, and nobody waits on it.
        unsafe { kernel.ke_initialize_event(block.has_deferred.get(), false) };
        Ok(Self { block })
    }

    /// Exactly the bytes that [`Requests::open`] asks of memory.
    ///
    /// # Errors
    /// As [`Requests::open`], for settings that contradict each other.
    pub fn bytes(config: &RequestsConfig) -> Result<usize, PoolError> {
        let (pool_config, bytes) = sizes(config);
        let slots = pool_config.slots()?;
        let too_many = PoolError::TooManySlots(slots.into());
        let (_, size) = layout(bytes).ok_or(too_many)?;
        let parts = [
            Buffers::<K>::bytes(slots, size).ok_or(too_many)?,
            Pool::<Slot<K>, K>::bytes(&pool_config)?,
            Anchor::<RequestsBlock<K>, K>::bytes(),
        ];
        parts.into_iter().try_fold(0_usize, usize::checked_add).ok_or(too_many)
    }

    /// A slot, to be filled and sent or received into; `None` when all are in use.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn take(&self) -> Option<Buffer<K>> {
        Buffer::take(self)
    }

    /// Slots in somebody's hands or under way, at the moment of asking.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn outstanding(&self) -> u32 {
        self.block.taken.load(Ordering::Relaxed)
    }

    /// The kernel they were opened on.
    #[must_use]
    pub fn kernel(&self) -> &K {
        &self.block.kernel
    }

    /// Waits at most `wait` for requests that are over and need PASSIVE_LEVEL for the rest, and sees to them: wakes tasks
    /// whose wakers are not marked as safe at DISPATCH_LEVEL, and frees what only PASSIVE_LEVEL may. How many there were.
    ///
    /// For the thread of an executor, between its tasks, or for a system thread of its own. Any number of threads may
    /// call it.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL; does nothing above it.
    pub fn serve(&self, wait: Duration, passive: &Passive<'_>) -> usize {
        let block = &*self.block;
        if !passive.holds(&block.kernel) {
            return 0;
        }
        let timeout = Deadline::after(&block.kernel, wait).remaining(&block.kernel);
        let event = block.has_deferred.get();
        if block.deferred.load(Ordering::Relaxed).is_null() {
            // SAFETY: initialised at open, and alive with the block.
            let _signalled = unsafe { block.kernel.ke_wait_for_single_object(event, Some(timeout)) };
        }
        // Cleared before the list is taken: what is pushed in between signals again.
        // SAFETY: initialised at open.
        unsafe { block.kernel.ke_clear_event(event) };
        let mut served = 0;
        let mut next = block.deferred.swap(null_mut(), Ordering::Acquire);
        while let Some(slot) = NonNull::new(next) {
            // SAFETY: the whole list was taken, so its slots are owned here.
            let held = unsafe { slot.as_ref() };
            // SAFETY: as above; read before it is given away.
            next = unsafe { *held.next.get() };
            // SAFETY: taken from the list.
            unsafe { serve(slot) };
            served += 1;
        }
        served
    }
}

impl<K: Kernel> RequestsBlock<K> {
    /// Whether a completion may call it.
    pub(super) fn may_wake(&self, waker: &Waker) -> bool {
        self.wakers.is_some_and(|known| known.is(waker))
    }

    /// Leaves a slot to [`Requests::serve`]. A retry means that another push or take has completed.
    ///
    /// # Safety
    /// The slot is the caller's and on no list; somebody holds an anchor of the block.
    pub(crate) unsafe fn defer(this: NonNull<Self>, slot: NonNull<Slot<K>>) {
        // The slot may be served, and with it the last other anchor be gone, before the event is signalled.
        // SAFETY: the caller's promise.
        let block = unsafe { keep(this) };
        let mut head = block.deferred.load(Ordering::Relaxed);
        loop {
            // SAFETY: the slot is the caller's until the exchange succeeds.
            let next = unsafe { slot.as_ref() }.next.get();
            // SAFETY: as above.
            unsafe { next.write(head) };
            match block.deferred.compare_exchange(head, slot.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        Dispatch::with(&block.kernel, |_| {
            // SAFETY: initialised at open.
            unsafe { block.kernel.ke_set_event(block.has_deferred.get()) };
        });
    }
}

/// Sees to one deferred slot.
///
/// # Safety
/// It was taken from the list.
unsafe fn serve<K: Kernel>(this: NonNull<Slot<K>>) {
    // SAFETY: the caller's promise.
    let slot = unsafe { this.as_ref() };
    if slot.word.is_done() {
        // Done and deferred: it was detached.
        // SAFETY: as above.
        unsafe { conclude(this) };
        return;
    }
    // SAFETY: claimed, with the cell filled.
    let waker = unsafe { (*slot.waker()).take() };
    // SAFETY: claimed.
    unsafe { finish(this, true) };
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn sizes(config: &RequestsConfig) -> (PoolConfig, u32) {
    (PoolConfig { capacity: config.slots, shards: 0, magazine: 0 }, config.bytes.clamp(1, 16 << 20))
}
