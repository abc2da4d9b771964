//! How rows are measured: which clock, and for how long.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkGroup, Criterion};
use skua_benches::thread_time;

/// Processor time of the measuring thread, for rows that need one thread.
///
/// Wall time would charge a row for what else the machine does; this charges it for its own work, cold caches after an
/// interruption included. Hosts other than Linux measure wall time.
pub(crate) struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        thread_time()
    }

    fn end(&self, start: Duration) -> Duration {
        thread_time().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        static WALL: WallTime = WallTime;
        WALL.formatter()
    }
}

/// A group whose rows are short: all of them run under much the same conditions, and the whole can be run several times.
pub(crate) fn group<'c, M: Measurement>(
    criterion: &'c mut Criterion<M>,
    name: &str,
) -> BenchmarkGroup<'c, M> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(50);
    group
}
