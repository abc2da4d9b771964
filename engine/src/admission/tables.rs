//! Replacing the allow-list while datagrams arrive.
//!
//! Two tables of the size given at open: the one in force, and the one that the next list is written to. A shard does not
//! read either while it works. At the beginning of a batch it looks at the generation, and when that has moved on it
//! copies the table in force to a list of its own. So the replacer waits for no shard and no shard waits for it: a shard
//! that says "idle" and a replacer that reads it would have to order a store before a later load on every batch, which
//! takes a full fence; a copy on every replacement takes none.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

use skua_pools::{Memory, OutOfMemory, Slab, Tag};

use super::config::{AdmissionError, Allow};
use super::rules::{Entry, Rule, RuleHits, RuleWords, Shape, count_of, load};

/// The generation before that of open's list. Shards begin with it, and so fetch a list with their first batch.
pub(super) const UNFETCHED: u64 = 0;

/// Marks a rule that has no cell yet.
const NO_CELL: u64 = u64::MAX;

/// Why [`Admission::replace`](super::Admission::replace) did nothing. The list that was in force still is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// Another thread is replacing the list.
    #[error("the allow-list is being replaced by another thread: try again when it is done")]
    Busy,
    /// The list has more distinct prefixes than open made room for.
    #[error(
        "the allow-list has {given} prefixes, and there is room for {capacity}: open with a larger allow_capacity"
    )]
    TooManyRules {
        /// Prefixes given, duplicates included.
        given: usize,
        /// Distinct prefixes that fit.
        capacity: u32,
    },
}

/// The allow-list was replaced while it was read: rules visited so far are of the list before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the allow-list was replaced while it was read: read it again")]
pub struct Replaced;

/// More distinct prefixes than places.
#[derive(Clone, Copy)]
struct TooMany {
    given: usize,
    capacity: u32,
}

/// Both tables, and which is in force.
///
/// ```text
///  replacer, making generation g + 1              shard, at the beginning of a batch
///  ---------------------------------              ----------------------------------
///  filling = g + 1                                current -> g                       Acquire (1)
///  fence                             Release (2)  copies the words of table g mod 2  Relaxed
///  writes table (g + 1) mod 2        Relaxed      fence                              Acquire (3)
///  current = g + 1                   Release (4)  filling > g + 1 ? begin again : done
/// ```
///
/// (1) with (4): the words copied are at least as new as generation g. They are newer only if generation g + 2 was being
/// written; then (3) with (2) shows `filling` at g + 2 or above, and the copy is made again. It is made again only
/// because generation g + 1 was completed meanwhile. A batch that begins after `replace` returned runs under that list or
/// a later one; a batch that had begun before ends under the list it began with.
pub(super) struct RuleTables<M: Memory> {
    /// `capacity` rules of the even generations, then those of the odd ones. Written by the replacer.
    rules: Slab<Rule, M>,
    shapes: [SharedShape; 2],
    capacity: u32,
    current: AtomicU64,
    /// The latest generation whose table may be partly written.
    filling: AtomicU64,
    /// Whether a list is in force or about to be: set before the list is, cleared after it is no more.
    listed: AtomicBool,
    /// Held by the one replacer.
    replacing: AtomicBool,
}

/// A [`Shape`] that is written while it may be read.
#[derive(Debug, Default)]
struct SharedShape {
    listed: AtomicBool,
    ipv4: AtomicU32,
    total: AtomicU32,
}

impl<M: Memory> RuleTables<M> {
    /// What [`RuleTables::open`] asks of memory.
    pub(super) fn bytes(capacity: u32) -> Option<usize> {
        Slab::<Rule, M>::bytes((capacity as usize).checked_mul(2)?)
    }

    pub(super) fn open(memory: M, tag: Tag, capacity: u32, allow: Allow<'_>) -> Result<Self, AdmissionError> {
        let places = (capacity as usize).checked_mul(2).ok_or(OutOfMemory { bytes: usize::MAX, tag })?;
        let tables = Self {
            rules: Slab::new(memory, tag, places, |_| Rule::default())?,
            shapes: Default::default(),
            capacity,
            current: AtomicU64::new(UNFETCHED),
            filling: AtomicU64::new(UNFETCHED),
            listed: AtomicBool::new(false),
            replacing: AtomicBool::new(false),
        };
        match tables.install(allow) {
            Ok(()) => Ok(tables),
            Err(TooMany { given, capacity }) => Err(AdmissionError::TooManyRules { given, capacity }),
        }
    }

    /// Whether a batch that begins now may have to look at a list.
    #[inline]
    pub(super) fn is_listed(&self) -> bool {
        // Relaxed: what is read of a list is read through `current`.
        self.listed.load(Ordering::Relaxed)
    }

    /// The generation in force.
    #[inline]
    pub(super) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    /// Writes a list and puts it in force.
    pub(super) fn replace(&self, allow: Allow<'_>) -> Result<(), ReplaceError> {
        // Acquire: the tables as the replacer before left them.
        if self.replacing.swap(true, Ordering::Acquire) {
            return Err(ReplaceError::Busy);
        }
        let installed = self.install(allow);
        self.replacing.store(false, Ordering::Release);
        installed.map_err(|TooMany { given, capacity }| ReplaceError::TooManyRules { given, capacity })
    }

    /// Called by one thread at a time.
    fn install(&self, allow: Allow<'_>) -> Result<(), TooMany> {
        let current = load(&self.current);
        let next = current.wrapping_add(1);
        self.filling.store(next, Ordering::Relaxed);
        fence(Ordering::Release);
        let shape = self.fill(next, allow)?;
        let (_, shared) = self.table(next);
        shared.listed.store(shape.listed, Ordering::Relaxed);
        shared.ipv4.store(shape.ipv4, Ordering::Relaxed);
        shared.total.store(shape.total, Ordering::Relaxed);
        if shape.listed {
            self.listed.store(true, Ordering::Relaxed);
        }
        self.current.store(next, Ordering::Release);
        if !shape.listed {
            self.listed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes the rules of generation `next` to the idle table, IPv4 first, and gives each a cell.
    fn fill(&self, next: u64, allow: Allow<'_>) -> Result<Shape, TooMany> {
        let Allow::Only(prefixes) = allow else { return Ok(Shape::default()) };
        let too_many = TooMany { given: prefixes.len(), capacity: self.capacity };
        let (rules, _) = self.table(next);
        let (former, former_shape) = self.table(next.wrapping_sub(1));
        let former = former.get(..former_shape.load().total as usize).unwrap_or_default();

        let mut shape = Shape { listed: true, ipv4: 0, total: 0 };
        for ipv4 in [true, false] {
            for prefix in prefixes.iter().filter(|prefix| prefix.is_ipv4() == ipv4) {
                let mut words = RuleWords::new(prefix, NO_CELL, next);
                let written = rules.get(..shape.total as usize).unwrap_or_default();
                if written.iter().any(|rule| rule.load().is_same_prefix(&words)) {
                    continue;
                }
                if let Some(same) = former.iter().map(Rule::load).find(|rule| rule.is_same_prefix(&words)) {
                    words = same;
                }
                rules.get(shape.total as usize).ok_or(too_many)?.store(&words);
                shape.total += 1;
            }
            if ipv4 {
                shape.ipv4 = shape.total;
            }
        }

        // As many cells as places, so every rule finds one that no other has.
        let rules = rules.get(..shape.total as usize).unwrap_or_default();
        let taken = |cell| rules.iter().any(|rule| rule.load().cell == cell);
        let mut free = 0;
        for rule in rules {
            let words = rule.load();
            if words.cell == NO_CELL {
                while taken(free) {
                    free += 1;
                }
                rule.store(&RuleWords { cell: free, ..words });
            }
        }
        Ok(shape)
    }

    /// Copies the list in force to a shard's own `entries`, whose counts then belong to its rules.
    ///
    /// `generation` is the shard's: which list its entries are of.
    pub(super) fn fetch(&self, entries: &[Entry], generation: &AtomicU64) -> Shape {
        let held = load(generation);
        let (copied, shape) = self.copy(|rules| {
            for (entry, rule) in entries.iter().zip(rules) {
                entry.rule.store(&rule.load());
            }
        });
        // A reader that sees what is counted from here on sees that this generation is in force, and not to be read as
        // the one before.
        fence(Ordering::Release);
        for entry in entries.iter().take(shape.total as usize) {
            let words = entry.rule.load();
            if words.since > held
                && let Some(count) = count_of(entries, words.cell)
            {
                count.store(0, Ordering::Relaxed);
            }
        }
        // Release: who reads this generation reads counts that belong to its rules.
        generation.store(copied, Ordering::Release);
        shape
    }

    /// Has `take` copy the rules in force, and again for as long as they were being written over meanwhile. Returns
    /// which generation was copied, and its shape.
    fn copy(&self, mut take: impl FnMut(&[Rule])) -> (u64, Shape) {
        loop {
            let current = self.current();
            let (rules, shared) = self.table(current);
            let shape = shared.load();
            take(rules.get(..shape.total as usize).unwrap_or_default());
            fence(Ordering::Acquire);
            if load(&self.filling) <= current.wrapping_add(1) {
                return (current, shape);
            }
        }
    }

    /// The rules and the shape of a generation.
    fn table(&self, generation: u64) -> (&[Rule], &SharedShape) {
        let (even, odd) = self.rules.split_at_checked(self.capacity as usize).unwrap_or_default();
        let [even_shape, odd_shape] = &self.shapes;
        if generation.is_multiple_of(2) { (even, even_shape) } else { (odd, odd_shape) }
    }

    /// The rules in force, each with its hits in `shards`: a shard's generation and entries.
    pub(super) fn read<'a>(
        &self,
        shards: impl Iterator<Item = (&'a AtomicU64, &'a [Entry])> + Clone,
        mut visit: impl FnMut(RuleHits),
    ) -> Result<(), Replaced> {
        let current = self.current();
        let (rules, shape) = self.table(current);
        for rule in rules.iter().take(shape.load().total as usize) {
            let words = rule.load();
            let hits = shards.clone().fold(0_u64, |hits, (generation, entries)| {
                // Acquire: counts of the generation read, not of the rule that had the cell before.
                let known = generation.load(Ordering::Acquire) >= words.since;
                let count = count_of(entries, words.cell).filter(|_| known);
                hits.wrapping_add(count.map_or(0, load))
            });
            // The table is written over, and a shard gives counts to other rules, only when a later generation is in
            // force or was: both do so behind a Release fence that this one meets.
            fence(Ordering::Acquire);
            if load(&self.current) != current {
                return Err(Replaced);
            }
            visit(RuleHits { prefix: words.prefix(), hits });
        }
        Ok(())
    }
}

impl SharedShape {
    fn load(&self) -> Shape {
        Shape {
            listed: self.listed.load(Ordering::Relaxed),
            ipv4: self.ipv4.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
