//! What a shard counts.

use crate::reason::DropReason;

/// The counters of one shard, as its processor holds them; published as one array.
///
/// # Invariants
/// At every batch end `indicated = accepted + kept + Σ drops`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Datagrams that the provider indicated.
    pub indicated: u64,
    /// Datagrams that the handler consumed.
    pub accepted: u64,
    /// Datagrams that the handler kept beyond the callback.
    pub kept: u64,
    /// Payload bytes of the datagrams that reached the handler.
    pub bytes: u64,
    /// Batches given to the handler.
    pub batches: u64,
    /// Datagrams without a control message that the socket would have liked to see.
    pub without_info: u64,
    /// Sends handed to the provider.
    pub sends_issued: u64,
    /// Sends that completed with success.
    pub sends_completed: u64,
    /// Sends that completed with a failure, or were refused.
    pub sends_failed: u64,
    /// Datagrams that went no further, by reason.
    pub drops: [u64; DropReason::COUNT],
}

/// Counters before the drops.
const PLAIN: usize = 9;

impl Tally {
    /// Counters in all.
    pub(crate) const FIELDS: usize = PLAIN + DropReason::COUNT;

    /// Counts one datagram that went no further.
    #[inline]
    pub(crate) fn refuse(&mut self, reason: DropReason) {
        self.refuse_many(reason, 1);
    }

    /// Counts `count` datagrams that went no further.
    #[inline]
    pub(crate) fn refuse_many(&mut self, reason: DropReason, count: u64) {
        if let Some(drops) = self.drops.get_mut(reason as usize) {
            *drops += count;
        }
    }

    /// Adds another shard's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut sum = self.to_array();
        for (sum, other) in sum.iter_mut().zip(other.to_array()) {
            *sum += other;
        }
        *self = Self::from_array(sum);
    }

    /// All drops together.
    #[inline]
    pub(crate) fn refused(&self) -> u64 {
        self.drops.iter().sum()
    }

    #[inline]
    pub(crate) fn to_array(self) -> [u64; Self::FIELDS] {
        let mut fields = [0; Self::FIELDS];
        let (plain, drops) = fields.split_at_mut(PLAIN);
        let counted: [u64; PLAIN] = [
            self.indicated,
            self.accepted,
            self.kept,
            self.bytes,
            self.batches,
            self.without_info,
            self.sends_issued,
            self.sends_completed,
            self.sends_failed,
        ];
        plain.copy_from_slice(&counted);
        drops.copy_from_slice(&self.drops);
        fields
    }

    pub(crate) fn from_array(fields: [u64; Self::FIELDS]) -> Self {
        let mut fields = fields.into_iter();
        let mut next = || fields.next().unwrap_or_default();
        Self {
            indicated: next(),
            accepted: next(),
            kept: next(),
            bytes: next(),
            batches: next(),
            without_info: next(),
            sends_issued: next(),
            sends_completed: next(),
            sends_failed: next(),
            drops: core::array::from_fn(|_| next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_survives_the_array() {
        let fields: [u64; Tally::FIELDS] = core::array::from_fn(|index| index as u64 + 1);
        assert_eq!(Tally::from_array(fields).to_array(), fields);
    }
}
