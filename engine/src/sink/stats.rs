//! What a sink tells about its rings.

use core::sync::atomic::{AtomicU64, Ordering};

use skua_pools::Counters;

/// Attempts at reading a ring's counters between two of its batches.
const READ_ATTEMPTS: u32 = 64;

/// Counts and levels of one ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShardStats {
    /// Records that the reader has been shown.
    pub published: u64,
    /// Their payload bytes.
    pub published_bytes: u64,
    /// How often the reader was woken.
    pub wakes: u64,
    /// The most bytes that were in use at a batch end, headers included.
    pub high_water: u64,
    /// How often the reader's cursor was not one that an honest reader stores.
    pub reader_faults: u64,
}

/// The same over all rings; `high_water` is that of the fullest.
pub type SinkStats = ShardStats;

impl ShardStats {
    pub(super) fn add(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            published_bytes: self.published_bytes + other.published_bytes,
            wakes: self.wakes + other.wakes,
            high_water: self.high_water.max(other.high_water),
            reader_faults: self.reader_faults + other.reader_faults,
        }
    }
}

/// What a ring's writer publishes. Written by the ring's processor.
#[derive(Default)]
pub(super) struct ShardLedger {
    counters: Counters<3>,
    high_water: AtomicU64,
    reader_faults: AtomicU64,
}

impl ShardLedger {
    /// Adds a batch.
    pub(super) fn publish(&self, records: u64, bytes: u64, woke: bool, used: u64, faults: u64) {
        self.counters.publish(&[records, bytes, u64::from(woke)]);
        // Relaxed loads and stores: there is one writer.
        if used > self.high_water.load(Ordering::Relaxed) {
            self.high_water.store(used, Ordering::Relaxed);
        }
        self.reader_faults.store(faults, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> ShardStats {
        let [published, published_bytes, wakes] = self.counters.read(READ_ATTEMPTS).totals();
        let high_water = self.high_water.load(Ordering::Relaxed);
        let reader_faults = self.reader_faults.load(Ordering::Relaxed);
        ShardStats { published, published_bytes, wakes, high_water, reader_faults }
    }
}
