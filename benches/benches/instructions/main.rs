//! Instructions, counted by callgrind: they repeat where times do not. `cargo bench -p skua-benches --bench instructions`
//! takes valgrind and gungraun-runner. A count is that of one call over 32 slots, records or datagrams, warmed up before.

#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unused_qualifications,
    reason = "what gungraun's macros write"
)]

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use skua_benches::{
    Indications, LocalRing, ReadFirst, Receiver, RingEnd, Sender, Setting, SinkReceiver, SystemMemory,
};
use skua_engine::Handler;
use skua_hosted::HostKernel;
use skua_pools::{Magazine, Pool, PoolConfig, Tag};
use skua_record::RingReader;

/// Slots, records or datagrams of one call.
const BATCH: u8 = 32;

/// Bytes of a payload.
const BYTES: usize = 64;

type Slots = Pool<u64, SystemMemory>;

fn pool() -> (Slots, Magazine<u64>) {
    let config = PoolConfig { capacity: 1024, shards: 1, magazine: 64 };
    let pool = Pool::new(SystemMemory, Tag::new(b"SkBe"), &config, |_| 0).expect("memory for a pool");
    let magazine = pool.magazine().expect("one for the only shard");
    let (pool, mut magazine) = (pool, magazine);
    take_and_put(&pool, &mut magazine);
    (pool, magazine)
}

fn take_and_put(pool: &Slots, magazine: &mut Magazine<u64>) {
    let held: [_; BATCH as usize] = std::array::from_fn(|_| pool.take(magazine));
    for slot in held.into_iter().flatten() {
        pool.put(black_box(slot), magazine);
    }
}

#[library_benchmark]
#[bench::batch_32(pool())]
fn pool_take_put(state: (Slots, Magazine<u64>)) -> (Slots, Magazine<u64>) {
    let (pool, mut magazine) = state;
    take_and_put(&pool, &mut magazine);
    (pool, magazine)
}

fn ring() -> LocalRing {
    let mut ring = LocalRing::new(1 << 16).expect("memory for a ring");
    write_and_read(&mut ring);
    ring
}

fn write_and_read(ring: &mut LocalRing) {
    let (producer, consumer) = ring.ends();
    let payload = black_box([0x5c; BYTES]);
    for _ in 0..BATCH {
        let mut room = producer.reserve(BYTES).expect("a ring that is drained");
        room.write(0, &payload).expect("reserved");
        room.commit();
    }
    producer.publish();
    while let Some(record) = consumer.next() {
        black_box(record.expect("a whole ring").last_chunk::<8>());
    }
    consumer.release();
}

#[library_benchmark]
#[bench::batch_32(ring())]
fn ring_write_read(mut ring: LocalRing) -> LocalRing {
    write_and_read(&mut ring);
    ring
}

fn receiver(setting: Setting) -> (Receiver<ReadFirst>, Indications) {
    let receiver = Receiver::open(setting, |_| ReadFirst);
    let list = receiver.list(BATCH, BYTES);
    indicate(&receiver, &list);
    (receiver, list)
}

/// Apart from the counted functions: one that is entered within another, as their closures would be, ends the count.
fn indicate<H: Handler<HostKernel>>(receiver: &Receiver<H>, list: &Indications) {
    receiver.at_dispatch(|raised| raised.indicate(list));
}

#[library_benchmark]
#[bench::plain(receiver(Setting::Plain))]
#[bench::allow_list(receiver(Setting::AllowList))]
#[bench::sources(receiver(Setting::Sources))]
fn receive(state: (Receiver<ReadFirst>, Indications)) -> (Receiver<ReadFirst>, Indications) {
    indicate(&state.0, &state.1);
    state
}

fn sink() -> (SinkReceiver<RingReader>, Indications) {
    let mut sink = SinkReceiver::open(Setting::Plain);
    let (receiver, end) = sink.parts();
    let list = receiver.list(BATCH, BYTES);
    indicate(receiver, &list);
    RingEnd::drain(end);
    (sink, list)
}

#[library_benchmark]
#[bench::plain(sink())]
fn receive_into_sink(
    mut state: (SinkReceiver<RingReader>, Indications),
) -> (SinkReceiver<RingReader>, Indications) {
    let (receiver, _) = state.0.parts();
    indicate(receiver, &state.1);
    state
}

fn sender() -> Sender {
    let sender = Sender::in_memory(1472);
    sender.send(&[0x5c; BYTES], BATCH.into(), None);
    sender
}

#[library_benchmark]
#[bench::batch_32(sender())]
fn send(sender: Sender) -> Sender {
    sender.send(black_box(&[0x5c; BYTES]), BATCH.into(), None);
    sender
}

library_benchmark_group!(
    name = paths,
    benchmarks = [pool_take_put, ring_write_read, receive, receive_into_sink, send]
);

main!(library_benchmark_groups = paths);
