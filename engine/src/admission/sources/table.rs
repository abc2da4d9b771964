//! A fixed number of rows, found by address.

use super::meter::Meter;
use super::other::Other;
use super::row::SourceRow;
use super::set::{Set, Tag, Unread, WAYS};
use crate::admission::bucket::Pace;
use crate::admission::key::{HashKeys, Key};
use crate::admission::prefetch::prefetch;
use crate::reason::DropReason;

/// Most rows that a shard's table may have.
pub(in crate::admission) const MAX_ROWS: u32 = 1 << 24;

/// Sets for at least `rows` rows.
pub(in crate::admission) fn sets_for(rows: u32) -> usize {
    (rows as usize).div_ceil(WAYS)
}

/// What is the same for every shard's table.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct TableSettings {
    pub(in crate::admission) hash: HashKeys,
    /// One /64 is one source.
    pub(in crate::admission) fold_ipv6: bool,
    /// The limit of each row.
    pub(in crate::admission) pace: Option<Pace>,
    /// The limit of `other`.
    pub(in crate::admission) other_pace: Option<Pace>,
    /// Ticks without a datagram after which a row may be given away: at least as many as fill its token bucket, so that
    /// a source gains nothing by coming back to a new row.
    pub(in crate::admission) idle: u64,
}

/// One shard's rows.
///
/// A source's row is in the first of two sets that its hash names or, if that was full when it came, in the second. It is
/// nowhere else, so no search is longer. A source for which both are full shares `other` until a row there is idle.
///
/// # Invariants
/// The datagrams of all rows and `other` together are those that [`Table::pass`] was called for; so are their bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct Table<'a> {
    pub(in crate::admission) settings: &'a TableSettings,
    pub(in crate::admission) sets: &'a [Set],
    pub(in crate::admission) other: &'a Other,
}

impl<'a> Table<'a> {
    /// Counts a datagram for its source, and says whether its rate lets it pass and, if it does, whether `keep` does.
    #[inline]
    pub(in crate::admission) fn pass(
        &self,
        key: Key,
        bytes: u32,
        now: u64,
        keep: impl FnOnce() -> bool,
    ) -> Result<(), DropReason> {
        let (meter, pace) = match self.meter(self.fold(key), now) {
            Some(meter) => (meter, &self.settings.pace),
            None => (self.other.meter(now), &self.settings.other_pace),
        };
        if !meter.pass(bytes, now, pace.as_ref()) {
            return Err(DropReason::RateLimited);
        }
        if !keep() {
            meter.count_sampled();
            return Err(DropReason::Sampled);
        }
        Ok(())
    }

    /// Asks for the line of the row that [`Table::pass`] of this address is going to touch.
    ///
    /// Which row that is stands in the tags, so their line is read here. Over a batch these reads do not wait for one
    /// another, whereas in [`Table::pass`] a row could not be asked for before its tags had come.
    #[inline]
    pub(in crate::admission) fn prefetch(&self, key: Key) {
        let hash = self.settings.hash.hash(self.fold(key));
        if let Some(set) = self.first_set(hash) {
            prefetch(set.likely(Tag::new(hash)));
        }
    }

    /// Every row that is a source's, then `other`. Returns how many could not be read because they were being given to
    /// another source.
    pub(in crate::admission) fn read(&self, mut visit: impl FnMut(SourceRow)) -> usize {
        let mut unread = 0;
        for set in self.sets {
            for way in 0..WAYS {
                match set.read(way) {
                    Ok(Some(row)) => visit(row),
                    Ok(None) => {}
                    Err(Unread) => unread += 1,
                }
            }
        }
        visit(self.other.read());
        unread
    }

    #[inline]
    fn fold(&self, key: Key) -> Key {
        if self.settings.fold_ipv6 { key.folded() } else { key }
    }

    /// The source's row, or the one that it gets; `None` if it gets none.
    #[inline]
    fn meter(&self, key: Key, now: u64) -> Option<&'a Meter> {
        let hash = self.settings.hash.hash(key);
        let first = self.first_set(hash)?;
        match first.find(key, Tag::new(hash)) {
            Some(meter) => Some(meter),
            None => self.meter_beyond(first, key, hash, now),
        }
    }

    /// The same for a source that has no row in its first set.
    #[cold]
    #[inline(never)]
    fn meter_beyond(&self, first: &'a Set, key: Key, hash: u64, now: u64) -> Option<&'a Meter> {
        let tag = Tag::new(hash);
        let second = self.second_set(hash)?;
        if let Some(meter) = second.find(key, tag) {
            return Some(meter);
        }
        let credits = self.settings.pace.as_ref().map_or(0, Pace::full);
        for set in [first, second] {
            if let Some(way) = set.vacant() {
                return Some(set.give(way, key, tag, credits, now));
            }
        }
        for set in [first, second] {
            if let Some(way) = set.idle(now, self.settings.idle) {
                if let Some(former) = set.peek(way) {
                    self.other.absorb(&former);
                }
                return Some(set.give(way, key, tag, credits, now));
            }
        }
        None
    }

    #[inline]
    fn first_set(&self, hash: u64) -> Option<&'a Set> {
        self.sets.get(scale(hash >> 32, self.sets.len()))
    }

    /// From the bits of the hash that the first set was not chosen by.
    fn second_set(&self, hash: u64) -> Option<&'a Set> {
        self.sets.get(scale(hash & u64::from(u32::MAX), self.sets.len()))
    }
}

/// A number below `count` from one below 2^32, as a product instead of a remainder.
#[inline]
fn scale(fraction: u64, count: usize) -> usize {
    (fraction.wrapping_mul(count as u64) >> 32) as usize
}
