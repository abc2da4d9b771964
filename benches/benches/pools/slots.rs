//! Taking a slot and putting it back.
//!
//! `slots/one-thread` is one pair on one thread. `slots/two-threads` has two pinned threads do that at once;
//! the figure is wall time x threads / pairs, so that without contention it equals the first. `slots/handover` has one
//! thread take and the other put, with the same SPSC ring of slots between them in every row; the row `ring-alone` is
//! that ring with nothing around it.
//!
//! `magazine` is a handle that belongs to the thread; `raising-magazine` is what any thread does, which raises and takes its
//! processor's, and `raised-magazine` the same from inside a callback. What raising costs here is the hosted kernel's price.

use std::hint::{black_box, spin_loop};

use arrayvec::ArrayVec;
use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use crossbeam_utils::CachePadded;
use rtrb::RingBuffer;
use skua_benches::side_by_side;

#[cfg(feature = "peers-c")]
use crate::allocators::Direct;
use crate::contestants::{
    Allocator, LockedVec, OwnVec, Queue, Shared, Slots, ThreadLocalVec, ThroughMagazine, array_queue,
    locked_vec, pool,
};
use crate::measure::{ThreadTime, group};
use crate::peers::{
    Concurrent, Heapless, HeaplessObjects, List, ObjectPool, Opool, concurrent_queue, heapless_queue,
    object_pool, opool,
};
use crate::shards::{Raised, Raising, Shards};

/// Slots taken before the first goes back, in the batched rows: as many as the engine handles at once.
const BATCH: usize = 32;

/// Slots on their way from one thread to the other at most.
const IN_FLIGHT: usize = 1024;

/// The group of one thread.
pub(crate) fn one_thread(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "slots/one-thread");
    let magazines = pool(64);
    let shards = Shards::new(&magazines);
    on_one(&mut group, "own-vec", OwnVec::new());
    on_one(&mut group, "thread-local-vec", ThreadLocalVec);
    on_one(&mut group, "magazine-64", ThroughMagazine::new(&pool(64)));
    on_one(&mut group, "magazine-16", ThroughMagazine::new(&pool(16)));
    on_one(&mut group, "raised-magazine-64", Raised(&shards));
    on_one(&mut group, "raising-magazine-64", Raising(&shards));
    on_one(&mut group, "shared-stack", Shared(&pool(0)));
    on_one(&mut group, "slist", &List::new());
    on_one(&mut group, "array-queue", Queue(&array_queue()));
    on_one(&mut group, "concurrent-queue", Concurrent(&concurrent_queue()));
    on_one(&mut group, "heapless-mpmc", Heapless(&heapless_queue()));
    on_one(&mut group, "heapless-object", HeaplessObjects::new());
    on_one(&mut group, "object-pool", ObjectPool(&object_pool()));
    on_one(&mut group, "opool", Opool(&opool()));
    on_one(&mut group, "mutex-vec", LockedVec(&locked_vec()));
    on_one(&mut group, "box", Allocator);
    #[cfg(feature = "peers-c")]
    {
        on_one(&mut group, "mimalloc", Direct(mimalloc::MiMalloc));
        on_one(&mut group, "jemalloc", Direct(tikv_jemallocator::Jemalloc));
    }
    group.finish();
}

/// The group of two threads that do the same.
pub(crate) fn two_threads(criterion: &mut Criterion) {
    let (magazines, stack, queue, vec) = (pool(64), pool(0), array_queue(), locked_vec());
    let (list, concurrent, heapless) = (List::new(), concurrent_queue(), heapless_queue());
    let (objects, opool) = (object_pool(), opool());
    let in_shards = pool(64);
    let shards = Shards::new(&in_shards);
    let mut group = group(criterion, "slots/two-threads");
    on_two(&mut group, "own-vec", OwnVec::new(), OwnVec::new());
    on_two(&mut group, "magazine-64", ThroughMagazine::new(&magazines), ThroughMagazine::new(&magazines));
    on_two(&mut group, "raised-magazine-64", Raised(&shards), Raised(&shards));
    on_two(&mut group, "raising-magazine-64", Raising(&shards), Raising(&shards));
    on_two(&mut group, "shared-stack", Shared(&stack), Shared(&stack));
    on_two(&mut group, "slist", &list, &list);
    on_two(&mut group, "array-queue", Queue(&queue), Queue(&queue));
    on_two(&mut group, "concurrent-queue", Concurrent(&concurrent), Concurrent(&concurrent));
    on_two(&mut group, "heapless-mpmc", Heapless(&heapless), Heapless(&heapless));
    on_two(&mut group, "heapless-object", HeaplessObjects::new(), HeaplessObjects::new());
    on_two(&mut group, "object-pool", ObjectPool(&objects), ObjectPool(&objects));
    on_two(&mut group, "opool", Opool(&opool), Opool(&opool));
    on_two(&mut group, "mutex-vec", LockedVec(&vec), LockedVec(&vec));
    on_two(&mut group, "box", Allocator, Allocator);
    #[cfg(feature = "peers-c")]
    {
        on_two(&mut group, "mimalloc", Direct(mimalloc::MiMalloc), Direct(mimalloc::MiMalloc));
        let jemalloc = || Direct(tikv_jemallocator::Jemalloc);
        on_two(&mut group, "jemalloc", jemalloc(), jemalloc());
    }
    group.finish();
}

/// The group of a thread that takes and one that puts.
pub(crate) fn handover(criterion: &mut Criterion) {
    let (magazines, stack, queue, vec) = (pool(64), pool(0), array_queue(), locked_vec());
    let (list, concurrent, heapless) = (List::new(), concurrent_queue(), heapless_queue());
    let (objects, opool) = (object_pool(), opool());
    let mut group = group(criterion, "slots/handover");
    group.throughput(Throughput::Elements(1));
    group.bench_function("ring-alone", |bencher| across(bencher, || Some(1_u64), |word| _ = black_box(word)));
    let magazine = || ThroughMagazine::new(&magazines);
    from_one_to_other(&mut group, "magazine-64", magazine(), magazine());
    from_one_to_other(&mut group, "shared-stack", Shared(&stack), Shared(&stack));
    from_one_to_other(&mut group, "slist", &list, &list);
    from_one_to_other(&mut group, "array-queue", Queue(&queue), Queue(&queue));
    from_one_to_other(&mut group, "concurrent-queue", Concurrent(&concurrent), Concurrent(&concurrent));
    from_one_to_other(&mut group, "heapless-mpmc", Heapless(&heapless), Heapless(&heapless));
    from_one_to_other(&mut group, "heapless-object", HeaplessObjects::new(), HeaplessObjects::new());
    from_one_to_other(&mut group, "object-pool", ObjectPool(&objects), ObjectPool(&objects));
    from_one_to_other(&mut group, "opool", Opool(&opool), Opool(&opool));
    from_one_to_other(&mut group, "mutex-vec", LockedVec(&vec), LockedVec(&vec));
    from_one_to_other(&mut group, "box", Allocator, Allocator);
    #[cfg(feature = "peers-c")]
    {
        from_one_to_other(&mut group, "mimalloc", Direct(mimalloc::MiMalloc), Direct(mimalloc::MiMalloc));
        let jemalloc = || Direct(tikv_jemallocator::Jemalloc);
        from_one_to_other(&mut group, "jemalloc", jemalloc(), jemalloc());
    }
    group.finish();
}

fn on_one<S: Slots>(group: &mut BenchmarkGroup<'_, ThreadTime>, name: &str, mut slots: S) {
    // Opaque, so that the compiler keeps what is taken and put in memory between two rounds.
    let slots = black_box(&mut slots);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new(name, 1), |bencher| {
        slots.during(|slots| bencher.iter(|| pair(slots)));
    });
    let mut held = ArrayVec::new();
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::new(name, BATCH), |bencher| {
        slots.during(|slots| bencher.iter(|| batch(slots, &mut held)));
    });
}

/// The two sides are kept a cache line apart, as shards are: else they would slow each other down without sharing anything.
fn on_two<S: Slots>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, first: S, second: S) {
    let (mut first, mut second) = (CachePadded::new(first), CachePadded::new(second));
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new(name, 1), |bencher| {
        bencher.iter_custom(|pairs| {
            let work = |slots: &mut S, count| slots.during(|slots| repeat(count, || pair(slots)));
            let (first, second) = (black_box(&mut *first), black_box(&mut *second));
            side_by_side(pairs, |count| work(first, count), |count| work(second, count))
        });
    });
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::new(name, BATCH), |bencher| {
        bencher.iter_custom(|batches| {
            let work = |slots: &mut S, count| {
                let mut held = ArrayVec::new();
                slots.during(|slots| repeat(count, || batch(slots, &mut held)));
            };
            let (first, second) = (black_box(&mut *first), black_box(&mut *second));
            side_by_side(batches, |count| work(first, count), |count| work(second, count))
        });
    });
}

fn from_one_to_other<S: Slots>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, taker: S, putter: S) {
    let (mut taker, mut putter) = (CachePadded::new(taker), CachePadded::new(putter));
    group.bench_function(name, |bencher| {
        let take = || taker.take().inspect(|slot| slot.touch());
        across(bencher, take, |slot| putter.put(slot));
    });
}

/// What one thread makes goes through a ring to another thread, item by item.
fn across<T: Send>(
    bencher: &mut Bencher<'_>,
    mut make: impl FnMut() -> Option<T> + Send,
    mut end: impl FnMut(T) + Send,
) {
    bencher.iter_custom(|items| {
        let (to, from) = RingBuffer::new(IN_FLIGHT);
        let (mut to, mut from) = (CachePadded::new(to), CachePadded::new(from));
        let send = |count| {
            repeat(count, || {
                let mut item = until(&mut make);
                while let Err(rtrb::PushError::Full(back)) = to.push(item) {
                    item = back;
                    spin_loop();
                }
            });
        };
        let receive = |count| repeat(count, || end(until(|| from.pop().ok())));
        side_by_side(items, send, receive)
    });
}

#[inline]
fn pair<S: Slots>(slots: &mut S) {
    let slot = slots.take().expect("more slots than are held");
    slot.touch();
    slots.put(slot);
}

#[inline]
fn batch<S: Slots>(slots: &mut S, held: &mut ArrayVec<S::Slot, BATCH>) {
    for _ in 0..BATCH {
        held.push(slots.take().expect("more slots than are held"));
    }
    for slot in held.iter() {
        slot.touch();
    }
    for slot in held.drain(..) {
        slots.put(slot);
    }
}

#[inline]
fn repeat(times: u64, mut work: impl FnMut()) {
    for _ in 0..times {
        work();
        // Memory counts as changed between two rounds.
        black_box(());
    }
}

#[inline]
fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        match attempt() {
            Some(value) => return value,
            None => spin_loop(),
        }
    }
}
