//! Raising exceptions, of which Wine's kernel has no more than the names.
//!
//! An exception unwinds through the routine that raises it, to the driver's handler. No value with a destructor lives there.

// UNSAFETY: exports under NT's names; calls a routine that unwinds.
#![expect(unsafe_code, reason = "exceptions leave by unwinding")]

use skua_engine::abi::status::{NTSTATUS, STATUS_ACCESS_VIOLATION};

use crate::real::Routine;

const STATUS_DATATYPE_MISALIGNMENT: NTSTATUS = NTSTATUS::from_bits(0x8000_0002);

// SAFETY: the prototype of ntifs.h, which says that it does not return; it unwinds.
static RAISE: Routine<unsafe extern "C-unwind" fn(NTSTATUS) -> !> =
    unsafe { Routine::new(c"RtlRaiseStatus") };

/// ExRaiseStatus.
///
/// # Safety
/// The caller guards against it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn ExRaiseStatus(status: NTSTATUS) -> ! {
    // SAFETY: the caller's promise.
    unsafe { RAISE.get()(status) }
}

/// ExRaiseAccessViolation.
///
/// # Safety
/// The caller guards against it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn ExRaiseAccessViolation() -> ! {
    // SAFETY: the caller's promise.
    unsafe { RAISE.get()(STATUS_ACCESS_VIOLATION) }
}

/// ExRaiseDatatypeMisalignment.
///
/// # Safety
/// The caller guards against it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn ExRaiseDatatypeMisalignment() -> ! {
    // SAFETY: the caller's promise.
    unsafe { RAISE.get()(STATUS_DATATYPE_MISALIGNMENT) }
}
