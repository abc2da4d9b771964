//! What the client has handed over and not got back, and the other way round.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What is under way between client and provider. All zero when a client has ended without a leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// IRPs handed to the provider and not completed.
    pub irps: usize,
    /// Sockets created and not closed.
    pub sockets: usize,
    /// Indications lent and not given back: inside a callback, or retained and not released, also by sockets that were
    /// closed over them.
    pub indications: usize,
    /// Provider NPIs captured and not released.
    pub captures: usize,
    /// Security descriptors cached, or read from a socket, and not released.
    pub descriptors: usize,
    /// Lists of addresses that WskGetAddressInfo gave and WskFreeAddressInfo has not freed.
    pub address_lists: usize,
    /// Bytes of nonpaged pool allocated and not freed.
    pub memory: usize,
}

impl Outstanding {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The running counts. Each is changed by whoever takes or gives back, before the other side can notice.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) irps: Count,
    /// Those of `irps` that a layer has passed down for one of a client, which is among them too.
    pub(crate) passed: Count,
    pub(crate) sockets: Count,
    pub(crate) indications: Count,
    pub(crate) descriptors: Count,
    /// Sockets whose memory is not freed: those that are open, and those that a thread is still leaving.
    pub(crate) footprints: Count,
}

/// A running count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count, Ordering::SeqCst);
    }

    pub(crate) fn remove(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
