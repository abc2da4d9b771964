//! What is left when the last handle of a kernel goes.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Finding, Object, ObjectKind, OnFinding, Rule};
use crate::HostKernel;

/// Lives as long as anybody but the provider has a handle of the kernel, and then looks for what was left behind.
pub(crate) struct Witness {
    kernel: HostKernel,
    /// Whether somebody has looked already.
    has_looked: AtomicBool,
}

impl Witness {
    /// `kernel` has no witness itself.
    pub(crate) fn new(kernel: HostKernel) -> Self {
        Self { kernel, has_looked: AtomicBool::new(false) }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // A thread that panics leaves behind what it has at that moment.
        if self.has_looked.load(Ordering::Relaxed) || std::thread::panicking() {
            return;
        }
        let Some(verifier) = self.kernel.verifier() else { return };
        let leaks = self.kernel.leaks();
        if verifier.config().on_finding == OnFinding::Record {
            // Nobody is left to ask for it.
            let reports: String = leaks.iter().map(Finding::to_string).collect();
            let _ = std::io::stderr().write_all(reports.as_bytes());
        }
        verifier.report(leaks);
    }
}

impl HostKernel {
    /// The client is unloaded: looks for what it has left behind, as the verifier does when the last clone of the kernel
    /// goes, and returns all findings.
    #[must_use]
    pub fn unload(self) -> Vec<Finding> {
        if let (Some(verifier), Some(witness)) = (self.verifier(), self.witness()) {
            witness.has_looked.store(true, Ordering::Relaxed);
            verifier.report(self.leaks());
        }
        self.take_findings()
    }

    /// What is left, of the first kind that anything is left of: sockets, registrations, packets, indications, memory. The
    /// later kinds are what an earlier one holds on to.
    fn leaks(&self) -> Vec<Finding> {
        let left = |what: String, object| {
            Finding::new(Rule::Leaked, object, format!("the last handle of the kernel is gone, and {what}"))
        };
        let kinds: [&dyn Fn() -> Vec<Finding>; 5] = [
            &|| {
                let sockets = self.ledger().sockets.get();
                let object = Object { kind: ObjectKind::Socket, address: 0 };
                let what = format!("{sockets} sockets are open");
                (sockets > 0).then(|| left(what, object)).into_iter().collect()
            },
            &|| {
                self.registrations()
                    .left()
                    .into_iter()
                    .map(|(object, created, what)| left(what, object).created(created))
                    .collect()
            },
            &|| self.verifier().map_or_else(Vec::new, |verifier| verifier.irps_left()),
            &|| {
                let indications = self.ledger().indications.get();
                let object = Object { kind: ObjectKind::Indication, address: 0 };
                let what = format!("{indications} indications are not released");
                (indications > 0).then(|| left(what, object)).into_iter().collect()
            },
            &|| {
                let live = self.memory().live();
                live.into_iter()
                    .map(|(address, live)| {
                        let object = Object { kind: ObjectKind::Memory, address };
                        let what = format!("{} bytes under tag {} are not freed", live.bytes, live.tag);
                        left(what, object).created(live.created)
                    })
                    .collect()
            },
        ];
        kinds.iter().map(|kind| kind()).find(|found| !found.is_empty()).unwrap_or_default()
    }
}
