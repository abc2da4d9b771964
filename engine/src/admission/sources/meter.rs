//! What is kept of one source: counts, times and the credits of its token bucket.

use core::sync::atomic::{AtomicU64, Ordering};

use super::row::{Source, SourceRow};
use crate::admission::bucket::{MAX_CREDITS, Pace};
use crate::admission::rules::{add, load};

/// The counts of one source, or of all that share `other`.
///
/// Written by one shard, with relaxed loads and stores: on 64-bit processors these are the instructions a plain field
/// would take. A reader on another thread sees each count as it was at some moment, never torn and never going back; two
/// counts are as far apart as what arrived between reading them.
#[derive(Debug, Default)]
pub(super) struct Meter {
    datagrams: AtomicU64,
    bytes: AtomicU64,
    rate_limited: AtomicU64,
    sampled: AtomicU64,
    /// Ticks of the latest datagram, and the time that `credits` are of.
    last: AtomicU64,
    credits: AtomicU64,
}

impl Meter {
    /// The meter of a source that has not been heard yet, its bucket full.
    pub(super) fn new() -> Self {
        Self { credits: AtomicU64::new(MAX_CREDITS), ..Self::default() }
    }

    /// Begins again, for a source that is heard for the first time `now`.
    pub(super) fn reset(&self, now: u64) {
        self.datagrams.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.rate_limited.store(0, Ordering::Relaxed);
        self.sampled.store(0, Ordering::Relaxed);
        self.last.store(now, Ordering::Relaxed);
        self.credits.store(MAX_CREDITS, Ordering::Relaxed);
    }

    /// Counts a datagram of `bytes` and, where there is a limit, pays for it. `false`, counted, if its bucket is empty.
    ///
    /// `now` is never less than at the call before. The bucket earns what the limit in force now earns in the time since
    /// that call; without a limit it stands still.
    #[inline]
    pub(super) fn pass(&self, bytes: u32, now: u64, pace: Option<&Pace>) -> bool {
        add(&self.datagrams, 1);
        add(&self.bytes, u64::from(bytes));
        let last = load(&self.last);
        self.last.store(now, Ordering::Relaxed);
        let Some(pace) = pace else { return true };
        match pace.spend(load(&self.credits), now.wrapping_sub(last)) {
            Ok(credits) => {
                self.credits.store(credits, Ordering::Relaxed);
                true
            }
            Err(credits) => {
                self.limit(credits);
                false
            }
        }
    }

    /// Counts a datagram that `credits` do not pay for.
    #[cold]
    #[inline(never)]
    fn limit(&self, credits: u64) {
        self.credits.store(credits, Ordering::Relaxed);
        add(&self.rate_limited, 1);
    }

    /// Counts that a datagram which passed was then not the one in N.
    #[inline]
    pub(super) fn count_sampled(&self) {
        add(&self.sampled, 1);
    }

    /// Takes over the counts of a row that is given to another source.
    pub(super) fn absorb(&self, row: &SourceRow) {
        add(&self.datagrams, row.datagrams);
        add(&self.bytes, row.bytes);
        add(&self.rate_limited, row.rate_limited);
        add(&self.sampled, row.sampled);
    }

    /// Ticks of the latest datagram.
    pub(super) fn last(&self) -> u64 {
        load(&self.last)
    }

    pub(super) fn read(&self, source: Source, first: u64) -> SourceRow {
        SourceRow {
            source,
            datagrams: load(&self.datagrams),
            bytes: load(&self.bytes),
            rate_limited: load(&self.rate_limited),
            sampled: load(&self.sampled),
            first,
            last: self.last(),
        }
    }
}
