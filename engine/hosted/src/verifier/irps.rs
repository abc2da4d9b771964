//! Rules of IRPs: who has each, from IoInitializeIrp until its memory is freed.

// UNSAFETY: reads the stack location that a client has prepared, and writes it back.
#![expect(unsafe_code, reason = "IRPs live in the client's memory")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use skua_engine::abi::nt::{
    IO_STACK_LOCATION, IO_TYPE_IRP, IRP, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS,
    io_get_current_irp_stack_location,
};

use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::kernel::irp::position;
use crate::kernel::lock::hold;

/// The packets of one verified kernel, by address.
///
/// What the kernel calls here is marked cold, so that its own functions are as short without verifier as if there were none.
#[derive(Default)]
pub(crate) struct Irps {
    known: Mutex<BTreeMap<usize, Packet>>,
}

/// A packet that was initialised.
struct Packet {
    created: Stack,
    phase: Phase,
}

enum Phase {
    /// The client's.
    Idle,
    /// Handed over, with the stack location that the client had prepared.
    InUse { since: Stack, prepared: Prepared },
    /// The client's again, and not reused since.
    Completed(Stack),
}

/// What a client puts into a stack location.
#[derive(Clone, Copy)]
struct Prepared(IO_STACK_LOCATION);

// SAFETY: the pointers in it are compared and put back, not followed.
unsafe impl Send for Prepared {}

/// All that WSK's documentation asks for.
const ALWAYS: u8 = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;

fn object(irp: *const IRP) -> Object {
    Object::at(ObjectKind::Irp, irp)
}

impl Verifier {
    /// IoInitializeIrp was called. False when it must not be done.
    #[cold]
    pub(crate) fn irp_initialized(&self, irp: *mut IRP) -> bool {
        let packet = Packet { created: Stack::capture(), phase: Phase::Idle };
        let mut known = hold(&self.irps.known);
        let found = known
            .get(&irp.addr())
            .filter(|before| before.is_in_use())
            .map(|before| before.in_use(irp, Rule::IrpInitializedInUse, "IoInitializeIrp"));
        if found.is_none() {
            known.insert(irp.addr(), packet);
        }
        drop(known);
        self.refuse(found)
    }

    /// IoReuseIrp was called. False when it must not be done.
    ///
    /// # Safety
    /// `irp` is readable.
    #[cold]
    pub(crate) unsafe fn irp_reused(&self, irp: *mut IRP) -> bool {
        let mut known = hold(&self.irps.known);
        let found = match known.get_mut(&irp.addr()) {
            // SAFETY: the caller's promise.
            Some(packet) if unsafe { is_initialized(irp) } => {
                // SAFETY: the caller's promise.
                if packet.is_in_use() || unsafe { has_location(irp) } {
                    Some(packet.in_use(irp, Rule::IrpReusedInUse, "IoReuseIrp"))
                } else {
                    packet.phase = Phase::Idle;
                    None
                }
            }
            _ => Some(unknown(irp, "IoReuseIrp")),
        };
        drop(known);
        self.refuse(found)
    }

    /// A packet was handed to WSK. False when it must not be accepted.
    ///
    /// # Safety
    /// `irp` is readable.
    #[cold]
    pub(crate) unsafe fn irp_handed_over(&self, irp: *mut IRP, function: &str) -> bool {
        let mut known = hold(&self.irps.known);
        let found = match known.get_mut(&irp.addr()) {
            // SAFETY: the caller's promise.
            Some(packet) if unsafe { is_initialized(irp) } => {
                // SAFETY: the caller's promise.
                let (_, current) = unsafe { position(irp) };
                if packet.is_in_use() || current <= 1 {
                    Some(packet.in_use(irp, Rule::IrpHandedOverInUse, function))
                } else {
                    // SAFETY: it is initialised.
                    let next = unsafe { location(irp) }.wrapping_sub(1);
                    // SAFETY: a location is left below the current one.
                    let prepared = Prepared(unsafe { next.read() });
                    let found = packet.unprepared(irp, &prepared, function);
                    if found.is_none() {
                        packet.phase = Phase::InUse { since: Stack::capture(), prepared };
                    }
                    found
                }
            }
            _ => Some(unknown(irp, function)),
        };
        drop(known);
        self.refuse(found)
    }

    /// IoCancelIrp was called. False when it must not be done.
    ///
    /// # Safety
    /// `irp` is readable.
    #[cold]
    pub(crate) unsafe fn irp_cancelled(&self, irp: *mut IRP) -> bool {
        // SAFETY: the caller's promise.
        let fine = unsafe { is_initialized(irp) };
        self.refuse((!fine).then(|| unknown(irp, "IoCancelIrp")))
    }

    /// The provider gives a packet back uncompleted.
    #[cold]
    pub(crate) fn irp_abandoned(&self, irp: *const IRP) {
        if let Some(packet) = hold(&self.irps.known).get_mut(&irp.addr()) {
            packet.phase = Phase::Idle;
        }
    }

    /// The provider lets go of the memory of a packet of its own.
    #[cold]
    pub(crate) fn irp_forgotten(&self, irp: *const IRP) {
        hold(&self.irps.known).remove(&irp.addr());
    }

    /// A packet is being completed. False when nobody has it.
    ///
    /// # Safety
    /// `irp` is readable.
    #[cold]
    pub(crate) unsafe fn irp_completing(&self, irp: *mut IRP) -> bool {
        let mut known = hold(&self.irps.known);
        let packet = known.get_mut(&irp.addr());
        // SAFETY: the caller's promise.
        if !unsafe { is_initialized(irp) } || !unsafe { has_location(irp) } {
            let found = completed_twice(irp, packet.as_deref());
            drop(known);
            return self.refuse(Some(found));
        }
        let mut found = None;
        if let Some(packet) = packet {
            // SAFETY: it has a current location.
            let location = unsafe { location(irp) };
            if let Phase::InUse { prepared, .. } = &packet.phase {
                // SAFETY: as above.
                let now = Prepared(unsafe { location.read() });
                if !prepared.is_same(&now) {
                    found = Some(packet.changed(irp));
                    let Prepared(mut before) = *prepared;
                    before.Control |= now.0.Control & !ALWAYS;
                    // SAFETY: as above; what is not the client's in it is as the provider left it.
                    unsafe {
                        location.write(IO_STACK_LOCATION {
                            Control: before.Control,
                            CompletionRoutine: before.CompletionRoutine,
                            Context: before.Context,
                            ..now.0
                        })
                    };
                }
            }
            packet.phase = Phase::Completed(Stack::capture());
        }
        drop(known);
        self.report(found.into_iter().collect());
        true
    }

    /// A packet, and where it was initialised.
    #[cold]
    pub(crate) fn irp_of(&self, irp: *const IRP) -> (Object, Option<Stack>) {
        let created = hold(&self.irps.known).get(&irp.addr()).map(|packet| packet.created.clone());
        (object(irp), created)
    }

    /// The completion routine of a packet's owner did not keep it. Its memory may be gone.
    #[cold]
    pub(crate) fn irp_given_back(&self, irp: *mut IRP) {
        let created = hold(&self.irps.known).get(&irp.addr()).map(|packet| packet.created.clone());
        let message = format!(
            "the completion routine of the IRP at {irp:p} did not return STATUS_MORE_PROCESSING_REQUIRED, so that the \
             I/O manager would free it"
        );
        self.find(Rule::IrpCompletionStatus, object(irp), created, message);
    }

    /// Memory is being freed by `routine`. False when a packet in it is in use, so that it must stay.
    #[cold]
    pub(crate) fn irps_freed(&self, memory: Range<usize>, routine: &str) -> bool {
        let mut known = hold(&self.irps.known);
        let inside: Vec<usize> = known.range(memory).map(|(irp, _)| *irp).collect();
        let in_use = inside.iter().find(|irp| known[irp].is_in_use());
        let found = in_use
            .map(|irp| known[irp].in_use(std::ptr::without_provenance(*irp), Rule::IrpFreedInUse, routine));
        if found.is_none() {
            inside.iter().for_each(|irp| _ = known.remove(irp));
        }
        drop(known);
        self.refuse(found)
    }

    /// The packets in use, as leaks.
    pub(super) fn irps_left(&self) -> Vec<Finding> {
        let known = hold(&self.irps.known);
        let left = known.iter().filter(|(_, packet)| packet.is_in_use()).map(|(irp, packet)| {
            let message =
                format!("the last handle of the kernel is gone, and the IRP at {irp:#x} is still in use");
            let object = Object { kind: ObjectKind::Irp, address: *irp };
            packet.describe(Finding::new(Rule::Leaked, object, message))
        });
        left.collect()
    }

    /// Reports what was found; false when something was.
    fn refuse(&self, found: Option<Finding>) -> bool {
        let fine = found.is_none();
        self.report(found.into_iter().collect());
        fine
    }
}

impl Packet {
    fn is_in_use(&self) -> bool {
        matches!(self.phase, Phase::InUse { .. })
    }

    /// Adds where the packet has been.
    fn describe(&self, finding: Finding) -> Finding {
        let finding = finding.created(Some(self.created.clone()));
        match &self.phase {
            Phase::Idle => finding,
            Phase::InUse { since, .. } => finding.related("handed over", Some(since)),
            Phase::Completed(at) => finding.related("completed", Some(at)),
        }
    }

    /// What `routine` must not do with a packet in use.
    fn in_use(&self, irp: *const IRP, rule: Rule, routine: &str) -> Finding {
        let message = format!("{routine}: the IRP at {irp:p} is in use, a driver still has it");
        self.describe(Finding::new(rule, object(irp), message).here())
    }

    fn changed(&self, irp: *const IRP) -> Finding {
        let message =
            format!("the completion routine of the IRP at {irp:p} was changed while the IRP was in use");
        self.describe(Finding::new(Rule::IrpChangedInUse, object(irp), message))
    }

    fn unprepared(&self, irp: *const IRP, prepared: &Prepared, function: &str) -> Option<Finding> {
        let what = match prepared.0.CompletionRoutine {
            None => "without a completion routine",
            Some(_) if prepared.0.Control & ALWAYS != ALWAYS => {
                "with a completion routine that is not invoked on every outcome"
            }
            Some(_) => return None,
        };
        let message = format!("{function} was given the IRP at {irp:p} {what}");
        let finding = Finding::new(Rule::IrpWithoutCompletionRoutine, object(irp), message).here();
        Some(self.describe(finding))
    }
}

impl Prepared {
    fn is_same(&self, other: &Self) -> bool {
        let of = |location: &IO_STACK_LOCATION| {
            let routine = location.CompletionRoutine.map(|routine| routine as usize);
            (routine, location.Context, location.Control & ALWAYS)
        };
        of(&self.0) == of(&other.0)
    }
}

fn unknown(irp: *const IRP, routine: &str) -> Finding {
    let message = format!("{routine} was given the IRP at {irp:p}, which is not initialised");
    Finding::new(Rule::IrpNotInitialized, object(irp), message).here()
}

fn completed_twice(irp: *const IRP, packet: Option<&Packet>) -> Finding {
    let what = match packet.map(|packet| &packet.phase) {
        None => "it was never initialised",
        Some(Phase::Idle) => "it was not handed over",
        Some(_) => "it is completed already",
    };
    let message = format!("IoCompleteRequest of the IRP at {irp:p}, which no driver has: {what}");
    let finding = Finding::new(Rule::IrpCompletedTwice, object(irp), message).here();
    match packet {
        Some(packet) => packet.describe(finding),
        None => finding,
    }
}

/// # Safety
/// `irp` is readable.
unsafe fn is_initialized(irp: *const IRP) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*irp).Type == IO_TYPE_IRP }
}

/// Whether a driver has the packet.
///
/// # Safety
/// `irp` is readable.
unsafe fn has_location(irp: *const IRP) -> bool {
    // SAFETY: the caller's promise.
    let (locations, current) = unsafe { position(irp) };
    (1..=locations).contains(&current)
}

/// # Safety
/// `irp` is initialised.
unsafe fn location(irp: *mut IRP) -> *mut IO_STACK_LOCATION {
    // SAFETY: the caller's promise.
    unsafe { io_get_current_irp_stack_location(irp) }
}
