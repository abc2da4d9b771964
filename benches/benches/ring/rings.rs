//! Writing records into a ring and reading them out of it.
//!
//! `ring/one-thread` writes a batch, publishes it, and reads it. `ring/two-threads` has a writer and a reader on pinned
//! threads, both of which poll; between two processors the figure at batch 1 depends on which of them is ahead and jumps
//! between runs. Rows are `contestant/bytes x batch`.

use std::hint::{black_box, spin_loop};
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;
use ringbuf::HeapRb;
use ringbuf::traits::Split;
use rtrb::RingBuffer;
use skua_benches::{LocalRing, side_by_side};

use crate::contestants::{Arrays, OneByOne, RING_WORDS, Reader, Seen, Words, Writer};
use crate::measure::{ThreadTime, group};

/// Records published together.
const BATCHES: [usize; 2] = [1, 32];

/// The group of a writer and a reader on one thread.
pub(crate) fn one_thread(criterion: &mut Criterion<ThreadTime>) {
    each_size(&mut group(criterion, "ring/one-thread"), Threads::One);
}

/// The group of a writer and a reader at once.
pub(crate) fn two_threads(criterion: &mut Criterion) {
    each_size(&mut group(criterion, "ring/two-threads"), Threads::Two);
}

#[derive(Clone, Copy)]
enum Threads {
    One,
    Two,
}

/// 64, 512 and 1400 bytes.
fn each_size<M: Measurement<Value = Duration>>(group: &mut BenchmarkGroup<'_, M>, threads: Threads) {
    each_contestant::<8, M>(group, threads);
    each_contestant::<64, M>(group, threads);
    each_contestant::<175, M>(group, threads);
}

fn each_contestant<const N: usize, M: Measurement<Value = Duration>>(
    group: &mut BenchmarkGroup<'_, M>,
    threads: Threads,
) {
    let mut ring = LocalRing::new(RING_WORDS * size_of::<u64>()).expect("memory for a ring");
    let (producer, consumer) = ring.ends();
    each_batch::<N, M>(group, threads, "skua", producer, consumer);
    let (producer, consumer) = RingBuffer::new(RING_WORDS);
    each_batch::<N, M>(group, threads, "rtrb-words", Words(producer), Words(consumer));
    let (producer, consumer) = RingBuffer::new(RING_WORDS / N);
    each_batch::<N, M>(group, threads, "rtrb-arrays", Arrays(producer), Arrays(consumer));
    let (producer, consumer) = HeapRb::new(RING_WORDS).split();
    each_batch::<N, M>(group, threads, "ringbuf-words", Words(producer), Words(consumer));
    let queue = ArrayQueue::new(RING_WORDS / N);
    each_batch::<N, M>(group, threads, "array-queue", OneByOne(&queue), OneByOne(&queue));
}

fn each_batch<const N: usize, M: Measurement<Value = Duration>>(
    group: &mut BenchmarkGroup<'_, M>,
    threads: Threads,
    name: &str,
    writer: impl Writer<N>,
    reader: impl Reader<N>,
) {
    let (mut writer, mut reader) = (CachePadded::new(writer), CachePadded::new(reader));
    let bytes = N * size_of::<u64>();
    let payload = black_box([0x5c; N]);
    for batch in BATCHES {
        group.throughput(Throughput::Elements(batch as u64));
        let id = BenchmarkId::new(name, format!("{bytes}x{batch}"));
        group.bench_function(id, |bencher| match threads {
            Threads::One => bencher.iter(|| {
                writer.write(&payload, batch);
                reader.read()
            }),
            Threads::Two => bencher.iter_custom(|batches| {
                let write = |count| (0..count).for_each(|_| writer.write(&payload, batch));
                let read = |count| _ = black_box(read_all(&mut *reader, count * batch as u64));
                side_by_side(batches, write, read)
            }),
        });
    }
}

/// Polls until `records` were read.
fn read_all<const N: usize>(reader: &mut impl Reader<N>, records: u64) -> Seen {
    let mut all = Seen::default();
    while all.records < records {
        let seen = reader.read();
        all.add(seen);
        if seen.records == 0 {
            spin_loop();
        }
    }
    all
}
