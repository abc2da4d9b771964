//! A door with a count behind it, in one word: for what few enter at a time, and what is used again.
//!
//! [`Rundown`](crate::Rundown) counts on every shard's own cache line and closes once; this counts on one and can be
//! opened again, so that slots of a pool can have one each.

use crate::primitive::{AtomicU32, Ordering};
use crate::rundown::Released;

const CLOSED: u32 = 1 << 31;

/// Counts those inside, until it is closed.
///
/// # Invariants
/// The low 31 bits are those inside. Once the top bit is set they only fall.
pub struct Gate(AtomicU32);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// An open gate with nobody inside.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Opens it again. Nobody uses it meanwhile.
    ///
    /// # IRQL
    /// Any.
    pub fn reopen(&self) {
        // Release: whoever enters finds what was put behind the gate before.
        self.0.store(0, Ordering::Release);
    }

    /// Enters; `false` when it is closed. A repetition means that somebody else has entered or left.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "entered only if true, and then it has to be left"]
    pub fn enter(&self) -> bool {
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            // Full at 2^31 - 1: turned away as if closed.
            if before >= CLOSED - 1 {
                return false;
            }
            // Acquire: what is protected is touched after this.
            match self.0.compare_exchange_weak(before, before + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => before = now,
            }
        }
    }

    /// Leaves. Who gets [`Released::Last`] tells the one who waits; for all others this is the last touch.
    ///
    /// # IRQL
    /// Any.
    pub fn leave(&self) -> Released {
        // Release: what was protected is touched before this. Acquire: the last answers for all.
        if self.0.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 { Released::Last } else { Released::Inside }
    }

    /// Turns everybody away from now on. True for at most one call since it was opened: the one that found nobody inside.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "true means drained, and nobody else will report it"]
    pub fn close(&self) -> bool {
        self.0.fetch_or(CLOSED, Ordering::AcqRel) == 0
    }

    /// Those inside, at the moment of asking.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn inside(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !CLOSED
    }
}
