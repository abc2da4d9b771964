//! Limits that change while datagrams arrive.

use core::num::{NonZeroU32, NonZeroU64};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bucket::{Pace, Rate};
use super::config::AdmissionError;
use super::generations::{Generations, UNFETCHED};
use super::key::HashKeys;
use super::rules::load;
use super::sample::Sampler;
use super::sources::TableSettings;

/// What [`Admission::set_limits`](super::Admission::set_limits) changes: the three of
/// [`AdmissionConfig`](super::AdmissionConfig), in the same words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The limit of each source that has a row, in each shard. Needs rows, which are taken at open.
    pub rate: Option<Rate>,
    /// The limit of all sources without a row together, in each shard; `None` stands for `rate`.
    pub other_rate: Option<Rate>,
    /// Of every this many datagrams that came this far, the first is kept, counted in each shard. 1 keeps all.
    pub sample: NonZeroU32,
}

impl Default for Limits {
    /// No limit, and every datagram kept.
    fn default() -> Self {
        Self { rate: None, other_rate: None, sample: NonZeroU32::MIN }
    }
}

/// Why [`Admission::set_limits`](super::Admission::set_limits) did nothing. The limits that were in force still are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// Another thread is setting them.
    #[error("the limits are being set by another thread: try again when it is done")]
    Busy,
    /// `rate` limits each source, and open took no row to keep a source's bucket in.
    #[error(
        "a rate for each source needs a source table: open with rows, or set other_rate for a limit over all sources together"
    )]
    RateWithoutRows,
    /// The burst of a rate, counted against this clock, exceeds the range of a bucket.
    #[error("a burst of {burst} datagrams is more than a clock of this frequency can count: at most {max}")]
    Burst {
        /// The burst asked for.
        burst: NonZeroU32,
        /// The largest that is taken at this frequency.
        max: u64,
    },
}

impl From<Refused> for LimitsError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::RateWithoutRows => Self::RateWithoutRows,
            Refused::Burst { burst, max } => Self::Burst { burst, max },
        }
    }
}

impl From<Refused> for AdmissionError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::RateWithoutRows => Self::RateWithoutRows,
            Refused::Burst { burst, max } => Self::Burst { burst, max },
        }
    }
}

/// Why limits cannot be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    RateWithoutRows,
    Burst { burst: NonZeroU32, max: u64 },
}

/// What limits are kept with, the same from open on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// Ticks a second of the clock.
    pub(super) frequency: NonZeroU64,
    /// Ticks of [`AdmissionConfig::idle`](super::AdmissionConfig::idle), at least 1.
    pub(super) idle: u64,
    /// Sources have rows.
    pub(super) has_rows: bool,
    /// One /64 is one source.
    pub(super) fold_ipv6: bool,
    pub(super) hash: HashKeys,
}

impl Measure {
    fn settings(&self, limits: &Limits) -> Result<TableSettings, Refused> {
        if limits.rate.is_some() && !self.has_rows {
            return Err(Refused::RateWithoutRows);
        }
        let frequency = self.frequency.get();
        let pace = |rate: Option<Rate>| {
            let pace = rate.map(|rate| {
                let refused = Refused::Burst { burst: rate.burst, max: Rate::max_burst(frequency) };
                Pace::new(rate, frequency).ok_or(refused)
            });
            pace.transpose()
        };
        let (pace, other_pace) = (pace(limits.rate)?, pace(limits.other_rate.or(limits.rate))?);
        let idle = self.idle.max(pace.as_ref().map_or(0, Pace::fill_ticks));
        Ok(TableSettings { pace, other_pace, idle, ..self.unlimited() })
    }

    /// The settings of a table without limits.
    fn unlimited(&self) -> TableSettings {
        let Self { hash, fold_ipv6, idle, .. } = *self;
        TableSettings { hash, fold_ipv6, pace: None, other_pace: None, idle }
    }

    /// Whether these limits, or that there are rows to count in, leave anything to do about a datagram.
    fn needs_gate(&self, limits: &Limits) -> bool {
        self.has_rows || *limits != Limits::default()
    }

    /// Whether datagrams are counted for their sources: there is a table, or a limit over all of them.
    fn meters(&self, settings: &TableSettings) -> bool {
        self.has_rows || settings.other_pace.is_some()
    }
}

/// Both copies of the limits, and which is in force.
///
/// # Invariants
/// What a copy in force holds, `measure` can keep.
#[derive(Debug)]
pub(super) struct SharedLimits {
    measure: Measure,
    copies: [Words; 2],
    generations: Generations,
    /// Whether limits that need a gate are in force or about to be: set before they are, cleared after they are no more.
    gated: AtomicBool,
}

/// [`Limits`] in words that other threads may read while they are replaced. A rate is its burst above its datagrams a
/// second, neither of which is 0, and `None` is 0.
#[derive(Debug, Default)]
struct Words {
    rate: AtomicU64,
    other_rate: AtomicU64,
    sample: AtomicU64,
}

/// A shard's own limits. Its holder alone has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShardLimits {
    generation: u64,
    pub(super) table: TableSettings,
    pub(super) sampler: Sampler,
    /// Datagrams are counted for their sources.
    pub(super) metered: bool,
}

impl ShardLimits {
    /// Whether every datagram passes them, and none is counted.
    #[inline]
    pub(super) fn asks_nothing(&self) -> bool {
        !self.metered && self.sampler.keeps_all()
    }

    /// Whether every datagram is counted for its source, and then only a rate can be against it.
    #[inline]
    pub(super) fn only_meters(&self) -> bool {
        self.metered && self.sampler.keeps_all()
    }
}

impl SharedLimits {
    /// With `limits` in force.
    pub(super) fn open(measure: Measure, limits: &Limits) -> Result<Self, Refused> {
        measure.settings(limits)?;
        let shared = Self {
            measure,
            copies: Default::default(),
            generations: Generations::new(),
            gated: AtomicBool::new(false),
        };
        shared.put_in_force(limits);
        Ok(shared)
    }

    /// Whether a batch that begins now may have something to refuse or to count.
    #[inline]
    pub(super) fn is_gated(&self) -> bool {
        // Relaxed: what is read of limits is read through the generation.
        self.gated.load(Ordering::Relaxed)
    }

    /// Puts other limits in force.
    pub(super) fn set(&self, limits: &Limits) -> Result<(), LimitsError> {
        self.measure.settings(limits)?;
        if self.put_in_force(limits) { Ok(()) } else { Err(LimitsError::Busy) }
    }

    /// `false`, and nothing done, while another thread does.
    fn put_in_force(&self, limits: &Limits) -> bool {
        let Some(replacement) = self.generations.begin() else { return false };
        self.words(replacement.generation()).store(limits);
        let gated = self.measure.needs_gate(limits);
        if gated {
            self.gated.store(true, Ordering::Relaxed);
        }
        replacement.put_in_force();
        if !gated {
            self.gated.store(false, Ordering::Relaxed);
        }
        true
    }

    /// The limits in force.
    pub(super) fn get(&self) -> Limits {
        let (_, limits) = self.generations.copy(|generation| self.words(generation).load());
        limits
    }

    /// The part of a shard that has had no batch yet.
    pub(super) fn shard(&self) -> ShardLimits {
        let (table, sampler) = (self.measure.unlimited(), Sampler::new(NonZeroU32::MIN));
        ShardLimits { generation: UNFETCHED, table, sampler, metered: self.measure.has_rows }
    }

    /// Whether a shard's limits are those in force.
    #[inline]
    pub(super) fn is_current(&self, shard: &ShardLimits) -> bool {
        self.generations.current() == shard.generation
    }

    /// Brings a shard to the limits in force, at the beginning of a batch.
    #[inline]
    pub(super) fn catch_up(&self, shard: &mut ShardLimits) {
        if !self.is_current(shard) {
            self.fetch(shard);
        }
    }

    #[cold]
    #[inline(never)]
    fn fetch(&self, shard: &mut ShardLimits) {
        let (generation, limits) = self.generations.copy(|generation| self.words(generation).load());
        shard.generation = generation;
        // By this type's invariant they can be kept.
        let Ok(settings) = self.measure.settings(&limits) else { return };
        shard.table = settings;
        shard.metered = self.measure.meters(&settings);
        shard.sampler.keep_one_in(limits.sample);
    }

    fn words(&self, generation: u64) -> &Words {
        let [even, odd] = &self.copies;
        if generation.is_multiple_of(2) { even } else { odd }
    }
}

impl Words {
    fn store(&self, limits: &Limits) {
        self.rate.store(word_of(limits.rate), Ordering::Relaxed);
        self.other_rate.store(word_of(limits.other_rate), Ordering::Relaxed);
        self.sample.store(limits.sample.get().into(), Ordering::Relaxed);
    }

    fn load(&self) -> Limits {
        let sample = u32::try_from(load(&self.sample)).ok().and_then(NonZeroU32::new);
        Limits {
            rate: rate_of(load(&self.rate)),
            other_rate: rate_of(load(&self.other_rate)),
            sample: sample.unwrap_or(NonZeroU32::MIN),
        }
    }
}

fn word_of(rate: Option<Rate>) -> u64 {
    rate.map_or(0, |rate| u64::from(rate.burst.get()) << 32 | u64::from(rate.per_second.get()))
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a u64")]
fn rate_of(word: u64) -> Option<Rate> {
    let (burst, per_second) = ((word >> 32) as u32, word as u32);
    Some(Rate { per_second: NonZeroU32::new(per_second)?, burst: NonZeroU32::new(burst)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_one_sets_limits_others_are_told_so() {
        let measure = Measure {
            frequency: NonZeroU64::new(1000).unwrap(),
            idle: 1,
            has_rows: false,
            fold_ipv6: false,
            hash: HashKeys::new(0),
        };
        let (one, other) =
            (Limits::default(), Limits { sample: NonZeroU32::new(2).unwrap(), ..Limits::default() });
        let limits = SharedLimits::open(measure, &one).unwrap();
        let setting = limits.generations.begin().unwrap();
        assert_eq!(limits.set(&other), Err(LimitsError::Busy));
        assert_eq!((limits.get(), limits.is_gated()), (one, false));
        drop(setting);
        assert_eq!(limits.set(&other), Ok(()), "the one before gave it back");
        assert_eq!((limits.get(), limits.is_gated()), (other, true));
    }

    #[test]
    fn a_rate_survives_its_word() {
        let number = |number| NonZeroU32::new(number).unwrap();
        for (per_second, burst) in [(1, 1), (u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX), (7, 9)] {
            let rate = Some(Rate { per_second: number(per_second), burst: number(burst) });
            assert_eq!(rate_of(word_of(rate)), rate);
        }
        assert_eq!(rate_of(word_of(None)), None);
    }
}
