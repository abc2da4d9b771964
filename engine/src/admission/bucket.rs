//! Token buckets in integer arithmetic.

use core::num::{NonZeroU32, NonZeroU64};

/// How many datagrams a source may send.
///
/// The limit holds in every shard by itself: within any span of t seconds a shard lets pass at most
/// `burst + per_second * t` datagrams, so a source whose datagrams reach S processors passes at most S times that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Datagrams a second in the long run.
    pub per_second: NonZeroU32,
    /// Datagrams that a source which was silent may send at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// `per_second` datagrams a second, and one second's worth at once.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn new(per_second: NonZeroU32) -> Self {
        Self { per_second, burst: per_second }
    }

    /// The largest burst that can be counted against a clock of `frequency` ticks a second: 4,294,967,295 up to
    /// 2.14 GHz.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn max_burst(frequency: u64) -> u64 {
        match MAX_CREDITS.checked_div(frequency) {
            Some(burst) => burst,
            None => 0,
        }
    }
}

/// Most credits that a bucket may hold: half the range, so that the credits of one refill can be added without overflow.
/// A bucket that holds them is full whatever its rate comes to be.
pub(super) const MAX_CREDITS: u64 = u64::MAX / 2;

/// A rate against the clock.
///
/// Credits are fractions of a datagram: a datagram costs as many as the clock has ticks in a second, a tick earns as many
/// as the rate has datagrams in a second. Both are whole numbers, so nothing is rounded, nothing is divided, and nothing
/// drifts, however long it runs.
///
/// # Invariants
/// `full` is at most 2^63 - 1; `fill_ticks * earned_per_tick` is at least `full` and less than
/// `full + earned_per_tick`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    earned_per_tick: u64,
    cost: u64,
    /// Credits of a full bucket: burst datagrams.
    full: u64,
    /// Ticks after which any bucket is full.
    fill_ticks: u64,
}

impl Pace {
    /// `None` if the burst exceeds [`Rate::max_burst`].
    pub(super) fn new(rate: Rate, frequency: u64) -> Option<Self> {
        let full = frequency.checked_mul(u64::from(rate.burst.get())).filter(|&full| full <= MAX_CREDITS)?;
        let earned_per_tick = NonZeroU64::from(rate.per_second);
        let fill_ticks = (full + (earned_per_tick.get() - 1)) / earned_per_tick;
        Some(Self { earned_per_tick: earned_per_tick.get(), cost: frequency, full, fill_ticks })
    }

    /// Ticks after which any bucket is full.
    pub(super) fn fill_ticks(&self) -> u64 {
        self.fill_ticks
    }

    /// The credits of a bucket that had `credits`, at most [`MAX_CREDITS`], `elapsed` ticks later and one datagram on;
    /// `Err` with the credits alone if they do not pay for it. Of what exceeds a full bucket nothing counts.
    #[inline]
    pub(super) fn spend(&self, credits: u64, elapsed: u64) -> Result<u64, u64> {
        let credits = if elapsed < self.fill_ticks {
            (credits + elapsed * self.earned_per_tick).min(self.full)
        } else {
            self.full
        };
        credits.checked_sub(self.cost).ok_or(credits)
    }
}
