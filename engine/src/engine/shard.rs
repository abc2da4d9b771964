//! What belongs to one processor.

use skua_pools::Magazine;

use crate::admission::AdmissionShard;
use crate::engine::core::EngineCore;
use crate::engine::tally::Tally;
use crate::handler::Handler;
use crate::kernel::Kernel;
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

impl<K: Kernel, H: Handler<K>> Shard<K, H> {
    /// Publishes what was counted since the last time.
    #[inline]
    pub(crate) fn publish(&mut self, engine: &EngineCore<K>, processor: u32) {
        if let Some(ledger) = engine.ledgers.get(processor as usize) {
            self.tally.publish(&ledger.counters);
        }
    }
}
