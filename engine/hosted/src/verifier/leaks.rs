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
        if !self.has_looked.load(Ordering::Relaxed) && !std::thread::panicking() {
            self.look();
        }
        self.kernel.layers().forget_retired();
    }
}

impl Witness {
    fn look(&self) {
        let Some(verifier) = self.kernel.verifier() else { return };
        let leaks = self.kernel.leaks();
        if matches!(verifier.config().on_finding, OnFinding::Record) {
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
        self.look_for_leaks();
        self.take_findings()
    }

    /// The client should have given everything back: looks for what it has not, the first time that this is called.
    pub fn look_for_leaks(&self) {
        if let (Some(verifier), Some(witness)) = (self.verifier(), self.witness())
            && !witness.has_looked.swap(true, Ordering::Relaxed)
        {
            verifier.report(self.leaks());
        }
    }

    /// Writes that are found afterwards only, and what is left, of the first kind that anything is left of: the later kinds
    /// are what an earlier one holds on to.
    fn leaks(&self) -> Vec<Finding> {
        let Some(verifier) = self.verifier() else { return Vec::new() };
        let kinds: [&dyn Fn() -> Vec<Finding>; 7] = [
            &|| verifier.sockets_left(),
            &|| self.registrations_left(),
            &|| verifier.irps_left(),
            &|| self.indications_left(),
            &|| verifier.descriptors_left(),
            &|| verifier.addresses_left(),
            &|| self.memory_left(),
        ];
        let mut found = verifier.lent_poisoned();
        found.extend(kinds.iter().map(|kind| kind()).find(|found| !found.is_empty()).unwrap_or_default());
        found
    }

    fn registrations_left(&self) -> Vec<Finding> {
        let left = self.registrations().left().into_iter();
        left.map(|(object, created, what)| leak(object, &what).created(created)).collect()
    }

    /// That of sockets that are closed, which is a finding already where the verifier saw it.
    fn indications_left(&self) -> Vec<Finding> {
        let count = self.ledger().indications.get();
        let seen = |finding: &Finding| finding.rule == Rule::SocketClosedWithIndications;
        if count == 0 || self.findings().iter().any(seen) {
            return Vec::new();
        }
        let object = Object { kind: ObjectKind::Indication, address: 0 };
        vec![leak(object, &format!("{count} indications are not released"))]
    }

    fn memory_left(&self) -> Vec<Finding> {
        let live = self.memory().live().into_iter();
        live.map(|(address, live)| {
            let object = Object { kind: ObjectKind::Memory, address };
            let what = format!("{} bytes under tag {} are not freed", live.bytes, live.tag);
            leak(object, &what).created(live.created)
        })
        .collect()
    }
}

fn leak(object: Object, what: &str) -> Finding {
    Finding::new(Rule::Leaked, object, format!("the last handle of the kernel is gone, and {what}"))
}
