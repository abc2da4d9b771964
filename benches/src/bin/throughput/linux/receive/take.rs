//! What becomes of a datagram.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use super::{Quantiles, Taken};
use crate::linux::send::monotonic;

/// Takes datagrams.
pub(super) trait Take: Send + 'static {
    /// One datagram.
    fn take(&mut self, payload: &[u8]);

    /// Several, one after the other, each `segment` bytes long but the last, which may be shorter.
    fn take_coalesced(&mut self, payload: &[u8], segment: usize) {
        for part in payload.chunks(segment.max(1)) {
            self.take(part);
        }
    }

    /// What was taken so far may be asked for: at the end of a batch.
    fn publish(&mut self);
}

static DATAGRAMS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Counts.
#[derive(Default)]
pub(super) struct Count {
    datagrams: u64,
    bytes: u64,
}

impl Count {
    /// What was published.
    pub(super) fn taken() -> Taken {
        let (datagrams, bytes) = (DATAGRAMS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
        Taken { datagrams, bytes, latency: None }
    }
}

impl Take for Count {
    #[inline]
    fn take(&mut self, payload: &[u8]) {
        self.datagrams += 1;
        self.bytes += payload.len() as u64;
    }

    #[inline]
    fn take_coalesced(&mut self, payload: &[u8], segment: usize) {
        self.datagrams += payload.len().div_ceil(segment.max(1)).max(1) as u64;
        self.bytes += payload.len() as u64;
    }

    #[inline]
    fn publish(&mut self) {
        DATAGRAMS.store(self.datagrams, Ordering::Relaxed);
        BYTES.store(self.bytes, Ordering::Relaxed);
    }
}

/// To three digits, from 1 ns to a minute.
static TIMES: LazyLock<Mutex<Histogram<u64>>> = LazyLock::new(|| {
    Mutex::new(Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds that are in order"))
});

fn times() -> MutexGuard<'static, Histogram<u64>> {
    TIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compares the time at which a datagram was due, which is in it, with now. One without a time, from before the measured
/// ones, is only counted.
#[derive(Default)]
pub(super) struct Latency {
    count: Count,
}

impl Latency {
    /// What was taken, and how long that took.
    pub(super) fn taken() -> Taken {
        let times = times();
        let at = |quantile| times.value_at_quantile(quantile);
        let quantiles = Quantiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: times.max() };
        Taken { latency: Some(quantiles), ..Count::taken() }
    }
}

impl Take for Latency {
    fn take(&mut self, payload: &[u8]) {
        self.count.take(payload);
        let Some(due) = payload.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes)) else { return };
        let now = u64::try_from(monotonic().as_nanos()).unwrap_or(u64::MAX);
        // What begins with text is not stamped, and as a time lies in the far future.
        if let Some(took) = now.checked_sub(due) {
            times().saturating_record(took);
        }
    }

    fn publish(&mut self) {
        self.count.publish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_coalesced_datagram_count_one_each() {
        let mut count = Count::default();
        count.take_coalesced(&[0; 250], 100);
        count.take_coalesced(&[0; 200], 100);
        count.take_coalesced(&[], 100);
        count.take(&[1, 2, 3]);
        assert_eq!((count.datagrams, count.bytes), (3 + 2 + 1 + 1, 453));
    }

    #[test]
    fn a_datagram_without_a_time_has_no_latency() {
        let mut latency = Latency::default();
        let before = times().len();
        latency.take(b"<13>Jan  1");
        latency.take(b"short");
        assert_eq!(times().len(), before);
        let now = u64::try_from(monotonic().as_nanos()).unwrap();
        latency.take(&(now - 1_000_000).to_ne_bytes());
        assert_eq!(times().len(), before + 1);
        assert!(Latency::taken().latency.unwrap().max >= 1_000_000 - 1_000);
    }
}
