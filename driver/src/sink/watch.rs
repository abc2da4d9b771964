//! What becomes an event while a sink runs: datagrams that are lost, and a reader that does not read.

use skua_engine::DropReason;
use skua_record::Clock;

/// How often a sink is looked at, in ms; no event of a sink comes more often.
pub(crate) const INTERVAL: u64 = 1000;

/// What was seen when it was looked at last.
pub(crate) struct Watch {
    before: Sight,
    /// When a reader last moved a cursor, or had nothing to read, in ticks.
    moved: u64,
}

/// A sink at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The performance counter.
    pub(crate) now: u64,
    /// Datagrams dropped so far, by reason.
    pub(crate) drops: [u64; DropReason::COUNT],
    /// Bytes of all rings ever given back by readers.
    pub(crate) released: u64,
    /// Bytes of all rings that are not read.
    pub(crate) unread: u64,
    /// Free bytes of the fullest ring.
    pub(crate) free: u64,
}

/// What is worth an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Datagrams lost for one reason, in so many ms.
    Drops {
        /// The reason.
        reason: DropReason,
        /// How many.
        datagrams: u64,
        /// Since the look before.
        milliseconds: u64,
    },
    /// Nothing was read for `idle` ms, and at the present rate the fullest ring is full in `budget` ms.
    Stall {
        /// How long nothing was read.
        idle: u64,
        /// How long it can go on.
        budget: u64,
    },
}

impl Watch {
    /// From this moment on.
    pub(crate) fn new(now: u64) -> Self {
        Self { before: Sight { now, ..Sight::default() }, moved: now }
    }

    /// Whether it is time for another look.
    pub(crate) fn is_due(&self, now: u64, clock: &Clock) -> bool {
        now.saturating_sub(self.before.now) >= clock.ticks_in(INTERVAL * 1_000_000)
    }

    /// Looks, and tells what is worth an event.
    pub(crate) fn look(&mut self, now: &Sight, clock: &Clock, mut notice: impl FnMut(Notice)) {
        let before = core::mem::replace(&mut self.before, *now);
        let elapsed = milliseconds(clock, before.now, now.now);
        for (reason, (after, before)) in DropReason::ALL.into_iter().zip(now.drops.iter().zip(before.drops)) {
            let datagrams = after.saturating_sub(before);
            if datagrams > 0 {
                notice(Notice::Drops { reason, datagrams, milliseconds: elapsed });
            }
        }
        if now.unread == 0 || now.released != before.released {
            self.moved = now.now;
            return;
        }
        // Nothing was given back, so what is unread grew by what was published.
        let published = now.unread.saturating_sub(before.unread);
        if published == 0 && now.drops == before.drops {
            return;
        }
        let idle = milliseconds(clock, self.moved, now.now);
        let budget = now.free.saturating_mul(elapsed).checked_div(published).unwrap_or(0);
        notice(Notice::Stall { idle, budget });
    }
}

fn milliseconds(clock: &Clock, from: u64, to: u64) -> u64 {
    clock.nanoseconds(to.saturating_sub(from)) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::vec::Vec;

    const SECOND: u64 = 1_000_000;

    fn clock() -> Clock {
        Clock::new(0, 0, SECOND).unwrap()
    }

    fn look(watch: &mut Watch, sight: Sight) -> Vec<Notice> {
        let mut notices = Vec::new();
        watch.look(&sight, &clock(), |notice| notices.push(notice));
        notices
    }

    #[test]
    fn each_reason_that_lost_something_is_told_with_its_rate() {
        let mut watch = Watch::new(0);
        let mut drops = [0; DropReason::COUNT];
        drops[DropReason::RingFull as usize] = 7;
        let seen = look(&mut watch, Sight { now: 2 * SECOND, drops, ..Sight::default() });
        assert_eq!(seen, [Notice::Drops { reason: DropReason::RingFull, datagrams: 7, milliseconds: 2000 }]);
        let seen = look(&mut watch, Sight { now: 3 * SECOND, drops, ..Sight::default() });
        assert_eq!(seen, [], "nothing new was lost");
    }

    #[test]
    fn a_reader_that_does_not_read_is_told_of_with_what_is_left() {
        let mut watch = Watch::new(0);
        let sight =
            |seconds: u64, unread, free| Sight { now: seconds * SECOND, unread, free, ..Sight::default() };
        assert_eq!(look(&mut watch, sight(1, 0, 10_000)), [], "nothing to read");
        let stall = |idle, budget| [Notice::Stall { idle, budget }];
        assert_eq!(look(&mut watch, sight(2, 1000, 9000)), stall(1000, 9000));
        assert_eq!(look(&mut watch, sight(3, 4000, 6000)), stall(2000, 2000));
        assert_eq!(look(&mut watch, sight(4, 4000, 6000)), [], "no traffic, no stall");
        let read = Sight { released: 4000, ..sight(5, 1000, 9000) };
        assert_eq!(look(&mut watch, read), []);
        let later = Sight { released: 4000, ..sight(6, 2000, 8000) };
        assert_eq!(look(&mut watch, later), stall(1000, 8000));
    }

    #[test]
    fn looks_are_apart() {
        let watch = Watch::new(SECOND);
        assert!(!watch.is_due(2 * SECOND - 1, &clock()));
        assert!(watch.is_due(2 * SECOND, &clock()));
    }
}
