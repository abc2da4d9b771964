//! A fixed number of rows, found by address.

use super::meter::Meter;
use super::other::Other;
use super::row::SourceRow;
use super::set::{Set, Unread, WAYS};
use crate::admission::bucket::Pace;
use crate::admission::key::{HashKeys, Key};
use crate::admission::sample::Sampler;
use crate::prefetch::prefetch;
use crate::reason::DropReason;

/// Most rows that a shard's table may have.
pub(in crate::admission) const MAX_ROWS: u32 = 1 << 24;

/// Bytes of rows that are taken to be near enough without asking for them ahead: a quarter of a second-level cache of 1 MiB, which
/// others use too.
const NEAR: usize = 256 << 10;

/// Sets for at least `rows` rows; never one alone, see [`VacantSets`].
pub(in crate::admission) fn sets_for(rows: u32) -> usize {
    match (rows as usize).div_ceil(WAYS) {
        1 => 2,
        sets => sets,
    }
}

/// How a shard's table is used during a batch.
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
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct Rows<'a> {
    pub(in crate::admission) sets: &'a [Set],
    pub(in crate::admission) other: &'a Other,
}

/// One shard's rows in use.
///
/// A source's row is in the first of two sets that its hash names or, if that was full when it came, in the second. It is
/// nowhere else, so no search is longer. In its first set a source prefers one row, again by its hash, and is looked for
/// there before anything else is read. A source for which both sets are full shares `other` until a row there is idle.
///
/// # Invariants
/// The datagrams of all rows and `other` together are those that [`Table::pass`] was called for; so are their bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct Table<'a> {
    settings: &'a TableSettings,
    sets: &'a [Set],
    other: &'a Other,
}

impl<'a> Rows<'a> {
    #[inline]
    pub(in crate::admission) fn table(self, settings: &'a TableSettings) -> Table<'a> {
        Table { settings, sets: self.sets, other: self.other }
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
}

impl<'a> Table<'a> {
    /// Counts a datagram for its source, and says whether its rate lets it pass and, if it does, whether `sampler` keeps
    /// it.
    #[inline(always)]
    pub(in crate::admission) fn pass(
        &self,
        key: Key,
        bytes: u32,
        now: u64,
        sampler: &mut Sampler,
    ) -> Result<(), DropReason> {
        let (meter, pace) = match self.meter(self.fold(key), now) {
            Some(meter) => (meter, &self.settings.pace),
            None => (self.other.meter(now), &self.settings.other_pace),
        };
        if !meter.pass(bytes, now, pace.as_ref()) {
            return Err(DropReason::RateLimited);
        }
        if !sampler.keep() {
            meter.count_sampled();
            return Err(DropReason::Sampled);
        }
        Ok(())
    }

    /// [`Table::pass`] where all that pass are kept, given the limit of each row. `false` where the rate does not let it pass.
    #[inline(always)]
    pub(in crate::admission) fn pays(&self, key: Key, bytes: u32, now: u64, pace: Option<&Pace>) -> bool {
        match self.meter(self.fold(key), now) {
            Some(meter) => meter.pass(bytes, now, pace),
            None => self.pays_with_others(bytes, now),
        }
    }

    /// The same for a source without a row.
    #[cold]
    #[inline(never)]
    fn pays_with_others(&self, bytes: u32, now: u64) -> bool {
        self.other.meter(now).pass(bytes, now, self.settings.other_pace.as_ref())
    }

    /// The limit of each row.
    #[inline]
    pub(in crate::admission) fn pace(&self) -> Option<&'a Pace> {
        self.settings.pace.as_ref()
    }

    /// Whether the rows are more than caches near the processor hold.
    #[inline]
    pub(in crate::admission) fn is_large(&self) -> bool {
        size_of_val(self.sets) > NEAR
    }

    /// Asks for the line of the row that [`Table::pass`] of this address looks at first, and for that of the tags, which
    /// it looks at next.
    #[inline]
    pub(in crate::admission) fn prefetch(&self, key: Key) {
        let hash = self.settings.hash.hash(self.fold(key));
        if let Some(set) = self.sets.get(first_set(hash, self.sets.len())) {
            prefetch(set.preferred(hash));
            prefetch((&raw const *set).cast());
        }
    }

    #[inline]
    fn fold(&self, key: Key) -> Key {
        if self.settings.fold_ipv6 { key.folded() } else { key }
    }

    /// The source's row, or the one that it gets; `None` if it gets none.
    #[inline(always)]
    fn meter(&self, key: Key, now: u64) -> Option<&'a Meter> {
        let hash = self.settings.hash.hash(key);
        let first = self.sets.get(first_set(hash, self.sets.len()))?;
        if let Some(meter) = first.find_preferred(key, hash) {
            return Some(meter);
        }
        if let Some(meter) = first.find(key, hash) {
            return Some(meter);
        }
        self.meter_beyond(first, key, hash, now)
    }

    /// The same for a source that has no row in its first set.
    #[cold]
    #[inline(never)]
    fn meter_beyond(&self, first: &'a Set, key: Key, hash: u64, now: u64) -> Option<&'a Meter> {
        let second = self.sets.get(second_set(hash, self.sets.len()))?;
        if let Some(meter) = second.find(key, hash) {
            return Some(meter);
        }
        for set in [first, second] {
            if let Some(way) = set.vacant(hash) {
                return Some(set.give(way, key, hash, now));
            }
        }
        for set in [first, second] {
            if let Some(way) = set.idle(now, self.settings.idle) {
                if let Some(former) = set.peek(way) {
                    self.other.absorb(&former);
                }
                return Some(set.give(way, key, hash, now));
            }
        }
        None
    }
}

/// The first set where a source's row may be.
#[inline]
fn first_set(hash: u64, sets: usize) -> usize {
    scale(hash, sets)
}

/// The second, from the other half of the hash; never the first again.
fn second_set(hash: u64, sets: usize) -> usize {
    let (first, second) = (first_set(hash, sets), scale(hash.rotate_left(32), sets));
    match first == second {
        true if first + 1 < sets => first + 1,
        true => 0,
        false => second,
    }
}

/// A number below `count` from a fraction of 2^64, by a product instead of a remainder.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "less than `count`, which is a usize")]
fn scale(fraction: u64, count: usize) -> usize {
    ((u128::from(fraction) * count as u128) >> 64) as usize
}

/// The contents of a table's sets at open.
///
/// A row that is nobody's must hold some address, and must not be found by it: it holds one whose first set is elsewhere.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct VacantSets {
    usual: Key,
    /// Where `usual` would be found.
    except: usize,
    instead: Key,
}

impl VacantSets {
    /// For a table of `sets` sets: none, or two or more.
    pub(in crate::admission) fn new(hash: &HashKeys, sets: usize) -> Self {
        let key = |number| Key { high: number, low: 0 };
        let set_of = |number| first_set(hash.hash(key(number)), sets);
        let except = set_of(0);
        let instead = (1..=u64::MAX).find(|&number| sets < 2 || set_of(number) != except);
        Self { usual: key(0), except, instead: key(instead.unwrap_or(0)) }
    }

    /// The set with this index in its table.
    pub(in crate::admission) fn set(&self, index: usize) -> Set {
        Set::new(if index == self.except { self.instead } else { self.usual })
    }
}

#[cfg(test)]
mod tests {
    use core::array;

    use super::*;
    use crate::admission::sources::{Source, SourceRow};

    const SETS: usize = 64;

    fn settings(seed: u64) -> TableSettings {
        let hash = HashKeys::new(seed);
        TableSettings { hash, fold_ipv6: false, pace: None, other_pace: None, idle: u64::MAX }
    }

    /// Addresses for which both sets are the same two: those of somebody who knows the seed.
    fn colliding(hash: &HashKeys) -> impl Iterator<Item = Key> {
        (0..).map(|low| Key { high: 0x0db8, low }).filter(|&key| {
            let hash = hash.hash(key);
            (first_set(hash, SETS), second_set(hash, SETS)) == (5, 9)
        })
    }

    #[test]
    fn addresses_that_collide_fill_their_two_sets_and_other() {
        let settings = settings(42);
        let vacant = VacantSets::new(&settings.hash, SETS);
        let (sets, other): ([Set; SETS], _) = (array::from_fn(|index| vacant.set(index)), Other::new());
        let rows = Rows { sets: &sets, other: &other };
        let table = rows.table(&settings);
        let sampler = || Sampler::new(core::num::NonZeroU32::MIN);
        for (now, key) in (0..).zip(colliding(&settings.hash).take(500)) {
            table.pass(key, 1, now, &mut sampler()).unwrap();
        }
        // Everybody else finds room as if they had not come.
        let others = 100_u64;
        for low in 0..others {
            table.pass(Key { high: 1, low }, 1, 1000, &mut sampler()).unwrap();
        }
        let (mut own, mut shared) = (0, 0);
        rows.read(|SourceRow { source, datagrams, .. }| match source {
            Source::Address(_) => own += datagrams,
            Source::Other => shared += datagrams,
        });
        assert_eq!((own, shared), (16 + others, 500 - 16));
    }

    #[test]
    fn the_second_set_is_another_one_and_all_sets_are_chosen() {
        let hash = HashKeys::new(3);
        for sets in [2, 3, 10, 64] {
            let mut chosen = [[false; 64]; 2];
            for low in 0..2000 {
                let hash = hash.hash(Key { high: 0, low });
                let (first, second) = (first_set(hash, sets), second_set(hash, sets));
                assert!(first < sets && second < sets && first != second);
                chosen[0][first] = true;
                chosen[1][second] = true;
            }
            assert!(chosen.iter().all(|chosen| chosen[..sets].iter().all(|&chosen| chosen)));
        }
    }

    #[test]
    fn a_vacant_row_is_not_found_by_the_address_it_holds() {
        for (seed, sets) in (0..50).flat_map(|seed| [(seed, 2), (seed, 3), (seed, 64)]) {
            let hash = HashKeys::new(seed);
            let vacant = VacantSets::new(&hash, sets);
            for index in 0..sets {
                let held = if index == vacant.except { vacant.instead } else { vacant.usual };
                assert_ne!(first_set(hash.hash(held), sets), index);
            }
        }
    }
}
