//! What a batch pays for being counted and for being inside: counters and rundown.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::Criterion;
use skua_benches::SystemMemory;
use skua_pools::{Counters, Rundown, Tag};

use crate::measure::{ThreadTime, group};

/// Counters of a shard.
const COUNTERS: usize = 24;

/// Those that a batch without drops adds to.
const CHANGED: usize = 4;

/// Adding a batch's counts. The peers publish the same counts without telling a reader which belong together.
pub(crate) fn counters(criterion: &mut Criterion<ThreadTime>) {
    let mut batch = [0; COUNTERS];
    batch[..CHANGED].fill(32);
    let mut group = group(criterion, "counters");

    let counters = Counters::<COUNTERS>::new();
    group.bench_function("publish", |bencher| bencher.iter(|| counters.publish(black_box(&batch))));

    let atomics = [const { AtomicU64::new(0) }; COUNTERS];
    let each = |add: fn(&AtomicU64, u64)| {
        let batch = black_box(&batch);
        for (total, count) in atomics.iter().zip(batch).filter(|(_, count)| **count != 0) {
            add(total, *count);
        }
    };
    group.bench_function("load-store", |bencher| {
        let add =
            |total: &AtomicU64, count| total.store(total.load(Ordering::Relaxed) + count, Ordering::Relaxed);
        bencher.iter(|| each(add));
    });
    group.bench_function("fetch-add", |bencher| {
        bencher.iter(|| each(|total, count| _ = total.fetch_add(count, Ordering::Relaxed)));
    });
    group.finish();
}

/// Entering and leaving on one thread.
pub(crate) fn rundown(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "rundown");

    let rundown = Rundown::new(SystemMemory, Tag::new(b"SkBe"), 2).expect("memory for a rundown");
    group.bench_function("acquire-release", |bencher| {
        bencher.iter(|| {
            let inside = rundown.acquire(black_box(0), 1);
            (inside, rundown.release(black_box(0), 1))
        });
    });

    let count = AtomicU64::new(0);
    group.bench_function("fetch-add-sub", |bencher| {
        bencher.iter(|| {
            black_box(&count).fetch_add(1, Ordering::Acquire);
            black_box(&count).fetch_sub(1, Ordering::Release)
        });
    });

    let shared = Arc::new(());
    group.bench_function("arc-clone-drop", |bencher| bencher.iter(|| drop(Arc::clone(black_box(&shared)))));
    group.finish();
}
