//! Run-down protection, of which Wine has no more than the names.

// UNSAFETY: exports under NT's names; references are reached by address.
#![expect(unsafe_code, reason = "references live in the driver's memory")]

use skua_engine::abi::nt::{BOOLEAN, EX_RUNDOWN_REF, FALSE, TRUE};

use crate::host::kernel;

/// ExInitializeRundownProtection.
///
/// # Safety
/// `reference` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExInitializeRundownProtection(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the same contract.
    unsafe { kernel().ex_initialize_rundown_protection(reference) };
}

/// ExReInitializeRundownProtection.
///
/// # Safety
/// `reference` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExReInitializeRundownProtection(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the same contract.
    unsafe { kernel().ex_re_initialize_rundown_protection(reference) };
}

/// ExAcquireRundownProtection.
///
/// # Safety
/// `reference` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExAcquireRundownProtection(reference: *mut EX_RUNDOWN_REF) -> BOOLEAN {
    // SAFETY: the same contract.
    unsafe { ExAcquireRundownProtectionEx(reference, 1) }
}

/// ExAcquireRundownProtectionEx.
///
/// # Safety
/// `reference` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExAcquireRundownProtectionEx(
    reference: *mut EX_RUNDOWN_REF,
    count: u32,
) -> BOOLEAN {
    // SAFETY: the same contract.
    if unsafe { kernel().ex_acquire_rundown_protection(reference, count) } { TRUE } else { FALSE }
}

/// ExReleaseRundownProtection.
///
/// # Safety
/// The caller acquired `reference`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExReleaseRundownProtection(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the same contract.
    unsafe { ExReleaseRundownProtectionEx(reference, 1) };
}

/// ExReleaseRundownProtectionEx.
///
/// # Safety
/// The caller acquired `reference` so often.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExReleaseRundownProtectionEx(reference: *mut EX_RUNDOWN_REF, count: u32) {
    // SAFETY: the same contract.
    unsafe { kernel().ex_release_rundown_protection(reference, count) };
}

/// ExWaitForRundownProtectionRelease.
///
/// # Safety
/// `reference` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExWaitForRundownProtectionRelease(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the same contract.
    unsafe { kernel().ex_wait_for_rundown_protection_release(reference) };
}

/// ExRundownCompleted.
///
/// # Safety
/// `reference` is run down.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExRundownCompleted(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the same contract.
    unsafe { kernel().ex_rundown_completed(reference) };
}
