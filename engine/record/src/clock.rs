//! How performance-counter ticks relate to Unix time.

use core::num::NonZero;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// One moment, taken on both clocks when the ring was opened, and the rate of the counter.
///
/// The relation is fixed for the life of a ring: a step of the system clock afterwards does not move records that were
/// already stamped, and two rings opened together convert equal ticks to equal times.
/// A counter counts: no span is divided by 0.
///
/// # Invariants
/// `nanoseconds_per_tick` is 10^9 / `ticks_per_second` where that is a whole number, else 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    ticks: u64,
    unix_nanoseconds: u64,
    ticks_per_second: NonZero<u64>,
    nanoseconds_per_tick: u64,
}

impl Clock {
    /// The relation "`ticks` was `unix_nanoseconds` after 1970-01-01 UTC", for a counter of `ticks_per_second`.
    /// `None` if the counter does not count.
    #[inline]
    #[must_use]
    pub const fn new(ticks: u64, unix_nanoseconds: u64, ticks_per_second: u64) -> Option<Self> {
        let Some(ticks_per_second) = NonZero::new(ticks_per_second) else { return None };
        let per_second = ticks_per_second.get();
        let is_whole = NANOSECONDS_PER_SECOND.is_multiple_of(per_second);
        let nanoseconds_per_tick = if is_whole { NANOSECONDS_PER_SECOND / per_second } else { 0 };
        Some(Self { ticks, unix_nanoseconds, ticks_per_second, nanoseconds_per_tick })
    }

    /// The counter's reading when the ring was opened.
    #[inline]
    #[must_use]
    pub const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// How often the counter counts in a second.
    #[inline]
    #[must_use]
    pub const fn ticks_per_second(&self) -> u64 {
        self.ticks_per_second.get()
    }

    /// `ticks` as ns since 1970-01-01 UTC, rounded towards the moment of opening; saturates at 0 and at `u64::MAX`
    /// (year 2554).
    #[inline]
    #[must_use]
    pub const fn unix_nanoseconds(&self, ticks: u64) -> u64 {
        if ticks >= self.ticks {
            self.unix_nanoseconds.saturating_add(self.nanoseconds(ticks - self.ticks))
        } else {
            self.unix_nanoseconds.saturating_sub(self.nanoseconds(self.ticks - ticks))
        }
    }

    /// A span of `ticks` in ns; saturates.
    #[inline]
    #[must_use]
    pub const fn nanoseconds(&self, ticks: u64) -> u64 {
        // Divisions would be most of what reading a record costs, and usual counters need none.
        if self.nanoseconds_per_tick != 0 {
            return ticks.saturating_mul(self.nanoseconds_per_tick);
        }
        let ticks_per_second = self.ticks_per_second.get();
        let seconds = ticks / ticks_per_second;
        let rest = ticks % ticks_per_second;
        // The rest is below one second, so its quotient is below 10^9; only the product needs the wide type, and for
        // counters up to 18.4 GHz not even that.
        let fraction = match rest.checked_mul(NANOSECONDS_PER_SECOND) {
            Some(product) => product / ticks_per_second,
            None => wide_fraction(rest, self.ticks_per_second),
        };
        seconds.saturating_mul(NANOSECONDS_PER_SECOND).saturating_add(fraction)
    }

    /// A span of `nanoseconds` in ticks; saturates.
    #[inline]
    #[must_use]
    pub const fn ticks_in(&self, nanoseconds: u64) -> u64 {
        let product = nanoseconds as u128 * self.ticks_per_second.get() as u128;
        let ticks = product / NANOSECONDS_PER_SECOND as u128;
        if ticks > u64::MAX as u128 { u64::MAX } else { truncate(ticks) }
    }
}

#[cold]
const fn wide_fraction(rest: u64, ticks_per_second: NonZero<u64>) -> u64 {
    truncate(rest as u128 * NANOSECONDS_PER_SECOND as u128 / ticks_per_second.get() as u128)
}

#[expect(clippy::cast_possible_truncation, reason = "both callers pass what they bounded by u64::MAX")]
const fn truncate(value: u128) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: u64 = 365 * 24 * 3600;

    #[test]
    fn ten_years_at_every_usual_frequency_stay_exact() {
        for frequency in [10_000_000, 24_000_000, 1_000_000_000, 3_579_545, 20_000_000_000] {
            let clock = Clock::new(5, 1_700_000_000_000_000_000, frequency).unwrap();
            assert_eq!(
                clock.unix_nanoseconds(5 + 10 * YEAR * frequency),
                1_700_000_000_000_000_000 + 10 * YEAR * NANOSECONDS_PER_SECOND
            );
        }
    }

    #[test]
    fn a_moment_before_opening_is_before_it() {
        let clock = Clock::new(1_000, 10_000, 10_000_000).unwrap();
        assert_eq!(clock.unix_nanoseconds(990), 9_000);
        assert_eq!(clock.unix_nanoseconds(0), 0);
    }

    #[test]
    fn the_ends_saturate() {
        let clock = Clock::new(0, u64::MAX - 1, 1).unwrap();
        assert_eq!(clock.unix_nanoseconds(u64::MAX), u64::MAX);
        assert_eq!(Clock::new(u64::MAX, 5, 1).unwrap().unix_nanoseconds(0), 0);
        assert_eq!(Clock::new(0, 0, u64::MAX).unwrap().ticks_in(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_counter_that_does_not_count_is_refused() {
        assert_eq!(Clock::new(1, 1, 0), None);
    }

    #[test]
    fn spans_convert_back() {
        let clock = Clock::new(0, 0, 10_000_000).unwrap();
        assert_eq!(clock.ticks_in(10_000_000), 100_000);
        assert_eq!(clock.nanoseconds(100_000), 10_000_000);
    }
}
