//! The way past admission: a shard's part, and one batch in it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use skua_pools::Memory;

use super::bucket::Pace;
use super::generations::UNFETCHED;
use super::key::Key;
use super::limits::{ShardLimits, SharedLimits};
use super::rules::{Entry, List, Shape, Usual, add, load};
use super::sample::Sampler;
use super::sources::{Other, Rows, Table};
use super::tables::RuleTables;
use crate::address::Address;
use crate::reason::DropReason;

/// A shard's part: its holder, who has it `&mut`, is the one writer of that shard's counts.
///
/// Keep it with the rest of the shard's state. There is one for each shard, so that no count has two writers.
#[derive(Debug)]
pub struct AdmissionShard {
    index: usize,
    shape: Shape,
    limits: ShardLimits,
    /// The generation of the list that `shape` and `usual` are of.
    generation: u64,
    /// The rule of the list that is asked first.
    usual: Usual,
    /// Ticks at the latest batch that was counted for its sources.
    now: u64,
}

/// What a shard counts beside its rows and rules. Written by the shard.
#[derive(Debug)]
pub(super) struct Counts {
    /// The generation of the list that the shard's entries are of.
    generation: AtomicU64,
    not_allowed: AtomicU64,
    pub(super) other: Other,
    /// The shard's part is handed out.
    taken: AtomicBool,
}

/// The memory of one shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) counts: &'a Counts,
    /// The shard's own list, as many as the capacity.
    pub(super) entries: &'a [Entry],
    pub(super) rows: Rows<'a>,
}

/// A batch's way past admission.
///
/// The batch runs under the allow-list and the limits that were in force when it began. Dropping the gate ends it; there is nothing to
/// give back.
#[derive(Debug)]
pub struct Gate<'a> {
    counts: &'a Counts,
    /// The shard's, until the gate is dropped: what a gate holds by value can stay in registers over the batch.
    sampler: Sampler,
    /// Where it goes then.
    kept: &'a mut Sampler,
    now: u64,
    /// `None` where everyone is let in.
    list: Option<List<'a>>,
    /// The rule of the list that is asked first, the shard's until the gate is dropped, and where it goes then.
    usual: Usual,
    kept_usual: &'a mut Usual,
    /// What that rule let in, not yet added to its count.
    usual_hits: u64,
    /// `None` where nobody is counted.
    table: Option<Table<'a>>,
}

/// The way to a batch's rows where neither an allow-list nor sampling is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metering<'a> {
    table: Table<'a>,
    /// The limit of each row.
    pace: Option<&'a Pace>,
    now: u64,
}

impl Gate<'_> {
    /// Decides about one datagram of `bytes` payload bytes, and counts it.
    ///
    /// # Errors
    /// [`DropReason::NotAllowed`], [`DropReason::RateLimited`] or [`DropReason::Sampled`]: it goes no further.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline(always)]
    pub fn admit(&mut self, source: &Address, bytes: u32) -> Result<(), DropReason> {
        let key = Key::new(source);
        if self.list.is_some() {
            self.allow_key(key)?;
        }
        match &self.table {
            Some(table) => table.pass(key, bytes, self.now, &mut self.sampler),
            None if self.sampler.keep() => Ok(()),
            None => Err(DropReason::Sampled),
        }
    }

    /// Whether the allow-list is all there is: then [`Gate::allow`] says the same as [`Gate::admit`].
    #[inline]
    pub(crate) fn only_lists(&self) -> bool {
        self.table.is_none() && self.sampler.keeps_all()
    }

    /// Asks the allow-list, and counts.
    ///
    /// # Errors
    /// [`DropReason::NotAllowed`].
    #[inline]
    pub(crate) fn allow(&mut self, source: &Address) -> Result<(), DropReason> {
        // The rule that is asked first may be another one after this.
        self.count_usual();
        self.allow_key(Key::new(source))
    }

    /// The same for an IPv4 address as it lies in memory.
    #[inline]
    pub(crate) fn allow_v4(&mut self, word: u32) -> Result<(), DropReason> {
        if self.usual.holds(word) {
            self.usual_hits += 1;
            return Ok(());
        }
        self.look_up(word)
    }

    #[inline(never)]
    fn look_up(&mut self, word: u32) -> Result<(), DropReason> {
        self.allow(&Address::from_ipv4_word(word))
    }

    /// Adds what the usual rule let in to its count.
    #[inline]
    fn count_usual(&mut self) {
        if let Some(list) = &self.list {
            list.count_for(&self.usual, self.usual_hits);
        }
        self.usual_hits = 0;
    }

    #[inline(never)]
    fn allow_key(&mut self, key: Key) -> Result<(), DropReason> {
        if let Some(list) = &self.list
            && !list.admits(key, &mut self.usual)
        {
            add(&self.counts.not_allowed, 1);
            return Err(DropReason::NotAllowed);
        }
        Ok(())
    }

    /// Whether there is a table that a second-level cache does not hold, so that a first pass of [`Gate::prefetch`] pays.
    #[inline]
    pub(crate) fn wants_prefetch(&self) -> bool {
        self.table.as_ref().is_some_and(Table::is_large)
    }

    /// Brings near what [`Gate::admit`] of a datagram from this source is going to touch: for a first pass over the
    /// batch. It decides and counts nothing.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub fn prefetch(&self, source: &Address) {
        if let Some(table) = &self.table {
            table.prefetch(Key::new(source));
        }
    }
}

impl Metering<'_> {
    /// What [`Gate::admit`] says and does about a datagram.
    #[inline(always)]
    pub(crate) fn pass(&self, source: &Address, bytes: u32) -> Result<(), DropReason> {
        let key = Key::new(source);
        if self.table.pays(key, bytes, self.now, self.pace) { Ok(()) } else { Err(DropReason::RateLimited) }
    }

    /// The same about one from an IPv4 address, as it lies in memory.
    #[inline(always)]
    pub(crate) fn pass_v4(&self, word: u32, bytes: u32) -> Result<(), DropReason> {
        self.pass(&Address::from_ipv4_word(word), bytes)
    }

    /// As [`Gate::wants_prefetch`].
    #[inline]
    pub(crate) fn wants_prefetch(&self) -> bool {
        self.table.is_large()
    }

    /// As [`Gate::prefetch`].
    #[inline]
    pub(crate) fn prefetch(&self, source: &Address) {
        self.table.prefetch(Key::new(source));
    }
}

impl<'a> Gate<'a> {
    #[inline]
    pub(super) fn new(shard: &'a mut AdmissionShard, part: Part<'a>) -> Self {
        let AdmissionShard { shape, limits, usual, now, .. } = shard;
        let ShardLimits { table, sampler: kept, metered, .. } = limits;
        Self {
            counts: part.counts,
            sampler: *kept,
            kept,
            now: *now,
            list: shape.listed.then(|| List::new(part.entries, *shape)),
            usual: *usual,
            kept_usual: usual,
            usual_hits: 0,
            table: metered.then(|| part.rows.table(table)),
        }
    }
}

impl Drop for Gate<'_> {
    #[inline]
    fn drop(&mut self) {
        self.count_usual();
        *self.kept = self.sampler;
        *self.kept_usual = self.usual;
    }
}

impl AdmissionShard {
    pub(super) fn new(index: usize, limits: ShardLimits) -> Self {
        Self { index, shape: Shape::default(), limits, generation: UNFETCHED, usual: Usual::NONE, now: 0 }
    }

    #[inline]
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The rule that may let in a batch's first senders without more being asked: that of the last batch, where the allow-list is all
    /// there is.
    #[inline]
    pub(super) fn usual_alone<M: Memory>(
        &self,
        tables: &RuleTables<M>,
        limits: &SharedLimits,
    ) -> Option<&Usual> {
        let is_asked = !self.is_current(tables, limits) || !self.limits.asks_nothing();
        (!is_asked).then_some(&self.usual)
    }

    /// The way to the shard's `rows` for a batch that came `now`, where nothing but these is asked.
    #[inline]
    pub(super) fn metering<'a, M: Memory>(
        &'a mut self,
        tables: &RuleTables<M>,
        limits: &SharedLimits,
        rows: Rows<'a>,
        now: impl FnOnce() -> u64,
    ) -> Option<Metering<'a>> {
        let is_alone = !self.shape.listed && self.limits.only_meters();
        if !is_alone || !self.is_current(tables, limits) {
            return None;
        }
        self.move_on(now());
        let table = rows.table(&self.limits.table);
        Some(Metering { table, pace: table.pace(), now: self.now })
    }

    /// Whether the shard's list and limits are those in force.
    #[inline]
    fn is_current<M: Memory>(&self, tables: &RuleTables<M>, limits: &SharedLimits) -> bool {
        tables.current() == self.generation && limits.is_current(&self.limits)
    }

    #[inline]
    fn move_on(&mut self, now: u64) {
        // Time that went back would earn tokens twice.
        self.now = self.now.max(now);
    }

    /// Moves the shard's time, list and limits on to those of a batch that begins.
    #[inline]
    pub(super) fn catch_up<M: Memory>(
        &mut self,
        tables: &RuleTables<M>,
        limits: &SharedLimits,
        part: &Part<'_>,
        now: impl FnOnce() -> u64,
    ) {
        let generation = &part.counts.generation;
        if tables.current() != load(generation) {
            self.shape = tables.fetch(part.entries, generation);
            self.generation = load(generation);
            // What its cell counts may be another rule's by now.
            self.usual = Usual::NONE;
        }
        limits.catch_up(&mut self.limits);
        if self.limits.metered {
            self.move_on(now());
        }
    }
}

impl Counts {
    pub(super) fn new(other: Other) -> Self {
        let (generation, not_allowed) = (AtomicU64::new(UNFETCHED), AtomicU64::new(0));
        Self { generation, not_allowed, other, taken: AtomicBool::new(false) }
    }

    /// Hands out the shard's part: `false` if that was done before.
    pub(super) fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::Relaxed)
    }

    pub(super) fn generation(&self) -> &AtomicU64 {
        &self.generation
    }

    pub(super) fn not_allowed(&self) -> u64 {
        load(&self.not_allowed)
    }
}
