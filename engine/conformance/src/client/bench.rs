//! What one check stands on: a kernel, what is known of the machine, and whether something hung.

use core::cell::Cell;

use skua_engine::{Dispatch, Kernel};

use crate::outcome::Outcome;

/// Units of 100 ns in a millisecond.
const MILLISECOND: u64 = 10_000;

/// How long nothing must come before it counts as absent, in units of 100 ns.
pub(crate) const MOMENT: u64 = 50 * MILLISECOND;

/// What this machine and provider have, found out once before the checks run; see
/// [`survey`](crate::survey).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// A datagram socket can be bound to the loopback address of IPv6.
    pub ipv6: bool,
    /// Listening sockets can be created.
    pub tcp: bool,
    /// Received datagrams can carry control messages.
    pub control_messages: bool,
    /// Longest that anything takes which should come, in milliseconds. What takes longer is taken for absent, or for
    /// hung where it leaves a request out.
    pub patience: u32,
}

impl Default for Surroundings {
    /// IPv4 and UDP alone, and ten seconds.
    fn default() -> Self {
        Self { ipv6: false, tcp: false, control_messages: false, patience: 10_000 }
    }
}

/// What one check stands on.
pub(crate) struct Bench<K: Kernel> {
    kernel: K,
    surroundings: Surroundings,
    /// What did not end in time, first of all. From then on nothing is freed: see [`Owned`](super::Owned).
    hung: Cell<Option<&'static str>>,
    /// Requests are handed over at DISPATCH_LEVEL.
    raised: Cell<bool>,
}

impl<K: Kernel> Bench<K> {
    pub(crate) const fn new(kernel: K, surroundings: Surroundings) -> Self {
        Self { kernel, surroundings, hung: Cell::new(None), raised: Cell::new(false) }
    }

    pub(crate) const fn kernel(&self) -> &K {
        &self.kernel
    }

    pub(crate) const fn surroundings(&self) -> Surroundings {
        self.surroundings
    }

    /// From now on requests are handed over at DISPATCH_LEVEL.
    pub(crate) fn raise_calls(&self) {
        self.raised.set(true);
    }

    /// Calls `call` at the level that requests are handed over at.
    pub(crate) fn at_level<R>(&self, call: impl FnOnce() -> R) -> R {
        if self.raised.get() { Dispatch::with(&self.kernel, |_| call()) } else { call() }
    }

    /// What did not end in time.
    pub(crate) fn hung(&self) -> Option<&'static str> {
        self.hung.get()
    }

    /// Notes that `step` did not end in time.
    pub(crate) fn hangs(&self, step: &'static str) -> Outcome {
        if self.hung.get().is_none() {
            self.hung.set(Some(step));
        }
        Outcome::Hung { step }
    }

    /// Longest that anything takes which should come, in units of 100 ns. Short once something hung: the rest of the
    /// check only cleans up.
    pub(crate) fn patience(&self) -> u64 {
        let patience = u64::from(self.surroundings.patience) * MILLISECOND;
        if self.hung.get().is_some() { patience / 20 } else { patience }
    }
}
