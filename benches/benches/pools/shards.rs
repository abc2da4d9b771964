//! The pool as any thread uses it: it raises, and takes the magazine of the processor it is on.

// UNSAFETY: hands out what belongs to a processor to the thread that holds it.
#![expect(unsafe_code, reason = "one thread at a time holds a processor")]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::CachePadded;
use skua_benches::SystemMemory;
use skua_engine::{Dispatch, Kernel};
use skua_hosted::{HostConfig, HostKernel};
use skua_pools::{Magazine, Slot};

use crate::contestants::{Element, ElementPool, Slots};

/// A magazine for each of two processors.
pub(crate) struct Shards<'p> {
    kernel: HostKernel,
    pool: &'p ElementPool,
    cells: [CachePadded<Shard>; 2],
}

/// What the engine has for each processor: `entered` is written only by the thread that holds it.
struct Shard {
    entered: AtomicBool,
    magazine: UnsafeCell<Magazine<Element>>,
}

// SAFETY: a magazine is reached by one thread at a time, the one that holds its processor.
unsafe impl Sync for Shard {}

impl<'p> Shards<'p> {
    pub(crate) fn new(pool: &'p ElementPool) -> Self {
        let shard = || {
            let magazine = pool.magazine().expect("as many magazines as processors").into();
            CachePadded::new(Shard { entered: AtomicBool::new(false), magazine })
        };
        let kernel = HostKernel::new(HostConfig::loopback(2).unverified());
        Self { kernel, pool, cells: [shard(), shard()] }
    }

    /// Works with the magazine of `processor`, which the thread holds.
    #[inline]
    fn enter<R>(&self, processor: u32, work: impl FnOnce(&mut Magazine<Element>) -> R) -> Option<R> {
        let shard = self.cells.get(processor as usize)?;
        if shard.entered.load(Ordering::Relaxed) {
            return None;
        }
        shard.entered.store(true, Ordering::Relaxed);
        // SAFETY: the thread holds the processor and is not inside already.
        let magazine = unsafe { &mut *shard.magazine.get() };
        let result = work(magazine);
        shard.entered.store(false, Ordering::Relaxed);
        Some(result)
    }
}

/// Raises and lowers for each slot.
pub(crate) struct Raising<'s, 'p>(pub(crate) &'s Shards<'p>);

impl<'p> Slots for Raising<'_, 'p> {
    type Slot = Slot<'p, Element, SystemMemory>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        let shards = self.0;
        Dispatch::with(&shards.kernel, |held| {
            shards.enter(held.processor(), |magazine| shards.pool.take(magazine)).flatten()
        })
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        let shards = self.0;
        Dispatch::with(&shards.kernel, |held| {
            shards.enter(held.processor(), |magazine| shards.pool.put(slot, magazine));
        });
    }
}

/// Has raised already, as a receive callback and a completion routine have.
pub(crate) struct Raised<'s, 'p>(pub(crate) &'s Shards<'p>);

impl<'p> Slots for Raised<'_, 'p> {
    type Slot = Slot<'p, Element, SystemMemory>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        let processor = self.0.kernel.ke_get_current_processor_index();
        self.0.enter(processor, |magazine| self.0.pool.take(magazine)).flatten()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        let processor = self.0.kernel.ke_get_current_processor_index();
        self.0.enter(processor, |magazine| self.0.pool.put(slot, magazine));
    }

    fn during<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        Dispatch::with(&self.0.kernel, |_| work(&mut Self(self.0)))
    }
}
