//! The verifier: watches the rules of NT and WSK while a client runs, in the manner of Driver Verifier.
//!
//! It is on where [`HostConfig::verifier`](crate::HostConfig::verifier) says so, which builds with debug assertions do
//! by default. Each breach is a [`Finding`]: the [`Rule`], what to do about it, the object, where that was made and where
//! the rule was broken. [`OnFinding`] says what follows.
//!
//! Where it is off, a breach that would corrupt this process panics, and any other passes unnoticed.

mod buffers;
mod config;
mod copies;
mod events;
#[cfg(target_os = "linux")]
mod fault;
mod finding;
mod handles;
mod irps;
mod leaks;
mod lent;
mod levels;
mod nodes;
mod npis;
mod passes;
mod rooms;
mod rule;
mod sockets;
mod stack;
mod watch;

use std::io::Write;
use std::sync::Mutex;

pub use config::{LentMemory, OnFinding, VerifierConfig};
pub use finding::{Finding, Object, ObjectKind};
pub use rule::Rule;
pub use stack::{Frame, Stack};
pub use watch::Watch;

use self::handles::Handles;
use self::irps::Irps;
pub(crate) use self::leaks::Witness;
use self::lent::Lent;
use self::levels::Levels;
use self::npis::Npis;
use self::passes::Passes;
pub(crate) use self::sockets::Notes;
use self::sockets::Sockets;
use crate::HostKernel;
use crate::kernel::lock::hold;

/// What the verifier of one kernel knows.
pub(crate) struct Verifier {
    config: VerifierConfig,
    findings: Mutex<Vec<Finding>>,
    irps: Irps,
    handles: Handles,
    lent: Lent,
    pub(crate) levels: Levels,
    npis: Npis,
    passes: Passes,
    sockets: Sockets,
}

/// What the verifier found.
impl HostKernel {
    /// The findings so far, oldest first. Empty where the verifier is off; with anything but [`OnFinding::Record`] the
    /// first is also the last.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.verifier().map_or_else(Vec::new, |verifier| hold(&verifier.findings).clone())
    }

    /// The same, and forgets them.
    #[must_use]
    pub fn take_findings(&self) -> Vec<Finding> {
        self.verifier().map_or_else(Vec::new, |verifier| std::mem::take(&mut hold(&verifier.findings)))
    }

    /// Whether the verifier is on.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verifier().is_some()
    }

    /// A rule was broken whose breach would corrupt this process. Where the verifier is on it is a finding, and this
    /// returns if those are recorded; the caller leaves undone what would do the harm. For routines that another crate adds
    /// to a kernel, too.
    ///
    /// # Panics
    /// If there is no verifier, nor an executive that is told.
    #[cold]
    #[track_caller]
    pub fn breach(&self, rule: Rule, object: Object, message: String) {
        match (self.verifier(), self.executive()) {
            (Some(verifier), _) => verifier.find(rule, object, None, message),
            (None, Some(executive)) => (executive.breach)(rule, &message),
            (None, None) => panic!("{message}: {}", rule.advice()),
        }
    }
}

impl Verifier {
    pub(crate) fn new(config: VerifierConfig) -> Self {
        Self {
            config,
            findings: Mutex::default(),
            irps: Irps::default(),
            handles: Handles::default(),
            lent: Lent::default(),
            levels: Levels::default(),
            npis: Npis::default(),
            passes: Passes::default(),
            sockets: Sockets::default(),
        }
    }

    pub(crate) fn config(&self) -> &VerifierConfig {
        &self.config
    }

    /// A finding on the calling thread.
    #[cold]
    #[track_caller]
    pub(crate) fn find(&self, rule: Rule, object: Object, created: Option<Stack>, message: String) {
        self.report(vec![Finding::new(rule, object, message).created(created).here()]);
    }

    /// As [`Verifier::report`], from a handler of a signal, which cannot panic.
    fn report_from_signal(&self, found: Finding) {
        match self.config.on_finding {
            OnFinding::Record => {}
            OnFinding::Tell(tell) => tell(&found),
            OnFinding::Panic | OnFinding::Abort => {
                let _ = std::io::stderr().write_all(found.to_string().as_bytes());
                std::process::abort();
            }
        }
        hold(&self.findings).push(found);
    }

    /// Does with findings what the configuration says.
    #[track_caller]
    pub(crate) fn report(&self, found: Vec<Finding>) {
        if found.is_empty() {
            return;
        }
        if matches!(self.config.on_finding, OnFinding::Panic | OnFinding::Abort) {
            let reports: String = found.iter().map(Finding::to_string).collect();
            // Not by a macro, whose output a test harness keeps until the test is over, which it may never be.
            let _ = std::io::stderr().write_all(reports.as_bytes());
        }
        let first = format!("verifier: {}: {}", found[0].rule, found[0].message);
        if let OnFinding::Tell(tell) = self.config.on_finding {
            found.iter().for_each(tell);
        }
        hold(&self.findings).extend(found);
        match self.config.on_finding {
            OnFinding::Record | OnFinding::Tell(_) => {}
            OnFinding::Panic => panic!("{first}"),
            OnFinding::Abort => std::process::abort(),
        }
    }
}
