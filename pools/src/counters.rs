//! Per-shard counters that one writer publishes a batch at a time and anybody reads without stopping it.
//!
//! A sequence lock over relaxed atomics: the version is odd while a batch is being added.
//!
//! | writer                     | reader                                                                        |
//! |----------------------------|-------------------------------------------------------------------------------|
//! | version = v + 1 (odd)      | a = version, acquire                                                          |
//! | fence(Release)             |                                                                               |
//! | values, relaxed            | values, relaxed                                                               |
//! |                            | fence(Acquire)                                                                |
//! | version = v + 2, release   | b = version; a == b and even: all values are of one batch end                 |
//!
//! A reader that saw a value of the batch in progress sees, after its fence, the odd version that was stored before the
//! writer's fence: `b` differs from `a`. A reader whose `a` is the even version saw, by acquire, every value before it.
//! The writer does a fixed amount of work whatever readers do.

use core::array;

use crossbeam_utils::CachePadded;

use crate::primitive::{AtomicU64, Ordering, fence, load_own};

/// `N` counters of one shard: 64-bit, only ever growing, on cache lines of their own.
///
/// # Invariants
/// One writer at a time ([`publish`](Counters::publish)): whoever holds the shard. A second one would lose counts.
pub struct Counters<const N: usize> {
    inner: CachePadded<Versioned<N>>,
}

struct Versioned<const N: usize> {
    /// Even at a batch end, odd during `publish`. Written by the writer only.
    version: AtomicU64,
    /// Totals since creation. Written by the writer only.
    totals: [AtomicU64; N],
}

/// What a reader got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<const N: usize> {
    /// The totals at one batch end.
    Whole([u64; N]),
    /// Every attempt met a batch in progress. Each total is right by itself, and none runs backwards between two
    /// readings; they are not of one batch end, so sums over them need not balance.
    Torn([u64; N]),
}

impl<const N: usize> Reading<N> {
    /// The totals, whole or torn.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn totals(self) -> [u64; N] {
        match self {
            Self::Whole(totals) | Self::Torn(totals) => totals,
        }
    }
}

impl<const N: usize> Counters<N> {
    /// All zero.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn new() -> Self {
        let totals = array::from_fn(|_| AtomicU64::new(0));
        Self { inner: CachePadded::new(Versioned { version: AtomicU64::new(0), totals }) }
    }

    /// Adds one batch's counts, which become visible together. For the shard's one writer.
    ///
    /// # IRQL
    /// Any, provided that the shard is held.
    #[inline]
    pub fn publish(&self, batch: &[u64; N]) {
        self.publish_first(batch);
    }

    /// The same where only the first `M` counters have counts: the others are not touched. `M` is at most `N`.
    ///
    /// # IRQL
    /// Any, provided that the shard is held.
    #[inline]
    pub fn publish_first<const M: usize>(&self, batch: &[u64; M]) {
        const { assert!(M <= N, "there are not so many counters") }
        let Versioned { version, totals } = &*self.inner;
        let now = load_own(version);
        version.store(now.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (total, count) in totals.iter().zip(batch) {
            // A load and a store, no read-modify-write: there is one writer.
            total.store(load_own(total).wrapping_add(*count), Ordering::Relaxed);
        }
        version.store(now.wrapping_add(2), Ordering::Release);
    }

    /// Reads the totals, trying up to `attempts` times (at least once) for those of one batch end.
    ///
    /// A writer that was stopped inside `publish` makes every attempt fail; what to do with [`Reading::Torn`] then is
    /// the caller's choice.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn read(&self, attempts: u32) -> Reading<N> {
        let mut left = attempts;
        loop {
            let before = self.inner.version.load(Ordering::Acquire);
            let totals = self.inner.totals.each_ref().map(|total| total.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            let after = self.inner.version.load(Ordering::Relaxed);
            if before == after && before.is_multiple_of(2) {
                return Reading::Whole(totals);
            }
            left = left.saturating_sub(1);
            if left == 0 {
                return Reading::Torn(totals);
            }
        }
    }

    /// Adds up the readings of several shards; whole only if each of them was.
    ///
    /// Each shard is read at its own moment: sums that balance in every shard balance in the whole.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn fold<'c>(shards: impl IntoIterator<Item = &'c Self>, attempts: u32) -> Reading<N> {
        let mut sum = Reading::Whole([0; N]);
        for shard in shards {
            let reading = shard.read(attempts);
            let mut totals = sum.totals();
            for (total, count) in totals.iter_mut().zip(reading.totals()) {
                *total = total.wrapping_add(count);
            }
            sum = match (sum, reading) {
                (Reading::Whole(_), Reading::Whole(_)) => Reading::Whole(totals),
                _ => Reading::Torn(totals),
            };
        }
        sum
    }
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self::new()
    }
}
