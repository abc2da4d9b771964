//! What is let in, as open is told.

use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

use skua_pools::OutOfMemory;

use super::bucket::Rate;
use super::key::HashKeys;
use super::limits::{Limits, Measure};
use super::prefix::Prefix;
use super::sources::{MAX_ROWS, sets_for};

/// Most rules that an allow-list may have. A datagram is compared with the rules of its family one by one.
const MAX_RULES: u32 = 4096;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Whose datagrams are let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Allow<'a> {
    /// Everyone's: there is no list.
    #[default]
    Everyone,
    /// Those whose source a prefix of the list holds. An empty list lets in nobody.
    Only(&'a [Prefix]),
}

/// Which datagrams reach the handler, and how much is remembered of who sent them.
///
/// A datagram meets the allow-list first, then the rate limit, then sampling; the first that refuses it is the reason it
/// is counted under. The default refuses nothing and remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionConfig<'a> {
    /// The allow-list at open; [`Admission::replace`](super::Admission::replace) changes it later.
    pub allow: Allow<'a>,
    /// Distinct prefixes that this and every later allow-list may have; at most 4096. Default 64.
    pub allow_capacity: u32,
    /// The limit of each source that has a row, in each shard. Needs rows. This, `other_rate` and `sample` are those at
    /// open; [`Admission::set_limits`](super::Admission::set_limits) changes them later.
    pub rate: Option<Rate>,
    /// The limit of all sources without a row together, in each shard. `None` stands for `rate`, so that nobody gains
    /// by sending from more addresses than there are rows.
    pub other_rate: Option<Rate>,
    /// Of every this many datagrams that came this far, the first is kept, counted in each shard. 1 keeps all.
    pub sample: NonZeroU32,
    /// Rows of the source table in each shard, rounded up to a multiple of 8 and to no less than 16; at most 16,777,216.
    /// 0: no table.
    ///
    /// An address can have 16 of the rows. Of as many sources as there are rows, about 8 in 100 find theirs taken and
    /// share `other`; of three quarters as many 1 in 100; of half as many 3 in 10,000 (simulated, 10,000 sources).
    pub rows: u32,
    /// How long a source must be silent before its row may be given to another one. In force is the longer of this and
    /// the time in which its token bucket fills. Default 60 s.
    pub idle: Duration,
    /// Whether all addresses of an IPv6 /64 are one source: a host chooses its lower 64 bits as it likes.
    pub fold_ipv6: bool,
    /// Random bits that no sender knows: they decide which rows an address may have.
    pub seed: u64,
}

impl Default for AdmissionConfig<'_> {
    fn default() -> Self {
        Self {
            allow: Allow::Everyone,
            allow_capacity: 64,
            rate: None,
            other_rate: None,
            sample: NonZeroU32::MIN,
            rows: 0,
            idle: Duration::from_secs(60),
            fold_ipv6: false,
            seed: 0,
        }
    }
}

/// Why [`Admission::open`](super::Admission::open) failed. No memory is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// `allow` has more distinct prefixes than `allow_capacity`.
    #[error("the allow-list has {given} prefixes and room for {capacity}: raise allow_capacity")]
    TooManyRules {
        /// Prefixes given, duplicates included.
        given: usize,
        /// Distinct prefixes that fit.
        capacity: u32,
    },
    /// `allow_capacity` is more than a datagram can be compared with.
    #[error(
        "an allow-list of {asked} prefixes is too long to search: at most {max}, so join neighbouring prefixes"
    )]
    AllowCapacity {
        /// The capacity asked for.
        asked: u32,
        /// The largest that is taken.
        max: u32,
    },
    /// `rows` is more than a table can have.
    #[error("a source table of {asked} rows in each shard is too large: at most {max}")]
    Rows {
        /// The rows asked for.
        asked: u32,
        /// The most that a table has.
        max: u32,
    },
    /// `rate` limits each source and there is no row to keep a source's bucket in.
    #[error(
        "a rate for each source needs a source table: set rows, or other_rate for a limit over all sources together"
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
    /// The performance counter has no frequency.
    #[error("the performance counter reports 0 ticks a second, so no rate can be kept: repair the clock")]
    Clock,
    /// Memory was refused, or the sizes exceed the address space.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl AdmissionConfig<'_> {
    /// Sets in each shard's table.
    pub(super) fn sets(&self) -> Result<usize, AdmissionError> {
        if self.rows > MAX_ROWS {
            return Err(AdmissionError::Rows { asked: self.rows, max: MAX_ROWS });
        }
        Ok(sets_for(self.rows))
    }

    /// Places in each shard's list.
    pub(super) fn places(&self) -> Result<u32, AdmissionError> {
        if self.allow_capacity > MAX_RULES {
            return Err(AdmissionError::AllowCapacity { asked: self.allow_capacity, max: MAX_RULES });
        }
        Ok(self.allow_capacity)
    }

    /// The limits at open; [`Admission::set_limits`](super::Admission::set_limits) changes them later.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits { rate: self.rate, other_rate: self.other_rate, sample: self.sample }
    }

    /// What limits are kept with, against a clock of `frequency` ticks a second.
    pub(super) fn measure(&self, frequency: u64) -> Result<Measure, AdmissionError> {
        let frequency = NonZeroU64::new(frequency).ok_or(AdmissionError::Clock)?;
        let idle = ticks(self.idle, frequency.get()).max(1);
        let (hash, fold_ipv6) = (HashKeys::new(self.seed), self.fold_ipv6);
        Ok(Measure { frequency, idle, has_rows: self.rows > 0, fold_ipv6, hash })
    }
}

/// At least as long as `duration`, in ticks; the longest that can be counted if it is longer.
fn ticks(duration: Duration, frequency: u64) -> u64 {
    let ticks = duration.as_nanos().saturating_mul(u128::from(frequency)).div_ceil(NANOS_PER_SECOND);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}
