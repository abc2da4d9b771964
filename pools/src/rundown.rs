//! Rundown protection: turn new entrants away, then learn when the last one inside has left.
//!
//! Each shard counts on its own cache line, so that a batch costs one addition when it enters and one subtraction when
//! it leaves. Closing moves every shard's count into one:
//!
//! ```text
//! shard word, one AtomicU64 per shard:  bits 63..1  entered - left, signed     bit 0  CLOSED
//! remaining, one AtomicU64:             while open    OPEN
//!                                       during close  OPEN + what was moved here - left since
//!                                       after close   those still inside
//! ```
//!
//! The shard word's modification order decides for each entrant and leaver whether close saw it: an addition or
//! subtraction before CLOSED was set is part of the count that close moved, one after it finds CLOSED in the value it
//! replaced. An entrant then has not entered, a leaver then subtracts from `remaining` instead. What is added to a
//! shard word after CLOSED is never read.
//!
//! | close                           | leavers                             | remaining, 2 inside  |
//! |---------------------------------|-------------------------------------|----------------------|
//! | shard 0: sets CLOSED, moves 1   |                                     | OPEN + 1             |
//! |                                 | leaves shard 1: not CLOSED, counted | OPEN + 1             |
//! | shard 1: sets CLOSED, moves 0   |                                     | OPEN + 1             |
//! | subtracts OPEN, finds 1 left    |                                     | 1                    |
//! |                                 | leaves shard 0: finds CLOSED        | 0: this one was last |
//!
//! OPEN exceeds every count, so `remaining` cannot reach 0 before all shards have been moved; afterwards nobody can
//! enter, it only falls, and exactly one subtraction arrives at 0: that caller signals. Nothing here waits or retries.

// UNSAFETY: picks a shard's word without looking for it twice.
#![expect(unsafe_code, reason = "an index that was compared with the number of words needs no second check")]

use crossbeam_utils::CachePadded;

use crate::memory::{Memory, OutOfMemory, Tag};
use crate::primitive::{AtomicU64, Ordering};
use crate::slab::Slab;

const CLOSED: u64 = 1;
const ONE: u64 = 2;
const OPEN: u64 = 1 << 62;

/// What a [`Rundown::release`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever was last tells the one who waits"]
pub enum Released {
    /// The rundown is open, or others are still inside.
    Inside,
    /// The rundown is closed and nobody is inside. Reported at most once in its life.
    Last,
}

/// Why a rundown was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RundownError {
    /// A rundown over 0 shards.
    #[error("a rundown needs at least 1 shard to count on")]
    NoShards,
    /// The memory is not to be had.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Counts those inside, per shard, until it is closed for good.
///
/// The shard named in a call only says whose cache line counts: leaving on another shard than the one entered is
/// right, and an index beyond the shards counts on shard 0. The memory must outlive every call, also those that are
/// turned away: that nobody calls [`acquire`](Rundown::acquire) any more is known from elsewhere.
///
/// # Invariants
/// While open, the shard words' counts add up to those inside. Once closed, `remaining` is those inside.
pub struct Rundown<M: Memory> {
    shards: Slab<CachePadded<AtomicU64>, M>,
    remaining: CachePadded<AtomicU64>,
}

impl<M: Memory> Rundown<M> {
    /// An open rundown with nobody inside.
    ///
    /// # Errors
    /// [`RundownError`] for 0 shards or when `memory` refuses [`bytes`](Rundown::bytes) bytes.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(memory: M, tag: Tag, shards: u32) -> Result<Self, RundownError> {
        if shards == 0 {
            return Err(RundownError::NoShards);
        }
        let shards = Slab::new(memory, tag, shards as usize, |_| CachePadded::new(AtomicU64::new(0)))?;
        Ok(Self { shards, remaining: CachePadded::new(AtomicU64::new(OPEN)) })
    }

    /// Exactly how many bytes [`new`](Rundown::new) asks of [`Memory`]; `None` when they exceed the address space.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn bytes(shards: u32) -> Option<usize> {
        Slab::<CachePadded<AtomicU64>, M>::bytes(shards as usize)
    }

    /// Enters `n` at once; `false` when the rundown is closed, and then nothing has to be released.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "entered only if true, and then `n` have to be released"]
    #[inline]
    pub fn acquire(&self, shard: u32, n: u32) -> bool {
        let word = self.word(shard);
        // Leaves the line alone once closed. The addition below is what decides.
        if word.load(Ordering::Relaxed) & CLOSED != 0 {
            return false;
        }
        // Acquire: what is protected is touched after this.
        word.fetch_add(u64::from(n) * ONE, Ordering::Acquire) & CLOSED == 0
    }

    /// Leaves `n` of those that entered.
    ///
    /// Whoever gets [`Released::Last`] signals the one who waits. For all others this call is their last touch of the
    /// rundown's memory.
    ///
    /// # IRQL
    /// Any.
    #[inline]
    pub fn release(&self, shard: u32, n: u32) -> Released {
        let word = self.word(shard);
        // Release: what was protected is touched before this; close acquires it from the same word.
        let before = word.fetch_sub(u64::from(n) * ONE, Ordering::Release);
        if before & CLOSED == 0 { Released::Inside } else { self.release_closed(n) }
    }

    /// Turns everybody away from now on. True for at most one call in the rundown's life: the one that found nobody
    /// inside. Its caller signals then, as the one who gets [`Released::Last`] does otherwise.
    ///
    /// # IRQL
    /// Any; takes time in proportion to the shards, so meant for close.
    #[must_use = "true means drained, and nobody else will report it"]
    pub fn close(&self) -> bool {
        for (shard, word) in self.shards.iter().enumerate() {
            // Acquire: what those who left on this shard did.
            let before = word.fetch_or(CLOSED, Ordering::Acquire);
            if before & CLOSED != 0 {
                // Shard 0 decides between several that close: one of them finds it open and goes on.
                debug_assert_eq!(shard, 0);
                return false;
            }
            let inside = before.cast_signed() >> 1;
            self.remaining.fetch_add(inside.cast_unsigned(), Ordering::Relaxed);
        }
        // Release: hands what was acquired from the shards to the last. Acquire: what those who left since did.
        self.remaining.fetch_sub(OPEN, Ordering::AcqRel) == OPEN
    }

    /// Whether it is closed and nobody is inside. Once true it stays true.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// How many are inside: exact while nobody enters, leaves or closes, else near it.
    ///
    /// # IRQL
    /// Any; takes time in proportion to the shards.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        let open =
            self.shards.iter().map(|word| word.load(Ordering::Relaxed)).filter(|word| word & CLOSED == 0);
        let counted = open.fold(0_i64, |sum, word| sum.wrapping_add(word.cast_signed() >> 1));
        let remaining = self.remaining.load(Ordering::Relaxed);
        // During close a leaver can bring it below OPEN by those not yet moved, never near half of it.
        let moved = if remaining >= OPEN / 2 { remaining.wrapping_sub(OPEN) } else { remaining };
        u64::try_from(counted.wrapping_add(moved.cast_signed())).unwrap_or(0)
    }

    #[cold]
    fn release_closed(&self, n: u32) -> Released {
        // Leaving with nothing must not find the 0 that somebody else reached.
        if n == 0 {
            return Released::Inside;
        }
        // Release: this leaver's work, for the last. Acquire: everybody's work, should this be the last.
        let before = self.remaining.fetch_sub(u64::from(n), Ordering::AcqRel);
        if before == u64::from(n) { Released::Last } else { Released::Inside }
    }

    /// The word that counts for `shard`.
    #[inline]
    fn word(&self, shard: u32) -> &AtomicU64 {
        let index = if (shard as usize) < self.shards.count() { shard as usize } else { 0 };
        // SAFETY: `new` made at least one word, and `index` is that of one.
        let word = unsafe { self.shards.base().add(index) };
        // SAFETY: built by `new`, and lives as long as `self`.
        unsafe { word.as_ref() }
    }
}
