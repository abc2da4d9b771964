//! A list of 32 datagrams of which the first 16 bytes are read.
//!
//! Rows of `receive/warm` and `receive/cold`: `walk` follows the list and reads; `walk-behind-call` does so behind one call
//! through a pointer; `engine` is the engine with a handler that reads. Warm is one list again and again, cold is 64 MiB of
//! lists in turn. `receive/settings` is the engine warm with one thing asked of it at a time.

use std::hint::black_box;

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use skua_benches::{Indications, ReadFirst, Receiver, Setting};

use crate::measure::{ThreadTime, group};
use crate::{LIST, SIZES};

/// What the lists of a cold row take, about.
const COLD_BYTES: usize = 64 << 20;

/// What a datagram takes besides its payload: indication, MDL, address, control messages, allocator.
const OVERHEAD: usize = 640;

/// One list, in cache.
pub(crate) fn warm(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "receive/warm");
    for bytes in SIZES {
        rows(&mut group, bytes, 1);
    }
}

/// More lists than second-level caches hold; whether the third holds them depends on the machine.
pub(crate) fn cold(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "receive/cold");
    for bytes in SIZES {
        rows(&mut group, bytes, COLD_BYTES / (usize::from(LIST) * (bytes + OVERHEAD)));
    }
}

/// The engine alone, with something to do.
pub(crate) fn settings(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "receive/settings");
    group.throughput(Throughput::Elements(LIST.into()));
    for setting in Setting::ALL {
        let receiver = Receiver::open(setting, |_| ReadFirst);
        let list = receiver.list(LIST, SIZES[0]);
        group.bench_function(setting.name(), |bencher| {
            receiver.at_dispatch(|raised| bencher.iter(|| raised.indicate(&list)));
        });
        assert_all_accepted(&receiver);
    }
}

/// The three rows over `count` lists in turn.
fn rows(group: &mut BenchmarkGroup<'_, ThreadTime>, bytes: usize, count: usize) {
    let receiver = Receiver::open(Setting::Plain, |_| ReadFirst);
    let lists: Vec<_> = (0..count).map(|_| receiver.list(LIST, bytes)).collect();
    group.throughput(Throughput::Elements(LIST.into()));
    row(group, "walk", bytes, &lists, Indications::walk);
    row(group, "walk-behind-call", bytes, &lists, Indications::walk_behind_call);
    receiver.at_dispatch(|raised| row(group, "engine", bytes, &lists, |list| raised.indicate(list)));
    assert_all_accepted(&receiver);
}

fn row<R>(
    group: &mut BenchmarkGroup<'_, ThreadTime>,
    name: &str,
    bytes: usize,
    lists: &[Indications],
    mut work: impl FnMut(&Indications) -> R,
) {
    let mut turn = lists.iter().cycle();
    group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
        bencher.iter(|| black_box(&mut turn).next().map(&mut work));
    });
}

/// A row in which the engine dropped something measured something else.
fn assert_all_accepted(receiver: &Receiver<ReadFirst>) {
    let stats = receiver.stats();
    assert!(stats.accepted == stats.indicated, "{stats:?}");
}
