//! Calls that fail once, each from one place.
//!
//! A kernel with [`Faults`] asks them at every call that may fail, by call site: what is called, and the whole stack of
//! callers. In each run the first site that has not failed yet fails, and every later call of that run succeeds.
//! [`FaultLoop`] runs a scenario until a run meets no such site any more, in the manner of usersim: then every path on
//! which one thing fails has been taken.

mod driver;
mod middleware;
mod site;

use std::collections::HashSet;
use std::sync::Mutex;

use crate::kernel::lock::hold;

pub use driver::{FaultFailure, FaultLoop, FaultReport};
pub use site::{FaultSite, Manner};

/// What fails in one run after the other. Given in [`HostConfig::faults`](crate::HostConfig::faults).
///
/// What can fail: ExAllocatePool2, MmMapLockedPagesSpecifyCache, KeWaitForSingleObject with a time-out (it ends at once,
/// with STATUS_TIMEOUT), WskRegister, WskCaptureProviderNPI, WskQueryProviderCharacteristics, and every function of WSK's
/// tables but those that give back: WskCloseSocket, WskRelease, WskFreeAddressInfo. A function with a packet fails in
/// two ways, inside the call and later, and what has waited fails a third time when it is completed.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Sites that have failed, in any run.
    failed: HashSet<u64>,
    /// The one that failed in this run.
    site: Option<FaultSite>,
    /// Calls that were asked about.
    asked: u64,
    is_running: bool,
}

impl Faults {
    /// Begins a run: one site may fail.
    pub fn begin(&self) {
        let mut state = hold(&self.state);
        (state.site, state.is_running) = (None, true);
    }

    /// Ends the run, and returns what has failed in it. Nothing fails until the next one begins.
    pub fn end(&self) -> Option<FaultSite> {
        let mut state = hold(&self.state);
        state.is_running = false;
        state.site.take()
    }

    /// Sites that have failed so far.
    #[must_use]
    pub fn sites(&self) -> usize {
        hold(&self.state).failed.len()
    }

    /// Calls that could have failed so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        hold(&self.state).asked
    }

    /// Whether this call is to fail.
    pub(crate) fn fails(&self, call: &'static str, manner: Manner) -> bool {
        let mut state = hold(&self.state);
        if !state.is_running {
            return false;
        }
        state.asked += 1;
        if state.site.is_some() {
            return false;
        }
        let site = FaultSite::here(call, manner);
        if !state.failed.insert(site.hash()) {
            return false;
        }
        state.site = Some(site);
        true
    }
}
