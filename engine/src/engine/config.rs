//! What an engine is opened with: every byte it will ever use follows from it.

use skua_pools::PoolConfig;

use crate::admission::AdmissionConfig;

/// The settings of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// The most processors the engine makes shards for. Opening fails where the kernel may have more: a datagram on a
    /// processor without a shard could only be dropped.
    pub shards: u32,
    /// Sends under way at once.
    pub send_slots: u32,
    /// The longest datagram that can be sent, in bytes.
    pub send_bytes: u32,
    /// Slots of a pool that each processor may hold for itself.
    pub magazine: u32,
    /// What handlers may keep.
    pub retention: Retention,
    /// Sends the provider's own memory on, without a copy, where a datagram that was kept is sent
    /// ([`SendBatch::push_retained`](crate::SendBatch::push_retained)). Nothing in WSK's documentation forbids it, and nobody
    /// is known to do it on Windows: off unless asked for.
    pub send_lent: bool,
    /// Who is let in.
    pub admission: AdmissionConfig<'a>,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            shards: u32::MAX,
            send_slots: 0,
            send_bytes: 1472,
            magazine: 16,
            retention: Retention::default(),
            send_lent: false,
            admission: AdmissionConfig::default(),
        }
    }
}

/// The budget of datagrams that a handler keeps beyond the callback, for each processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Lent datagrams at once. 0: none stays lent.
    pub datagrams: u32,
    /// Their bytes.
    pub bytes: u32,
    /// What becomes of the others.
    pub beyond: BeyondBudget,
    /// Slots for copies, shared by all processors.
    pub copy_slots: u32,
    /// Bytes in a slot; a longer datagram is dropped as `oversize`.
    pub copy_bytes: u32,
}

/// What becomes of a datagram that is to be kept beyond the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeyondBudget {
    /// It is dropped as `retain_budget`.
    #[default]
    Drop,
    /// It is copied into a slot, or dropped as `no_slot`.
    Copy,
}

impl Config<'_> {
    /// The pool of copies, if there is one.
    pub(crate) fn copies(&self) -> Option<PoolConfig> {
        let wanted = self.retention.beyond == BeyondBudget::Copy && self.retention.copy_slots > 0;
        wanted.then_some(PoolConfig { capacity: self.retention.copy_slots, shards: 0, magazine: 0 })
    }

    /// The pool of send contexts, if there is one.
    pub(crate) fn sends(&self, shards: u32) -> Option<PoolConfig> {
        (self.send_slots > 0).then_some(PoolConfig {
            capacity: self.send_slots,
            shards,
            magazine: self.magazine,
        })
    }
}
