//! Moderation: while datagrams keep coming, a worker lets a few of them gather before it looks again.
//!
//! ```text
//!            the buffer is empty, and was twice in a row at a time that it pays
//!   waiting ------------------------------------------------------------------> resting
//!      ^                                                                           | receives what gathered
//!      '------------------- the buffer is empty, and it does not pay --------------+
//! ```
//!
//! A wake-up costs several times what taking a datagram does. A rest costs one wake-up too, by a timer, so it pays when two
//! datagrams or more come in the meantime.

use std::time::{Duration, Instant};

use crate::os::Backlog;

/// So many datagrams are to be expected within the longest rest for one to pay.
const WORTH: u64 = 2;
/// The first rest is this part of the longest: what fills the buffer is not known before it.
const FIRST_PART: u32 = 8;
/// A rest is to fill this part of the buffer at most, which leaves three times as much for bursts.
const BUFFER_PART: u32 = 4;
/// And so many bytes of it at most: what gathers is to be in a processor's cache still when it is taken.
const IN_CACHE: u32 = 512 << 10;
/// Rests below this part of the longest do not pay: the buffer is too small for the rate.
const SHORTEST_PART: u32 = 32;
/// What is added to such a rest, as a part of the longest, each time that it is not taken: the rate may have changed.
const REGAIN_PART: u32 = 1024;

/// When a worker rests, and how long.
#[derive(Debug)]
pub(super) struct Moderation {
    longest: Duration,
    /// How long the next rest is to be.
    next: Duration,
    /// When the buffer was last found empty.
    emptied: Option<Instant>,
    /// Taken since.
    taken: u64,
    /// Datagrams that were to be expected within the longest rest, when the buffer was last found empty.
    expected: u64,
}

impl Moderation {
    /// With rests of at most `longest`; none if that is zero.
    pub(super) fn new(longest: Duration) -> Option<Self> {
        let first = longest / FIRST_PART;
        (!longest.is_zero()).then_some(Self { longest, next: first, emptied: None, taken: 0, expected: 0 })
    }

    /// So many datagrams were taken.
    pub(super) fn take(&mut self, datagrams: usize) {
        self.taken += datagrams as u64;
    }

    /// The buffer is empty. How long to rest, if that pays.
    ///
    /// A single burst after a time of rest does not make it pay: both the last time and the one before must.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Duration> {
        let taken = std::mem::take(&mut self.taken);
        let gap = self.emptied.replace(now).map_or(Duration::MAX, |last| now - last).as_nanos().max(1);
        let expected = u128::from(taken) * self.longest.as_nanos() / gap;
        let expected = u64::try_from(expected).unwrap_or(u64::MAX);
        let before = std::mem::replace(&mut self.expected, expected);
        if expected.min(before) < WORTH {
            self.next = self.longest / FIRST_PART;
            return None;
        }
        if self.next < self.longest / SHORTEST_PART {
            self.next += self.longest / REGAIN_PART;
            return None;
        }
        Some(self.next)
    }

    /// What a rest has let gather that took so long: longer than it was to be, where the worker had to wait for a processor.
    pub(super) fn learn(&mut self, took: Duration, backlog: Backlog) {
        let most = (backlog.limit / BUFFER_PART).min(IN_CACHE);
        let by_buffer = took.saturating_mul(most) / backlog.queued.max(1);
        self.next = (self.next * 2).min(by_buffer).min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(1);
    const EMPTY: Backlog = Backlog { queued: 0, limit: 1 << 20 };

    /// The rests of a worker that finds a datagram every `gap`, and `backlog` after each rest.
    fn rests(moderation: &mut Moderation, looks: usize, gap: Duration, backlog: Backlog) -> Vec<Duration> {
        let mut now = moderation.emptied.unwrap_or_else(Instant::now);
        let look = |_| {
            now += gap;
            moderation.take(1);
            let rest = moderation.rest(now)?;
            moderation.learn(rest, backlog);
            Some(rest)
        };
        (0..looks).filter_map(look).collect()
    }

    #[test]
    fn rests_grow_to_the_longest_while_datagrams_keep_coming() {
        let mut moderation = Moderation::new(LONGEST).unwrap();
        let rests = rests(&mut moderation, 10, LONGEST / 10, EMPTY);
        let micros: Vec<u128> = rests.iter().map(Duration::as_micros).collect();
        // The first look has no time before it, and one alone does not make it pay.
        assert_eq!(micros, [125, 250, 500, 1000, 1000, 1000, 1000, 1000]);
    }

    #[test]
    fn there_is_none_at_rates_where_it_does_not_pay() {
        let mut moderation = Moderation::new(LONGEST).unwrap();
        assert_eq!(rests(&mut moderation, 100, LONGEST * 6 / 10, EMPTY), []);
        assert!(Moderation::new(Duration::ZERO).is_none());
    }

    #[test]
    fn a_pair_after_a_time_without_does_not_make_it_pay() {
        let mut moderation = Moderation::new(LONGEST).unwrap();
        for _ in 0..20 {
            assert_eq!(rests(&mut moderation, 1, LONGEST * 10, EMPTY), []);
            assert_eq!(rests(&mut moderation, 1, LONGEST / 100, EMPTY), []);
        }
    }

    #[test]
    fn it_ends_when_the_datagrams_do_and_begins_anew() {
        let mut moderation = Moderation::new(LONGEST).unwrap();
        assert_eq!(rests(&mut moderation, 10, LONGEST / 10, EMPTY).len(), 8);
        assert_eq!(rests(&mut moderation, 2, LONGEST * 100, EMPTY), []);
        assert_eq!(rests(&mut moderation, 3, LONGEST / 10, EMPTY)[0], LONGEST / 8);
    }

    #[test]
    fn a_rest_does_not_fill_more_than_a_quarter_of_the_buffer() {
        let mut moderation = Moderation::new(LONGEST).unwrap();
        rests(&mut moderation, 10, LONGEST / 10, EMPTY);
        assert_eq!(moderation.next, LONGEST);
        // The longest rest filled half of it.
        moderation.learn(LONGEST, Backlog { queued: 500, limit: 1000 });
        assert_eq!(moderation.next, LONGEST / 2);
        moderation.learn(LONGEST / 2, Backlog { queued: 250, limit: 1000 });
        assert_eq!(moderation.next, LONGEST / 2);
        moderation.learn(LONGEST / 2, Backlog { queued: 1000, limit: 1000 });
        assert_eq!(moderation.next, LONGEST / 8);
        // The same rate, found by a worker that was kept from its processor.
        moderation.learn(LONGEST / 2, Backlog { queued: 1000, limit: 1000 });
        assert_eq!(moderation.next, LONGEST / 8);
    }

    #[test]
    fn there_is_none_while_the_buffer_is_too_small_for_the_rate() {
        let mut moderation = Moderation::new(LONGEST).unwrap();
        rests(&mut moderation, 10, LONGEST / 10, EMPTY);
        let full = Backlog { queued: 10_000, limit: 1000 };
        moderation.learn(LONGEST, full);
        assert_eq!(rests(&mut moderation, 6, LONGEST / 10, full), []);
        let retried = rests(&mut moderation, 10, LONGEST / 10, full);
        assert_eq!(retried.len(), 1, "it is tried again now and then");
        assert!(retried[0] <= LONGEST / 31);
        assert_eq!(rests(&mut moderation, 1, LONGEST * 100, EMPTY), []);
        assert_eq!(rests(&mut moderation, 3, LONGEST / 10, EMPTY)[0], LONGEST / 8, "there was none to take");
    }
}
