//! Deferred procedure calls, run in order by one thread at DISPATCH_LEVEL. Wine takes them and never runs them.
//!
//! A timer's call is run by Wine, below DISPATCH_LEVEL.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "calls live in the driver's memory")]

use std::ffi::c_void;

use skua_engine::abi::nt::{BOOLEAN, FALSE, KDPC, PKDEFERRED_ROUTINE, TRUE};

use crate::host::kernel;

/// KeInitializeDpc.
///
/// # Safety
/// `dpc` is writable and not queued.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeInitializeDpc(
    dpc: *mut KDPC,
    routine: PKDEFERRED_ROUTINE,
    context: *mut c_void,
) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_initialize_dpc(dpc, routine, context) };
}

/// KeInsertQueueDpc.
///
/// # Safety
/// `dpc` is initialised and stays until its routine has run or it is removed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeInsertQueueDpc(
    dpc: *mut KDPC,
    first: *mut c_void,
    second: *mut c_void,
) -> BOOLEAN {
    // SAFETY: the same contract.
    if unsafe { kernel().ke_insert_queue_dpc(dpc, first, second) } { TRUE } else { FALSE }
}

/// KeRemoveQueueDpc.
///
/// # Safety
/// `dpc` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN {
    // SAFETY: the same contract.
    if unsafe { kernel().ke_remove_queue_dpc(dpc) } { TRUE } else { FALSE }
}

/// KeFlushQueuedDpcs: returns when what was queued has run.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeFlushQueuedDpcs() {
    kernel().ke_flush_queued_dpcs();
}

/// KeSetImportanceDpc: order is kept whatever it is.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeSetImportanceDpc(_dpc: *mut KDPC, _importance: i32) {}
