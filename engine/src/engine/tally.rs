//! What a shard counts.

use skua_pools::Counters;

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
    /// Payload bytes of the datagrams that reached the handler.
    pub bytes: u64,
    /// Batches given to the handler.
    pub batches: u64,
    /// Datagrams that the handler kept beyond the callback.
    pub kept: u64,
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
    /// Whether a counter behind the first [`USUAL`] was touched. Set by the methods that touch one.
    beyond_usual: bool,
}

/// Counters that every batch touches, which come first.
const USUAL: usize = 4;

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
        self.beyond_usual = true;
        if let Some(drops) = self.drops.get_mut(reason as usize) {
            *drops += count;
        }
    }

    /// Counts a datagram that the handler keeps.
    #[inline]
    pub(crate) fn keep(&mut self) {
        self.beyond_usual = true;
        self.kept += 1;
    }

    /// Counts datagrams without a control message that their socket would have liked to see.
    #[inline]
    pub(crate) fn miss_info(&mut self, count: u64) {
        self.beyond_usual = true;
        self.without_info += count;
    }

    /// Counts sends that are handed to the provider.
    #[inline]
    pub(crate) fn issue_sends(&mut self, count: u64) {
        self.beyond_usual = true;
        self.sends_issued += count;
    }

    /// Counts sends that are over.
    #[inline]
    pub(crate) fn end_sends(&mut self, count: u64, succeeded: bool) {
        self.beyond_usual = true;
        *(if succeeded { &mut self.sends_completed } else { &mut self.sends_failed }) += count;
    }

    /// Adds what was counted to what others may read, and begins again.
    #[inline]
    pub(crate) fn publish(&mut self, counters: &Counters<{ Self::FIELDS }>) {
        let Self { indicated, accepted, bytes, batches, beyond_usual, .. } = *self;
        if beyond_usual {
            return self.publish_all(counters);
        }
        counters.publish_first::<USUAL>(&[indicated, accepted, bytes, batches]);
        (self.indicated, self.accepted, self.bytes, self.batches) = (0, 0, 0, 0);
    }

    #[inline(never)]
    fn publish_all(&mut self, counters: &Counters<{ Self::FIELDS }>) {
        counters.publish(&self.to_array());
        *self = Self::default();
    }

    /// Adds another shard's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut sum = self.to_array();
        for (sum, other) in sum.iter_mut().zip(other.to_array()) {
            *sum += other;
        }
        *self = Self::from_array(sum);
    }

    #[inline]
    pub(crate) fn to_array(self) -> [u64; Self::FIELDS] {
        let mut fields = [0; Self::FIELDS];
        let (plain, drops) = fields.split_at_mut(PLAIN);
        let counted: [u64; PLAIN] = [
            self.indicated,
            self.accepted,
            self.bytes,
            self.batches,
            self.kept,
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
            bytes: next(),
            batches: next(),
            kept: next(),
            without_info: next(),
            sends_issued: next(),
            sends_completed: next(),
            sends_failed: next(),
            drops: core::array::from_fn(|_| next()),
            beyond_usual: true,
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

    #[test]
    fn what_is_published_is_what_was_counted_whichever_counters_were_touched() {
        type Touch = fn(&mut Tally);
        let touches: [Touch; 6] = [
            |_| {},
            |tally| tally.refuse(DropReason::Handler),
            Tally::keep,
            |tally| tally.miss_info(2),
            |tally| tally.issue_sends(3),
            |tally| tally.end_sends(2, false),
        ];
        let (counters, mut sum) = (Counters::new(), Tally::default());
        for touch in touches {
            let mut tally = Tally { indicated: 7, accepted: 5, bytes: 100, batches: 1, ..Tally::default() };
            touch(&mut tally);
            sum.add(&tally);
            tally.publish(&counters);
            assert_eq!(tally, Tally::default());
        }
        assert_eq!(counters.read(1).totals(), sum.to_array());
    }
}
