//! Which datagrams reach the handler: allow-list, rate limit and sampling, before any memory is taken for them; and the
//! source table, which remembers who sent how much.
//!
//! 1. [`AdmissionConfig`] says what is let in. [`Admission::bytes`] is what it takes, [`Admission::open`] takes it.
//! 2. Each shard takes its [`AdmissionShard`] once, with [`Admission::shard`].
//! 3. Unless [`Admission::is_passthrough`], each batch begins a [`Gate`], asks it about every datagram with
//!    [`Gate::admit`], and drops it.
//! 4. Meanwhile other threads replace the allow-list with [`Admission::replace`] and the limits with
//!    [`Admission::set_limits`], and read [`RuleHits`] and [`SourceRow`]s. They make no shard wait.
//!
//! A datagram meets the allow-list first; who it refuses takes no row, so strangers do not fill the table. Then the token
//! bucket of its source, then sampling. Every limit and count is a shard's own: a source passes at most its [`Rate`] in
//! each shard, and a reader adds up the rows of one source with [`SourceRow::merge`].
//!
//! Instructions for a datagram (callgrind, x86-64 without extensions, one gate over many datagrams): 11 through a gate that
//! refuses and counts nothing; 25 more where the first IPv4 rule lets it in and 9 for each rule before; 54 more for a source
//! with a row and a rate if there are few sources, 63 on average if 10,000 share 16,384 rows.
//!
//! # Invariants
//! In each shard, the datagrams of all rows and of `other` together are those that the allow-list let in, while there are
//! rows or a limit over all sources; so are their bytes. A row that goes to another source leaves its counts to `other`. Exact when the shard is between batches; during
//! one a reader may see a row's counts on their way.

mod bucket;
mod config;
mod gate;
mod generations;
mod key;
mod limits;
mod prefix;
mod rules;
mod sample;
mod sources;
mod tables;

pub use bucket::Rate;
pub use config::{AdmissionConfig, AdmissionError, Allow};
pub(crate) use gate::Metering;
pub use gate::{AdmissionShard, Gate};
pub use limits::{Limits, LimitsError};
pub use prefix::{Prefix, PrefixError};
pub use rules::RuleHits;
pub use sources::{Source, SourceRow};
pub use tables::{ReplaceError, Replaced};

use crossbeam_utils::CachePadded;
use skua_pools::{Memory, OutOfMemory, Slab, Tag};

use gate::{Counts, Part};
use limits::SharedLimits;
use rules::Entry;
use sources::{Other, Rows, Set, VacantSets};
use tables::RuleTables;

/// Pool tag of the rules, the rows and what the shards count.
const TAG: Tag = Tag::new(b"SkAd");

/// What decides about datagrams before any memory is taken for them: one for all sockets and shards of an engine.
///
/// # Invariants
/// `entries` holds `places` elements, and `sets` `sets_each`, for each element of `counts`, in the order of the shards.
pub struct Admission<M: Memory> {
    tables: RuleTables<M>,
    limits: SharedLimits,
    places: usize,
    sets_each: usize,
    counts: Slab<CachePadded<Counts>, M>,
    entries: Slab<Entry, M>,
    sets: Slab<Set, M>,
}

impl<M: Memory + Clone> Admission<M> {
    /// Takes all memory and puts the allow-list in force.
    ///
    /// `frequency` is how many ticks a second the clock has that [`Admission::begin`] is told the time of: the performance
    /// counter's.
    ///
    /// # Errors
    /// [`AdmissionError`]; no memory is held then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    #[inline(never)]
    pub fn open(
        memory: &M,
        config: &AdmissionConfig<'_>,
        shards: u32,
        frequency: u64,
    ) -> Result<Self, AdmissionError> {
        let sizes = Sizes::new(config, shards)?;
        let measure = config.measure(frequency)?;
        let limits = SharedLimits::open(measure, &config.limits())?;
        let sets_each = sizes.sets_each;
        let vacant = VacantSets::new(&measure.hash, sets_each);
        Ok(Self {
            tables: RuleTables::open(memory.clone(), TAG, sizes.places, config.allow)?,
            limits,
            places: sizes.places as usize,
            sets_each,
            counts: Slab::new(memory.clone(), TAG, sizes.shards, |_| {
                CachePadded::new(Counts::new(Other::new()))
            })?,
            entries: Slab::new(memory.clone(), TAG, sizes.entries, |_| Entry::default())?,
            sets: Slab::new(memory.clone(), TAG, sizes.sets, |index| {
                vacant.set(index.checked_rem(sets_each).unwrap_or(0))
            })?,
        })
    }
}

impl<M: Memory> Admission<M> {
    /// Exactly how many bytes [`Admission::open`] asks of [`Memory`]: for each shard 128, and 64 for a rule and 640 for
    /// every 8 rows; once for all shards 96 for a rule; and what aligning takes.
    ///
    /// # Errors
    /// [`AdmissionError`] for sizes that open would refuse.
    ///
    /// # IRQL
    /// Any.
    pub fn bytes(config: &AdmissionConfig<'_>, shards: u32) -> Result<usize, AdmissionError> {
        let sizes = Sizes::new(config, shards)?;
        let parts = [
            RuleTables::<M>::bytes(sizes.places),
            Slab::<CachePadded<Counts>, M>::bytes(sizes.shards),
            Slab::<Entry, M>::bytes(sizes.entries),
            Slab::<Set, M>::bytes(sizes.sets),
        ];
        let total = parts.into_iter().try_fold(0_usize, |total, part| total.checked_add(part?));
        total.ok_or(TOO_MUCH)
    }

    /// Whether, as things stand, no datagram is refused and none counted, so that batches need no gate.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    #[must_use]
    pub fn is_passthrough(&self) -> bool {
        !self.limits.is_gated() && !self.tables.is_listed()
    }

    /// The part of shard `index`; `None` if there is no such shard or its part was handed out before.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn shard(&self, index: u32) -> Option<AdmissionShard> {
        let index = index as usize;
        self.counts.get(index)?.take().then(|| AdmissionShard::new(index, self.limits.shard()))
    }

    /// Lets in a batch at once: whether the allow-list is all there is, and its rule that let in the last sender of the batch before
    /// holds all of these, which are then counted. An address is one of IPv4, as it lies in memory, or another. Otherwise nothing
    /// is done, and [`Admission::begin`] is the way.
    #[inline]
    pub(crate) fn allows_all(
        &self,
        shard: &AdmissionShard,
        senders: impl ExactSizeIterator<Item = Option<u32>>,
    ) -> bool {
        let Some(usual) = shard.usual_alone(&self.tables, &self.limits).copied() else { return false };
        let Some(entries) = each(&self.entries, shard.index(), self.places) else { return false };
        let datagrams = senders.len() as u64;
        let mut senders = senders;
        let all = senders.all(|sender| sender.is_some_and(|word| usual.holds(word)));
        if all {
            usual.count_in(entries, datagrams);
        }
        all
    }

    /// [`Admission::begin`] where neither an allow-list nor sampling is asked, and nothing changed since the shard's batch before;
    /// `None` otherwise, and nothing is done.
    #[inline]
    pub(crate) fn begin_metering<'a>(
        &'a self,
        shard: &'a mut AdmissionShard,
        now: impl FnOnce() -> u64,
    ) -> Option<Metering<'a>> {
        let rows = self.rows(shard.index())?;
        shard.metering(&self.tables, &self.limits, rows, now)
    }

    /// Begins a batch of datagrams that came `now`, in ticks of the performance counter. A time before the one of the
    /// shard's latest batch is taken for that.
    ///
    /// `None` if `shard` is not of this admission.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub fn begin<'a>(&'a self, shard: &'a mut AdmissionShard, now: u64) -> Option<Gate<'a>> {
        self.begin_when(shard, || now)
    }

    /// The same, which asks for the time only where there is something to keep by it.
    #[inline]
    pub(crate) fn begin_when<'a>(
        &'a self,
        shard: &'a mut AdmissionShard,
        now: impl FnOnce() -> u64,
    ) -> Option<Gate<'a>> {
        let part = self.part(shard.index())?;
        shard.catch_up(&self.tables, &self.limits, &part, now);
        Some(Gate::new(shard, part))
    }

    /// Puts another allow-list in force, of at most the capacity given at open.
    ///
    /// Batches that begin after this returned run under it; one that had begun ends under the list that it began with.
    /// Rules that are on both lists keep their hits. The time this takes grows with the square of the number of rules.
    ///
    /// # Errors
    /// [`ReplaceError`]; the list that was in force still is.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL, for the time it takes; it neither waits nor is waited for.
    pub fn replace(&self, allow: Allow<'_>) -> Result<(), ReplaceError> {
        self.tables.replace(allow)
    }

    /// Puts other rates and another sampling in force.
    ///
    /// Batches that begin after this returned run under them; one that had begun ends under those that it began with.
    ///
    /// Token buckets go on with the tokens that they have, at most the new burst. At each datagram a bucket earns what the
    /// rate in force then earns in the time since the source's datagram before. Without a rate it stands still, and who is
    /// heard for the first time meanwhile begins with a full one when there is a rate. A row may be given away after the
    /// longer of [`AdmissionConfig::idle`] and the time in which the new rate fills its bucket. Sampling begins to count
    /// anew in a shard whose batch before ran under another N.
    ///
    /// # Errors
    /// [`LimitsError`]; the limits that were in force still are.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL; it neither waits nor is waited for.
    pub fn set_limits(&self, limits: &Limits) -> Result<(), LimitsError> {
        self.limits.set(limits)
    }

    /// The limits in force.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits.get()
    }

    /// Shows the rules in force, IPv4 first, otherwise in the order of the list.
    ///
    /// # Errors
    /// [`Replaced`] if the list is replaced meanwhile: what was shown is of the list before.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn rules(&self, visit: impl FnMut(RuleHits)) -> Result<(), Replaced> {
        self.tables.read(self.parts().map(|part| (part.counts.generation(), part.entries)), visit)
    }

    /// Shows the rows of every shard that are a source's, and the `other` of every shard after its rows. One source has a
    /// row in each shard that heard it: see [`SourceRow::merge`].
    ///
    /// Returns how many rows could not be read because they were going to another source at each of 4 attempts.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; the time it takes grows with the number of rows.
    pub fn sources(&self, mut visit: impl FnMut(SourceRow)) -> usize {
        self.parts().map(|part| part.rows.read(&mut visit)).sum()
    }

    /// Datagrams refused because no rule of the allow-list in force held their source, over all shards.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn not_allowed(&self) -> u64 {
        self.parts().fold(0, |sum, part| sum.wrapping_add(part.counts.not_allowed()))
    }

    /// Rows that went to another source because theirs was silent, over all shards.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn aged_out(&self) -> u64 {
        self.parts().fold(0, |sum, part| sum.wrapping_add(part.rows.other.aged_out()))
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> + Clone {
        (0..self.counts.len()).filter_map(|index| self.part(index))
    }

    #[inline]
    fn part(&self, index: usize) -> Option<Part<'_>> {
        let entries = each(&self.entries, index, self.places)?;
        Some(Part { counts: self.counts.get(index)?, entries, rows: self.rows(index)? })
    }

    #[inline]
    fn rows(&self, index: usize) -> Option<Rows<'_>> {
        let other = &self.counts.get(index)?.other;
        Some(Rows { sets: each(&self.sets, index, self.sets_each)?, other })
    }
}

/// The elements of shard `index`, of which each shard has `count`.
#[inline]
fn each<T>(all: &[T], index: usize, count: usize) -> Option<&[T]> {
    let begin = index.checked_mul(count)?;
    all.get(begin..begin.checked_add(count)?)
}

/// How many elements the slabs have.
struct Sizes {
    places: u32,
    sets_each: usize,
    shards: usize,
    entries: usize,
    sets: usize,
}

impl Sizes {
    fn new(config: &AdmissionConfig<'_>, shards: u32) -> Result<Self, AdmissionError> {
        let (places, sets_each, shards) = (config.places()?, config.sets()?, shards as usize);
        let entries = shards.checked_mul(places as usize).ok_or(TOO_MUCH)?;
        let sets = shards.checked_mul(sets_each).ok_or(TOO_MUCH)?;
        Ok(Self { places, sets_each, shards, entries, sets })
    }
}

/// More than an address can count.
const TOO_MUCH: AdmissionError = AdmissionError::OutOfMemory(OutOfMemory { bytes: usize::MAX, tag: TAG });
