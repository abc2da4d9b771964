//! The row that sources without one share.

use core::sync::atomic::{AtomicU64, Ordering};

use super::meter::Meter;
use super::row::{Source, SourceRow};
use crate::admission::rules::{add, load};

/// Counts of all datagrams that no row has: those of sources for which there was none, and those of rows that were given
/// to another source.
///
/// Its token bucket is paid from by the former alone.
#[derive(Debug)]
pub(in crate::admission) struct Other {
    meter: Meter,
    /// Ticks of the first datagram, whoever counted it first.
    first: AtomicU64,
    /// Ticks of the latest datagram that a row left. The meter's own is the time of its tokens, which no row moves.
    last_left: AtomicU64,
    /// Rows that were given to another source.
    aged_out: AtomicU64,
}

impl Other {
    /// With a full token bucket.
    pub(in crate::admission) fn new() -> Self {
        Self {
            meter: Meter::new(),
            first: AtomicU64::new(u64::MAX),
            last_left: AtomicU64::new(0),
            aged_out: AtomicU64::new(0),
        }
    }

    /// The meter, for a datagram that came `now`.
    #[inline]
    pub(super) fn meter(&self, now: u64) -> &Meter {
        self.begin(now);
        &self.meter
    }

    /// Takes over the counts of a row that is given to another source.
    pub(super) fn absorb(&self, row: &SourceRow) {
        self.begin(row.first);
        if row.last > load(&self.last_left) {
            self.last_left.store(row.last, Ordering::Relaxed);
        }
        self.meter.absorb(row);
        add(&self.aged_out, 1);
    }

    #[inline]
    fn begin(&self, first: u64) {
        if first < load(&self.first) {
            self.first.store(first, Ordering::Relaxed);
        }
    }

    pub(in crate::admission) fn aged_out(&self) -> u64 {
        load(&self.aged_out)
    }

    pub(in crate::admission) fn read(&self) -> SourceRow {
        let row = self.meter.read(Source::Other, load(&self.first));
        SourceRow { last: row.last.max(load(&self.last_left)), ..row }
    }
}
