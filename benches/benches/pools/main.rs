//! What `skua_pools` costs, next to its peers. See the crate's documentation for how to run and read it.

#[cfg(feature = "peers-c")]
mod allocators;
mod bookkeeping;
mod contestants;
#[path = "../measure/mod.rs"]
mod measure;
mod peers;
mod shards;
mod slots;

use criterion::Criterion;

use crate::measure::ThreadTime;

fn main() {
    let mut alone = Criterion::default().with_measurement(ThreadTime).configure_from_args();
    let mut together = Criterion::default().configure_from_args();
    slots::one_thread(&mut alone);
    slots::two_threads(&mut together);
    slots::handover(&mut together);
    bookkeeping::counters(&mut alone);
    bookkeeping::rundown(&mut alone);
    alone.final_summary();
}
