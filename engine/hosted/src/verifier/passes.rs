//! Rules of what is given along with a call until its IRP completes: buffers and security descriptors.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use super::buffers::Given;
use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::kernel::lock::hold;

/// The calls of one verified kernel whose IRPs have not completed, by their packets.
#[derive(Default)]
pub(crate) struct Passes {
    pending: Mutex<HashMap<u64, Pass>>,
}

/// A call that was passed on.
pub(crate) struct Pass {
    /// Where it was called.
    pub(crate) called: Stack,
    pub(crate) buffers: Vec<Given>,
    pub(crate) descriptor: Option<usize>,
}

impl Verifier {
    pub(crate) fn pass_begun(&self, packet: u64, pass: Pass) {
        hold(&self.passes.pending).insert(packet, pass);
    }

    /// The call has completed, or will not complete. `None` when it has before.
    pub(crate) fn pass_ended(&self, packet: u64) -> Option<Pass> {
        hold(&self.passes.pending).remove(&packet)
    }

    /// Looks for data that was changed before its send completed.
    pub(crate) fn pass_checked(&self, pass: &Pass, function: &str) {
        let Some(changed) = pass.buffers.iter().find(|given| given.has_changed()) else { return };
        let object = changed.object();
        let message = format!("the data of the {object} was changed before {function} completed");
        let finding = Finding::new(Rule::BufferChangedInUse, object, message);
        self.report(vec![finding.related("given to a call", Some(&pass.called))]);
    }

    /// Where a pending call was made that `descriptor` was given to.
    pub(crate) fn descriptor_in_use(&self, descriptor: usize) -> Option<Stack> {
        let pending = hold(&self.passes.pending);
        pending.values().find(|pass| pass.descriptor == Some(descriptor)).map(|pass| pass.called.clone())
    }

    /// Memory is being freed by `routine`. False when a buffer of a pending call is in it, so that it must stay.
    #[cold]
    pub(crate) fn buffers_freed(&self, memory: Range<usize>, routine: &str) -> bool {
        let pending = hold(&self.passes.pending);
        let overlaps = |range: &Range<usize>| range.start < memory.end && memory.start < range.end;
        let pass = pending
            .values()
            .find(|pass| pass.buffers.iter().any(|given| given.ranges().any(|range| overlaps(&range))));
        let Some(pass) = pass else { return true };
        let object = Object { kind: ObjectKind::Memory, address: memory.start };
        let message = format!(
            "{routine} of the memory at {:#x}, which holds a buffer or MDL of a call whose IRP has not completed",
            memory.start
        );
        let finding = Finding::new(Rule::BufferFreedInUse, object, message).here();
        let finding = finding.related("given to a call", Some(&pass.called));
        drop(pending);
        self.report(vec![finding]);
        false
    }
}
