//! What a ring of records costs, next to its peers. See the crate's documentation for how to run and read it.

mod contestants;
#[path = "../measure/mod.rs"]
mod measure;
mod rings;

use criterion::Criterion;

use crate::measure::ThreadTime;

fn main() {
    let mut alone = Criterion::default().with_measurement(ThreadTime).configure_from_args();
    let mut together = Criterion::default().configure_from_args();
    rings::one_thread(&mut alone);
    rings::two_threads(&mut together);
    alone.final_summary();
}
