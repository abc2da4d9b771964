//! What `skua_engine` costs per datagram, from the call of WskReceiveFromEvent to its return. See the crate's
//! documentation for how to run and read it.

mod lists;
#[path = "../measure/mod.rs"]
mod measure;

use criterion::Criterion;

use crate::measure::ThreadTime;

fn main() {
    let mut criterion = Criterion::default().with_measurement(ThreadTime).configure_from_args();
    lists::warm(&mut criterion);
    lists::cold(&mut criterion);
    lists::settings(&mut criterion);
    criterion.final_summary();
}

/// Datagrams of one list.
const LIST: u8 = 32;

/// Bytes of payload.
const SIZES: [usize; 3] = [64, 512, 1400];
