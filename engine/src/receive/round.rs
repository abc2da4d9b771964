//! A round: up to [`BATCH`](crate::receive::entry::BATCH) datagrams of one source, through admission and handler.

use crate::address::Address;
use crate::admission::{Admission, Gate, Metering};
use crate::engine::EngineBlock;
use crate::engine::shard::Shard;
use crate::handler::{Batch, Handler};
use crate::kernel::Kernel;
use crate::reason::DropReason;
use crate::receive::batch::{Arrival, Marks, Round};
use crate::receive::entry::Entry;
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
    arrival: &Arrival<'_, K>,
) -> Marks {
    let mut marks = Marks::default();
    shard.tally.indicated += shard.scratch.count as u64;
    if !engine.admission.is_passthrough() {
        admit(&engine.admission, shard, || arrival.ticks());
    }
    let entries = shard.scratch.entries();
    let handed = entries.len() as u64;
    if handed == 0 {
        return marks;
    }
    shard.tally.bytes += shard.scratch.bytes;
    shard.tally.batches += 1;
    let round = Round {
        engine: &engine.core,
        socket: source,
        tally: &mut shard.tally,
        lending: &mut shard.lending,
        arrival,
        entries: &shard.scratch.entries,
        facts: &shard.scratch.facts,
        spread: shard.scratch.spread,
        processor,
        local_port,
        marks: &mut marks,
    };
    let mut batch = Batch::new(entries, round);
    engine.handler.receive(&mut shard.handler, &mut batch);
    shard.tally.accepted += handed - u64::from(marks.gone);
    marks
}

/// Leaves in the round only what the allow-list, the rates and the sampling let in.
#[inline]
fn admit<K: Kernel, H: Handler<K>>(admission: &Admission<K>, shard: &mut Shard<K, H>, now: impl Fn() -> u64) {
    let Shard { admission: part, scratch, tally, .. } = shard;
    let Some(part) = part else { return };
    // Mostly one rule holds all.
    if admission.allows_all(part, scratch.entries().iter().map(Entry::source_v4)) {
        return;
    }
    let refused = |reason| tally.refuse(reason);
    if let Some(metering) = admission.begin_metering(part, &now) {
        if metering.wants_prefetch() {
            for entry in scratch.entries() {
                metering.prefetch(&entry.source());
            }
        }
        let pass = |entry: &Entry| match entry.source_v4() {
            Some(word) => metering.pass_v4(word, entry.length()),
            None => pass_other(&metering, entry),
        };
        scratch.retain(pass, refused);
        return;
    }
    let Some(mut gate) = admission.begin_when(part, now) else { return };
    if gate.wants_prefetch() {
        for entry in scratch.entries() {
            gate.prefetch(&entry.source());
        }
    }
    if gate.only_lists() {
        let allow = |entry: &Entry| match entry.source_v4() {
            Some(word) => gate.allow_v4(word),
            None => allow_other(&mut gate, entry),
        };
        scratch.retain(allow, refused);
    } else {
        let admit = |entry: &Entry| match entry.source_v4() {
            Some(word) => gate.admit(&Address::from_ipv4_word(word), entry.length()),
            None => admit_other(&mut gate, entry),
        };
        scratch.retain(admit, refused);
    }
}

/// A source that came as no IPv4 address.
#[cold]
#[inline(never)]
fn allow_other(gate: &mut Gate<'_>, entry: &Entry) -> Result<(), DropReason> {
    gate.allow(&entry.source())
}

/// [`allow_other`] where more than the allow-list is asked.
#[cold]
#[inline(never)]
fn admit_other(gate: &mut Gate<'_>, entry: &Entry) -> Result<(), DropReason> {
    gate.admit(&entry.source(), entry.length())
}

/// [`allow_other`] where nothing but rows is asked.
#[cold]
#[inline(never)]
fn pass_other(metering: &Metering<'_>, entry: &Entry) -> Result<(), DropReason> {
    metering.pass(&entry.source(), entry.length())
}
