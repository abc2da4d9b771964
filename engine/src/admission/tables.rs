//! Replacing the allow-list while datagrams arrive: two tables of the size given at open, of which [`Generations`] says
//! which is in force.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

use skua_pools::{Memory, OutOfMemory, Slab, Tag};

use super::config::{AdmissionError, Allow};
use super::generations::{Generations, Replacement};
use super::rules::{Entry, Rule, RuleHits, RuleWords, Shape, count_of, load};

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

/// Both tables, and which is in force.
pub(super) struct RuleTables<M: Memory> {
    /// `capacity` rules of the even generations, then those of the odd ones. Written by the replacer.
    rules: Slab<Rule, M>,
    shapes: [SharedShape; 2],
    capacity: u32,
    generations: Generations,
    /// Whether a list is in force or about to be: set before the list is, cleared after it is no more.
    listed: AtomicBool,
}

/// A [`Shape`] that is written while it may be read.
#[derive(Debug, Default)]
struct SharedShape {
    listed: AtomicBool,
    ipv4: AtomicU32,
    total: AtomicU32,
    disjoint: AtomicBool,
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
            generations: Generations::new(),
            listed: AtomicBool::new(false),
        };
        match tables.replace(allow) {
            // Nobody else has the tables, so nobody else replaces.
            Ok(()) | Err(ReplaceError::Busy) => Ok(tables),
            Err(ReplaceError::TooManyRules { given, capacity }) => {
                Err(AdmissionError::TooManyRules { given, capacity })
            }
        }
    }

    /// Whether a batch that begins now may have to look at a list.
    #[inline]
    pub(super) fn is_listed(&self) -> bool {
        // Relaxed: what is read of a list is read through the generation.
        self.listed.load(Ordering::Relaxed)
    }

    /// The generation in force.
    #[inline]
    pub(super) fn current(&self) -> u64 {
        self.generations.current()
    }

    /// Writes a list and puts it in force.
    pub(super) fn replace(&self, allow: Allow<'_>) -> Result<(), ReplaceError> {
        let replacement = self.generations.begin().ok_or(ReplaceError::Busy)?;
        let shape = self.fill(&replacement, allow)?;
        let (_, shared) = self.table(replacement.generation());
        shared.listed.store(shape.listed, Ordering::Relaxed);
        shared.ipv4.store(shape.ipv4, Ordering::Relaxed);
        shared.total.store(shape.total, Ordering::Relaxed);
        shared.disjoint.store(shape.disjoint, Ordering::Relaxed);
        if shape.listed {
            self.listed.store(true, Ordering::Relaxed);
        }
        replacement.put_in_force();
        if !shape.listed {
            self.listed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes the rules of the next generation to the idle table, IPv4 first, and gives each a cell.
    fn fill(&self, replacement: &Replacement<'_>, allow: Allow<'_>) -> Result<Shape, ReplaceError> {
        let Allow::Only(prefixes) = allow else { return Ok(Shape::default()) };
        let too_many = ReplaceError::TooManyRules { given: prefixes.len(), capacity: self.capacity };
        let next = replacement.generation();
        let (rules, _) = self.table(next);
        let (former, former_shape) = self.table(replacement.former());
        let former = former.get(..former_shape.load().total as usize).unwrap_or_default();

        let mut shape = Shape { listed: true, ipv4: 0, total: 0, disjoint: true };
        for ipv4 in [true, false] {
            for prefix in prefixes.iter().filter(|prefix| prefix.is_ipv4() == ipv4) {
                let mut words = RuleWords::new(prefix, NO_CELL, next);
                let written = rules.get(..shape.total as usize).unwrap_or_default();
                if written.iter().any(|rule| rule.load().is_same_prefix(&words)) {
                    continue;
                }
                if ipv4 && written.iter().any(|rule| rule.load().overlaps(&words)) {
                    shape.disjoint = false;
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

    /// Has `take` copy the rules in force, whole at the last time it is called. Returns which generation was copied, and
    /// its shape.
    fn copy(&self, mut take: impl FnMut(&[Rule])) -> (u64, Shape) {
        self.generations.copy(|generation| {
            let (rules, shared) = self.table(generation);
            let shape = shared.load();
            take(rules.get(..shape.total as usize).unwrap_or_default());
            shape
        })
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
            if self.generations.has_passed(current) {
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
            disjoint: self.disjoint.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
