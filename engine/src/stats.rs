//! What an engine tells about itself.

use crate::reason::DropReason;

/// Counters of an engine since it was opened, summed over its shards. They never run backwards.
///
/// The whole is exact when nothing is under way. While datagrams come, each shard is read at one of its batch ends, so
/// `indicated = accepted + kept + Σ drops` holds all the same, unless `exact` is false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams that the provider indicated.
    pub indicated: u64,
    /// Datagrams that the handler consumed within its callback.
    pub accepted: u64,
    /// Datagrams that the handler kept beyond it.
    pub kept: u64,
    /// Kept datagrams that it has given back.
    pub released: u64,
    /// Payload bytes of the datagrams that reached the handler.
    pub bytes: u64,
    /// Batches given to the handler.
    pub batches: u64,
    /// Datagrams without a control message that the socket would have liked to see.
    pub without_info: u64,
    /// Datagrams handed to the provider for sending.
    pub sends_issued: u64,
    /// Sends that completed with success.
    pub sends_completed: u64,
    /// Sends that completed with a failure, or were refused.
    pub sends_failed: u64,
    /// Datagrams that went no further, in the order of [`DropReason::ALL`].
    pub drops: [u64; DropReason::COUNT],
    /// Every shard was read at a batch end. False when one shard published 64 batches while it was being read: each
    /// counter is right by itself then, the sum need not hold.
    pub exact: bool,
}

impl Stats {
    /// Datagrams that the handler is done with.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.accepted.saturating_add(self.released)
    }

    /// Datagrams that the handler still keeps.
    #[must_use]
    pub fn retained(&self) -> u64 {
        self.kept.saturating_sub(self.released)
    }

    /// Datagrams dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason as usize).copied().unwrap_or_default()
    }

    /// Datagrams dropped for any reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.drops.iter().fold(0, |sum, drops| sum.saturating_add(*drops))
    }

    /// Sends whose IRP has not completed.
    #[must_use]
    pub fn sends_outstanding(&self) -> u64 {
        self.sends_issued.saturating_sub(self.sends_completed).saturating_sub(self.sends_failed)
    }

    /// Whether every datagram indicated is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.accepted.checked_add(self.kept).and_then(|sum| sum.checked_add(self.dropped_total()))
            == Some(self.indicated)
    }
}
