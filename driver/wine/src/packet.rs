//! Completing I/O request packets: Wine does it; this looks whether it may be done.

// UNSAFETY: exports under NT's names; calls Wine's routine.
#![expect(unsafe_code, reason = "packets are reached by address")]

use skua_engine::abi::nt::{DISPATCH_LEVEL, IO_TYPE_IRP, IRP};

use crate::real::Routine;
use crate::{level, report};

// SAFETY: the prototype of wdm.h.
static COMPLETE: Routine<unsafe extern "C" fn(*mut IRP, i8)> = unsafe { Routine::new(c"IofCompleteRequest") };

/// IofCompleteRequest.
///
/// # Safety
/// The caller has `irp` and gives it up.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IofCompleteRequest(irp: *mut IRP, priority_boost: i8) {
    level::require("IofCompleteRequest", DISPATCH_LEVEL);
    // SAFETY: the caller's promise.
    let kind = unsafe { (*irp).Type };
    // SAFETY: the caller's promise.
    let locations = unsafe { (*irp).StackCount };
    // SAFETY: the caller's promise.
    let current = unsafe { (*irp).CurrentLocation };
    if kind != IO_TYPE_IRP || !(1..=locations).contains(&current) {
        report::violation(format_args!(
            "IofCompleteRequest of the IRP at {irp:p}, which no driver has (location {current} of {locations}): it is \
             completed already"
        ));
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { COMPLETE.get()(irp, priority_boost) };
}

/// IoCompleteRequest, under the name that drivers older than the macro import.
///
/// # Safety
/// As for [`IofCompleteRequest`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoCompleteRequest(irp: *mut IRP, priority_boost: i8) {
    // SAFETY: the same contract.
    unsafe { IofCompleteRequest(irp, priority_boost) };
}
