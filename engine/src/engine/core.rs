//! The part of an engine that does not depend on its handler.

use skua_pools::Slab;

use crate::buffers::Copies;
use crate::engine::config::Retention;
use crate::engine::ledger::{Elsewhere, Ledger};
use crate::kernel::Kernel;
use crate::send::context::SendPool;

/// Pools, ledgers and settings that sockets, sends and retained datagrams of one engine share.
pub(crate) struct EngineCore<K: Kernel> {
    /// One for each shard, readable by anyone.
    pub ledgers: Slab<Ledger, K>,
    /// What happened where no shard could be entered.
    pub elsewhere: Elsewhere,
    /// What handlers may keep.
    pub retention: Retention,
    /// Slots for what they keep beyond it.
    pub copies: Option<Copies<K>>,
    /// Whether lent memory may be sent as it is.
    pub send_lent: bool,
    /// Send contexts.
    pub sends: Option<SendPool<K>>,
}
