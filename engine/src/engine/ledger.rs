//! What others may read of a shard while its processor is at work.

use core::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use skua_pools::Counters;

use crate::engine::tally::Tally;

/// The public side of one shard.
pub(crate) struct Ledger {
    /// The shard's tallies, published once a batch. Written by the shard's processor.
    pub counters: Counters<{ Tally::FIELDS }>,
    /// What was given back of what the shard's handler kept. Written by whoever drops a
    /// [`Retained`](crate::Retained), anywhere.
    pub returned: CachePadded<Returned>,
}

/// Counts of what came back.
#[derive(Default)]
pub(crate) struct Returned {
    /// Datagrams of either kind, lent or copied.
    pub datagrams: AtomicU64,
    /// Lent datagrams only.
    pub lent: AtomicU64,
    /// The bytes of those.
    pub lent_bytes: AtomicU64,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { counters: Counters::new(), returned: CachePadded::new(Returned::default()) }
    }

    /// A datagram came back; `lent_bytes` is what it counted against the budget, `None` for a copy.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn give_back(&self, lent_bytes: Option<u32>) {
        if let Some(bytes) = lent_bytes {
            self.returned.lent_bytes.fetch_add(u64::from(bytes), Ordering::Relaxed);
            self.returned.lent.fetch_add(1, Ordering::Relaxed);
        }
        // Release: pairs with the acquire of the reader, who then sees the counters of every batch before.
        self.returned.datagrams.fetch_add(1, Ordering::Release);
    }
}

/// Counts of what happened where no shard could be entered. Rare, so shared by all processors.
#[derive(Default)]
pub(crate) struct Elsewhere {
    /// Datagrams indicated inside another callback of the same processor.
    pub nested: AtomicU64,
    /// Sends handed over inside a batch of the same processor.
    pub sends_issued: AtomicU64,
    /// Sends that completed inside a batch of the same processor.
    pub sends_completed: AtomicU64,
    /// Sends that failed there.
    pub sends_failed: AtomicU64,
}
