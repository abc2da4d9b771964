//! What a record costs: to write it, to write it behind the engine, and to read it. See the crate's documentation for how
//! to run and read it.

mod ends;
mod engine;
#[path = "../measure/mod.rs"]
mod measure;
mod records;

use criterion::Criterion;

use crate::measure::ThreadTime;

fn main() {
    let mut criterion = Criterion::default().with_measurement(ThreadTime).configure_from_args();
    records::warm(&mut criterion);
    records::cold(&mut criterion);
    engine::sink(&mut criterion);
    ends::both(&mut criterion);
    criterion.final_summary();
}

/// Datagrams of one list, and records published together.
const LIST: u8 = 32;

/// Bytes of payload.
const SIZES: [usize; 3] = [64, 512, 1400];
