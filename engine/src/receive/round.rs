//! A round: up to [`BATCH`](crate::receive::batch::BATCH) datagrams of one source, through admission and handler.

use crate::admission::Admission;
use crate::engine::EngineBlock;
use crate::engine::shard::Shard;
use crate::handler::{Batch, Handler};
use crate::kernel::Kernel;
use crate::receive::batch::{Marks, Round};
use crate::socket::core::SocketCore;

/// Hands the entries in the shard's scratch to the handler, less those that are not let in, and counts them. What the handler
/// did not look at is consumed.
#[inline]
pub(crate) fn run<K: Kernel, H: Handler<K>>(
    engine: &EngineBlock<K, H>,
    source: &SocketCore<K>,
    shard: &mut Shard<K, H>,
    processor: u32,
    local_port: u16,
    now: u64,
) -> Marks {
    let mut marks = Marks::default();
    admit(&engine.admission, shard, &mut marks, now);
    let handed = shard.entries.len() as u64;
    if handed == 0 {
        return marks;
    }
    let refused = shard.tally.refused();
    let kept_before = shard.tally.kept;
    shard.tally.bytes += shard.entries.iter().map(|entry| entry.payload.len() as u64).sum::<u64>();
    shard.tally.batches += 1;
    let round = Round {
        engine: &engine.core,
        socket: source,
        tally: &mut shard.tally,
        lending: &mut shard.lending,
        processor,
        local_port,
        marks: &mut marks,
    };
    let mut batch = Batch::new(&mut shard.entries, round);
    engine.handler.receive(&mut shard.handler, &mut batch);
    let gone = (shard.tally.refused() - refused) + (shard.tally.kept - kept_before);
    shard.tally.accepted += handed - gone;
    marks
}

/// Leaves in the round only what the allow-list, the rates and the sampling let in.
#[inline]
fn admit<K: Kernel, H: Handler<K>>(
    admission: &Admission<K>,
    shard: &mut Shard<K, H>,
    marks: &mut Marks,
    now: u64,
) {
    if admission.is_passthrough() {
        return;
    }
    let Shard { admission: part, entries, tally, .. } = shard;
    let Some(mut gate) = part.as_mut().and_then(|part| admission.begin(part, now)) else { return };
    for entry in entries.iter() {
        gate.prefetch(&entry.remote.address);
    }
    entries.retain(|entry| {
        #[expect(clippy::cast_possible_truncation, reason = "a payload is at most 65,535 bytes")]
        let bytes = entry.payload.len() as u32;
        let refuse = |reason| {
            marks.refused |= 1 << entry.position;
            tally.refuse(reason);
        };
        gate.admit(&entry.remote.address, bytes).map_err(refuse).is_ok()
    });
}
