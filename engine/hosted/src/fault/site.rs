//! Where a call comes from.

use std::ffi::c_void;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Callers that tell one site from another; what is further out is the same for all of a test.
const DEPTH: usize = 48;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// By what it returns.
    AtOnce,
    /// STATUS_PENDING is returned, nothing is done, and another thread completes the packet with a failure.
    Later,
    /// What the provider had kept is completed with a failure.
    InTheEnd,
}

/// A call from one place, by one stack of callers.
#[derive(Clone)]
pub struct FaultSite {
    call: &'static str,
    manner: Manner,
    callers: Vec<usize>,
}

impl FaultSite {
    pub(super) fn here(call: &'static str, manner: Manner) -> Self {
        let mut callers = Vec::with_capacity(DEPTH);
        backtrace::trace(|frame| {
            callers.push(frame.ip().addr());
            callers.len() < DEPTH
        });
        Self { call, manner, callers }
    }

    /// What failed.
    #[must_use]
    pub const fn call(&self) -> &'static str {
        self.call
    }

    /// How.
    #[must_use]
    pub const fn manner(&self) -> Manner {
        self.manner
    }

    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.call, self.manner, &self.callers).hash(&mut hasher);
        hasher.finish()
    }

    /// The names of the callers outside of this crate and the standard library, innermost first.
    #[must_use]
    pub fn callers(&self) -> Vec<String> {
        let mut names = Vec::new();
        for &caller in &self.callers {
            // The instruction before the one that is returned to.
            let address: *mut c_void = std::ptr::without_provenance_mut(caller.saturating_sub(1));
            backtrace::resolve(address, |symbol| {
                if let Some(name) = symbol.name() {
                    names.push(format!("{name:#}"));
                }
            });
        }
        let own = ["skua_hosted::", "backtrace::", "std::", "core::", "alloc::", "<skua_hosted::", "__rust"];
        names.retain(|name| !own.iter().any(|own| name.starts_with(own)));
        names
    }
}

impl fmt::Display for FaultSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.manner {
            Manner::AtOnce => "failed",
            Manner::Later => "failed later",
            Manner::InTheEnd => "failed in the end",
        };
        write!(f, "{} {how}", self.call)?;
        for caller in self.callers().iter().take(8) {
            write!(f, "\n    in {caller}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for FaultSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
