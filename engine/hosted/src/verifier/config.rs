//! What the verifier is made with.

use std::time::Duration;

use super::Finding;

/// How the verifier of a kernel works. Given in [`HostConfig::verifier`](crate::HostConfig::verifier).
#[derive(Clone, Debug)]
pub struct VerifierConfig {
    /// What a finding leads to.
    pub on_finding: OnFinding,
    /// How long WskDeregister waits before that is a finding: it would wait for ever, as far as can be seen.
    pub blocked_after: Duration,
    /// How a touch of memory is found that the client has no longer.
    pub lent: LentMemory,
}

/// How a touch of lent memory is found after it was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LentMemory {
    /// Its pages cannot be accessed: a read or write ends the process with the report, or is recorded and reads zeroes.
    /// Linux only; elsewhere the same as [`LentMemory::Poisoned`]. A handler of SIGSEGV is installed for it, which leaves
    /// other faults to the one before.
    Protected,
    /// It is filled with a pattern, and a write is found when it is used again or the kernel ends. A read is not found.
    Poisoned,
}

/// What a finding leads to.
#[derive(Clone, Copy, Debug)]
pub enum OnFinding {
    /// The report goes to the standard error, and the thread that broke the rule panics with it. Where a panic would not
    /// reach the client, in a function of a WSK table, which is C, or on a thread of the provider, the process ends.
    Panic,
    /// The report goes to the standard error, and the process ends.
    Abort,
    /// The finding is kept for [`HostKernel::findings`](crate::HostKernel::findings) and execution goes on as safely as it
    /// can: the call that broke the rule has no effect, or fails with a status.
    Record,
    /// The same, and whoever this is is told at once, on the thread that broke the rule.
    Tell(fn(&Finding)),
}

impl Default for VerifierConfig {
    /// Panics, protects lent memory, and gives WskDeregister ten seconds.
    fn default() -> Self {
        Self {
            on_finding: OnFinding::Panic,
            blocked_after: Duration::from_secs(10),
            lent: LentMemory::Protected,
        }
    }
}
