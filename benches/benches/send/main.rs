//! What sending through `skua_engine` costs, from the first byte written to the return of the call. See the crate's
//! documentation for how to run and read it.

mod copies;
#[path = "../measure/mod.rs"]
mod measure;
#[cfg(target_os = "linux")]
mod sockets;

use criterion::Criterion;

use crate::measure::ThreadTime;

fn main() {
    let mut criterion = Criterion::default().with_measurement(ThreadTime).configure_from_args();
    copies::in_memory(&mut criterion);
    #[cfg(target_os = "linux")]
    {
        sockets::one_by_one(&mut criterion);
        sockets::cut(&mut criterion);
    }
    criterion.final_summary();
}

/// Bytes of payload.
const SIZES: [usize; 3] = [64, 512, 1400];

/// Datagrams handed over together.
const BATCHES: [usize; 2] = [1, 32];
