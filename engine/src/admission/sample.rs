//! Keeping one datagram in N.

use core::num::NonZeroU32;

/// Counts datagrams and keeps the first of every N.
///
/// It counts, it does not draw: of any N datagrams in a row that it is asked about, exactly one is kept. Senders whose
/// datagrams come in step with N are therefore seen always or never; choose an N without such a relation to the number of
/// senders that take turns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler {
    /// Datagrams to pass over before the next one is kept.
    left: u32,
    /// How many are passed over after one that is kept: N - 1.
    between: u32,
}

impl Sampler {
    pub(super) fn new(every: NonZeroU32) -> Self {
        Self { left: 0, between: every.get() - 1 }
    }

    /// Counts to another N from here on; to the one it has it goes on counting.
    pub(super) fn keep_one_in(&mut self, every: NonZeroU32) {
        if self.between != every.get() - 1 {
            *self = Self::new(every);
        }
    }

    /// Whether N is 1, so that nothing is to be counted.
    #[inline]
    pub(super) fn keeps_all(&self) -> bool {
        self.left == 0 && self.between == 0
    }

    /// Whether this datagram is kept.
    #[inline]
    pub(super) fn keep(&mut self) -> bool {
        if self.left == 0 {
            self.left = self.between;
            return true;
        }
        self.left -= 1;
        false
    }
}
