//! Keeping one datagram in N.

use core::num::NonZeroU32;

/// Counts datagrams and keeps the first of every N.
///
/// It counts, it does not draw: of any N datagrams in a row that it is asked about, exactly one is kept. Senders whose
/// datagrams come in step with N are therefore seen always or never; choose an N without such a relation to the number of
/// senders that take turns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler {
    every: NonZeroU32,
    /// Datagrams to pass over before the next one is kept.
    left: u32,
}

impl Sampler {
    pub(super) fn new(every: NonZeroU32) -> Self {
        Self { every, left: 0 }
    }

    /// Whether this datagram is kept.
    #[inline]
    pub(super) fn keep(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                false
            }
            None => {
                self.left = self.every.get() - 1;
                true
            }
        }
    }
}
