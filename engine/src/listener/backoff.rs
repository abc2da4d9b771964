//! How long to wait before trying again.

use core::time::Duration;

/// The wait after a first failure.
pub(super) const FIRST: Duration = Duration::from_millis(250);

/// The longest wait.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double with each failure in a row, from [`FIRST`] to [`LONGEST`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Backoff {
    failures: u32,
    /// When to try again, in ticks; 0 is at once.
    due: u64,
}

impl Backoff {
    /// Nothing failed.
    pub(super) const NONE: Self = Self { failures: 0, due: 0 };

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// When to try again, in ticks.
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    /// Counts an attempt that failed `now`, against a clock of `frequency` ticks a second.
    pub(super) fn fail(&mut self, now: u64, frequency: u64) {
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let wait = FIRST.saturating_mul(doubled).min(LONGEST);
        self.due = now.saturating_add(ticks(wait, frequency));
        self.failures = self.failures.saturating_add(1);
    }
}

/// `duration`, of at most a minute, in ticks of a clock of `frequency` ticks a second.
pub(super) fn ticks(duration: Duration, frequency: u64) -> u64 {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    frequency.saturating_mul(milliseconds) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREQUENCY: u64 = 10_000_000;

    #[test]
    fn waits_double_from_a_quarter_of_a_second_to_half_a_minute() {
        let mut backoff = Backoff::NONE;
        let waits = core::array::from_fn(|_| {
            backoff.fail(7, FREQUENCY);
            (backoff.due() - 7) / (FREQUENCY / 1000)
        });
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        let mut endless = Backoff { failures: u32::MAX, due: 0 };
        endless.fail(u64::MAX - 1, FREQUENCY);
        assert_eq!((endless.failures(), endless.due()), (u32::MAX, u64::MAX));
    }
}
