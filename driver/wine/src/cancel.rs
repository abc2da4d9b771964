//! The cancel spin lock, which is Wine's, with the level that belongs to it.
//!
//! Wine's I/O manager takes its lock by itself when a program cancels; the cancel routine then runs below DISPATCH_LEVEL,
//! and releases a lock that nobody acquired here.

// UNSAFETY: exports under NT's names; calls Wine's routines and cancel routines.
#![expect(unsafe_code, reason = "packets are reached by address")]

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use skua_engine::abi::nt::{
    BOOLEAN, DISPATCH_LEVEL, DRIVER_CANCEL, FALSE, IRP, KIRQL, PASSIVE_LEVEL, TRUE,
    io_get_current_irp_stack_location,
};

use crate::level;
use crate::real::Routine;

// SAFETY: the prototype of wdm.h.
static ACQUIRE: Routine<unsafe extern "C" fn(*mut KIRQL)> =
    unsafe { Routine::new(c"IoAcquireCancelSpinLock") };
// SAFETY: the prototype of wdm.h.
static RELEASE: Routine<unsafe extern "C" fn(KIRQL)> = unsafe { Routine::new(c"IoReleaseCancelSpinLock") };

thread_local! {
    /// Whether this thread acquired the lock here, and so raised for it.
    static RAISED: Cell<bool> = const { Cell::new(false) };
}

/// IoAcquireCancelSpinLock. The lock comes first: whoever holds it may still have to raise, for which a processor must
/// become free.
///
/// # Safety
/// `irql` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoAcquireCancelSpinLock(irql: *mut KIRQL) {
    let mut ignored = PASSIVE_LEVEL;
    // SAFETY: a local to write to.
    unsafe { ACQUIRE.get()(&raw mut ignored) };
    let before = level::raise(DISPATCH_LEVEL);
    RAISED.set(true);
    // SAFETY: the caller's promise.
    unsafe { irql.write(before) };
}

/// IoReleaseCancelSpinLock.
///
/// # Safety
/// The thread holds the lock, and `irql` is what acquiring it gave.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoReleaseCancelSpinLock(irql: KIRQL) {
    let raised = RAISED.replace(false);
    // SAFETY: the caller's promise; Wine has no levels.
    unsafe { RELEASE.get()(PASSIVE_LEVEL) };
    if raised {
        level::lower(irql);
    }
}

/// IoCancelIrp.
///
/// # Safety
/// `irp` stays until this returns.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoCancelIrp(irp: *mut IRP) -> BOOLEAN {
    let mut irql = PASSIVE_LEVEL;
    // SAFETY: a local to write to.
    unsafe { IoAcquireCancelSpinLock(&raw mut irql) };
    // SAFETY: the caller's promise.
    let cancel = unsafe { &raw mut (*irp).Cancel };
    // SAFETY: within the packet; drivers read the byte meanwhile.
    unsafe { AtomicU8::from_ptr(cancel) }.store(TRUE, Ordering::SeqCst);
    // SAFETY: the caller's promise.
    let Some(routine) = (unsafe { take_cancel_routine(irp) }) else {
        // SAFETY: acquired above.
        unsafe { IoReleaseCancelSpinLock(irql) };
        return FALSE;
    };
    // SAFETY: whoever takes the routine out owns the packet's cancel fields.
    unsafe { (*irp).CancelIrql = irql };
    // SAFETY: the packet is with the driver that set the routine, so it has a location.
    let location = unsafe { io_get_current_irp_stack_location(irp) };
    // SAFETY: as above.
    let device = unsafe { (*location).DeviceObject };
    // SAFETY: the routine releases the lock, as every one must.
    unsafe { routine(device, irp) };
    TRUE
}

/// IoSetCancelRoutine(NULL).
///
/// # Safety
/// `irp` stays until this returns.
unsafe fn take_cancel_routine(irp: *mut IRP) -> DRIVER_CANCEL {
    // SAFETY: the caller's promise.
    let field = unsafe { &raw mut (*irp).CancelRoutine };
    // SAFETY: within the packet; drivers exchange it meanwhile.
    let before =
        unsafe { AtomicPtr::from_ptr(field.cast::<*mut ()>()) }.swap(std::ptr::null_mut(), Ordering::SeqCst);
    // SAFETY: null is None and anything else was stored from a routine; Option of a function pointer has its layout.
    unsafe { std::mem::transmute::<*mut (), DRIVER_CANCEL>(before) }
}
