//! What belongs to one processor.

use core::ptr::NonNull;

use arrayvec::ArrayVec;
use skua_pools::Magazine;

use crate::abi::wsk::WSK_DATAGRAM_INDICATION;
use crate::admission::AdmissionShard;
use crate::engine::core::EngineCore;
use crate::engine::tally::Tally;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::receive::batch::{BATCH, Entry, Lending};
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
    /// Scratch of the round in progress: here, because kernel stacks are small.
    pub nodes: ArrayVec<Node, BATCH>,
    /// The entries of the round, in order, less those that were refused.
    pub entries: ArrayVec<Entry, BATCH>,
}

/// An indication of the round in progress.
#[derive(Clone, Copy)]
pub(crate) struct Node(pub NonNull<WSK_DATAGRAM_INDICATION>);

// UNSAFETY: an address between two accesses by the same processor.
#[expect(unsafe_code, reason = "scratch of a round: used only by the thread that holds the shard")]
// SAFETY: the address is not used between rounds, so moving the shard moves nothing in use.
unsafe impl Send for Node {}

impl<K: Kernel, H: Handler<K>> Shard<K, H> {
    /// Publishes what was counted since the last time.
    #[inline]
    pub(crate) fn publish(&mut self, engine: &EngineCore<K>, processor: u32) {
        if let Some(ledger) = engine.ledgers.get(processor as usize) {
            ledger.counters.publish(&self.tally.to_array());
        }
        self.tally = Tally::default();
    }
}
