//! What belongs to one processor.

// UNSAFETY: makes a shard where it stays.
#![expect(unsafe_code, reason = "a shard is too large for a kernel's stack")]

use skua_pools::{Magazine, OutOfMemory, Tag};

use crate::admission::AdmissionShard;
use crate::engine::core::EngineCore;
use crate::engine::tally::Tally;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::{PerProcessor, write_field};
use crate::receive::batch::Lending;
use crate::receive::entry::Scratch;
use crate::send::context::SendContext;

/// The state of one processor: touched by the thread that holds it, without an atomic read-modify-write.
pub(crate) struct Shard<K: Kernel, H: Handler<K>> {
    /// The handler's own.
    pub handler: H::Shard,
    /// Source rows, buckets and the sampling count; always there: each shard takes its own once.
    pub admission: Option<AdmissionShard>,
    /// Counts since they were last published.
    pub tally: Tally,
    /// Free send contexts; `None` where the engine does not send.
    pub sends: Option<Magazine<SendContext<K>>>,
    /// What the handler keeps of lent memory.
    pub lending: Lending,
    /// The round in progress.
    pub scratch: Scratch,
}

/// What a shard is made of that is not the same for all.
pub(crate) struct Parts<K: Kernel, H: Handler<K>> {
    pub handler: H::Shard,
    pub admission: Option<AdmissionShard>,
    pub sends: Option<Magazine<SendContext<K>>>,
}

impl<K: Kernel, H: Handler<K>> Shard<K, H> {
    /// A shard for each of `count` processors.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn for_each_processor(
        kernel: &K,
        tag: Tag,
        count: u32,
        mut parts: impl FnMut(u32) -> Parts<K, H>,
    ) -> Result<PerProcessor<Self, K>, OutOfMemory> {
        let make = |processor, place| {
            let parts = parts(processor);
            // SAFETY: the place that `new` gives.
            unsafe { Self::write_at(place, parts) };
        };
        // SAFETY: it makes a shard there.
        unsafe { PerProcessor::new(kernel, tag, count, make) }
    }

    /// # Safety
    /// `place` has room for a shard, and is the caller's.
    unsafe fn write_at(place: *mut Self, parts: Parts<K, H>) {
        let Parts { handler, admission, sends } = parts;
        write_field!(place.handler = handler);
        write_field!(place.admission = admission);
        write_field!(place.tally = Tally::default());
        write_field!(place.sends = sends);
        write_field!(place.lending = Lending::default());
        // SAFETY: a field of the place.
        let scratch = unsafe { &raw mut (*place).scratch };
        // SAFETY: as above.
        unsafe { Scratch::write_at(scratch) };
    }

    /// Publishes what was counted since the last time.
    #[inline]
    pub(crate) fn publish(&mut self, engine: &EngineCore<K>, processor: u32) {
        if let Some(ledger) = engine.ledgers.get(processor as usize) {
            self.tally.publish(&ledger.counters);
        }
    }
}
