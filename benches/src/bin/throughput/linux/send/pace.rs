//! When datagrams are due.

use std::time::Duration;

use rustix::thread::nanosleep;
use rustix::time::{ClockId, clock_gettime};

/// How much earlier than due a sleep ends. What is left is spun away.
const EARLY: Duration = Duration::from_micros(150);

/// CLOCK_MONOTONIC.
pub(crate) fn monotonic() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap_or_default()
}

/// A clock that strikes at equal intervals, whether or not anybody is late.
pub(super) struct Pace {
    begin: Duration,
    due: Duration,
    interval: Duration,
}

impl Pace {
    /// The first strike is now.
    pub(super) fn new(interval: Duration) -> Self {
        let now = monotonic();
        Self { begin: now, due: now, interval }
    }

    /// When it began.
    pub(super) fn begin(&self) -> Duration {
        self.begin
    }

    /// Waits for the next strike, and says when it was due; `None` when that is not before `end`.
    pub(super) fn next_before(&mut self, end: Duration) -> Option<Duration> {
        let due = self.due;
        if due >= end {
            return None;
        }
        self.due += self.interval;
        loop {
            let now = monotonic();
            let Some(left) = due.checked_sub(now) else { return Some(due) };
            if left > EARLY {
                let nap = left.saturating_sub(EARLY);
                if let Ok(nap) = nap.try_into() {
                    let _ = nanosleep(&nap);
                }
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_strike_does_not_move_those_after_it() {
        let interval = Duration::from_micros(100);
        let mut pace = Pace::new(interval);
        let end = pace.begin() + interval * 20;
        let mut due = Vec::new();
        while let Some(strike) = pace.next_before(end) {
            assert!(monotonic() >= strike);
            if due.len() == 3 {
                std::thread::sleep(interval * 5);
            }
            due.push(strike);
        }
        let even: Vec<Duration> = (0..20).map(|number| pace.begin() + interval * number).collect();
        assert_eq!(due, even);
    }
}
