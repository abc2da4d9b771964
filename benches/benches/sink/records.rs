//! Writing 32 records of a header of 64 bytes and a payload into a ring of 1 MiB, and publishing them once.
//!
//! `copy` copies header and payload from the same source into memory of the ring's size, and does nothing else. `record`
//! reserves room for each, writes it there and publishes all; a reader that does not look gives the room back. Sources are
//! 32 payloads in the first-level caches, and 64 MiB of them.

use std::hint::black_box;

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use skua_benches::{LocalRing, RING_BYTES};
use skua_pools::Producer;
use skua_record::RecordHeader;

use crate::measure::{ThreadTime, group};
use crate::{LIST, SIZES};

/// What the payloads of a cold row take.
const COLD_BYTES: usize = 64 << 20;

type Header = [u8; RecordHeader::BYTES];

pub(crate) fn warm(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "sink/warm");
    for bytes in SIZES {
        rows(&mut group, bytes, LIST.into());
    }
}

pub(crate) fn cold(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "sink/cold");
    for bytes in SIZES {
        rows(&mut group, bytes, COLD_BYTES / bytes);
    }
}

fn rows(group: &mut BenchmarkGroup<'_, ThreadTime>, bytes: usize, payloads: usize) {
    let list = usize::from(LIST);
    let header: Header = black_box([0x5c; RecordHeader::BYTES]);
    let source = vec![0x5c_u8; payloads / list * list * bytes];
    let mut turn = source.chunks_exact(list * bytes).cycle();
    let mut next = move || black_box(&mut turn).next().unwrap_or_default().chunks_exact(bytes);
    group.throughput(Throughput::Elements(LIST.into()));

    let mut memory = vec![0_u8; RING_BYTES];
    let mut at = 0;
    group.bench_function(BenchmarkId::new("copy", bytes), |bencher| {
        bencher.iter(|| next().for_each(|payload| copy(&header, payload, &mut memory, &mut at)));
    });
    let mut ring = LocalRing::new(RING_BYTES).expect("memory for a ring");
    let (producer, consumer) = ring.ends();
    group.bench_function(BenchmarkId::new("record", bytes), |bencher| {
        bencher.iter(|| {
            next().for_each(|payload| write(producer, &header, payload));
            producer.publish();
            black_box(consumer.skip().expect("a whole ring"));
            consumer.release();
        });
    });
}

#[inline]
fn copy(header: &Header, payload: &[u8], memory: &mut [u8], at: &mut usize) {
    let length = header.len() + payload.len();
    if *at + length > memory.len() {
        *at = 0;
    }
    let (head, body) = memory[*at..*at + length].split_at_mut(header.len());
    head.copy_from_slice(header);
    body.copy_from_slice(payload);
    *at = (*at + length).next_multiple_of(8);
}

#[inline]
fn write(producer: &mut Producer, header: &Header, payload: &[u8]) {
    let mut room = producer.reserve(header.len() + payload.len()).expect("a ring that is drained");
    room.write(0, header).expect("reserved");
    room.write(header.len(), payload).expect("reserved");
    room.commit();
}
