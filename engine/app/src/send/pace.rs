//! When the next datagrams are due.

use std::time::{Duration, Instant};

use crate::cli::Pace;

/// The most datagrams that are sent at once to catch up.
const BURST: u64 = 64;
/// Sleeps shorter than this are not asked for: the system would not keep them.
const SHORTEST_SLEEP: Duration = Duration::from_micros(60);

/// Spreads datagrams evenly over time, from a start.
///
/// The schedule is absolute: a late burst is followed by a larger one, up to [`BURST`] at a time, so that the mean rate
/// holds for as long as the machine can keep it at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    start: Instant,
    /// The most datagrams sent before the clock is read again, where there is no rate.
    turn: u64,
}

impl Schedule {
    /// Begins at `start`. Without a rate, datagrams are due by the `turn`.
    pub(crate) fn new(pace: Pace, start: Instant, turn: u64) -> Self {
        Self { pace, start, turn }
    }

    /// How many datagrams are due at `now`, when `sent` were sent: at most a burst, or the turn.
    pub(crate) fn due(&self, sent: u64, now: Instant) -> u64 {
        match self.pace {
            Pace::Max => self.turn,
            Pace::At(rate) => {
                let elapsed = now.saturating_duration_since(self.start).as_nanos();
                // The first one is due at the start.
                let due = elapsed * u128::from(rate.0) / 1_000_000_000 + 1;
                u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(sent).min(BURST)
            }
        }
    }

    /// How long to sleep until the datagram after the first `sent` is due; `None` if that is too soon to sleep.
    pub(crate) fn rest(&self, sent: u64, now: Instant) -> Option<Duration> {
        let Pace::At(rate) = self.pace else { return None };
        let nanoseconds = u128::from(sent) * 1_000_000_000 / u128::from(rate.0);
        let due = self.start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        Some(due.saturating_duration_since(now)).filter(|rest| *rest >= SHORTEST_SLEEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Rate;

    /// Sends what is due whenever something is, in a time that only sleeping moves.
    fn sent_within(rate: u64, span: Duration) -> u64 {
        let start = Instant::now();
        let schedule = Schedule::new(Pace::At(Rate(rate)), start, 1);
        let (mut now, mut sent) = (start, 0);
        while now < start + span {
            match schedule.due(sent, now) {
                0 => now += schedule.rest(sent, now).unwrap_or(SHORTEST_SLEEP),
                due => sent += due,
            }
        }
        sent
    }

    #[test]
    fn the_mean_rate_holds_from_slow_to_fast() {
        for rate in [1, 7, 1_000, 100_000, 1_000_000] {
            let sent = sent_within(rate, Duration::from_secs(2));
            // One sleep's worth at the end may be missing, and the one due at the start is extra.
            let slack = rate * u64::from(SHORTEST_SLEEP.subsec_micros()) / 1_000_000 + 1;
            assert!(sent.abs_diff(2 * rate) <= slack, "{sent} at {rate}/s");
        }
    }

    #[test]
    fn a_late_sender_catches_up_in_bursts() {
        let start = Instant::now();
        let schedule = Schedule::new(Pace::At(Rate(1_000)), start, 1);
        assert_eq!(schedule.due(0, start), 1);
        assert_eq!(schedule.due(1, start), 0);
        assert_eq!(schedule.due(1, start + Duration::from_secs(1)), BURST);
        assert_eq!(schedule.due(990, start + Duration::from_secs(1)), 11);
        assert_eq!(schedule.rest(10, start), Some(Duration::from_millis(10)));
        assert_eq!(schedule.rest(10, start + Duration::from_millis(10)), None);
    }

    #[test]
    fn without_a_rate_there_is_no_rest() {
        let start = Instant::now();
        let schedule = Schedule::new(Pace::Max, start, 640);
        assert_eq!(schedule.due(u64::MAX, start), 640);
        assert_eq!(schedule.rest(u64::MAX, start), None);
    }
}
