//! What `skua_pools` costs, next to its peers. See the crate's documentation for how to run and read it.

mod bookkeeping;
mod contestants;
mod ring_contestants;
mod rings;
mod slots;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    slots::one_thread(&mut criterion);
    slots::two_threads(&mut criterion);
    slots::handover(&mut criterion);
    rings::one_thread(&mut criterion);
    rings::two_threads(&mut criterion);
    bookkeeping::counters(&mut criterion);
    bookkeeping::rundown(&mut criterion);
    criterion.final_summary();
}

/// A group whose rows are short, so that all of them run under much the same conditions and several runs of the whole
/// can be compared.
fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(50);
    group
}
