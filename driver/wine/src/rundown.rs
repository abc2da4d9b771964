//! Run-down protection, of which Wine has no more than the names.

// UNSAFETY: exports under NT's names; references are reached by address.
#![expect(unsafe_code, reason = "references live in the driver's memory")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use skua_engine::abi::nt::{BOOLEAN, EX_RUNDOWN_REF, FALSE, PASSIVE_LEVEL, TRUE};

use crate::{level, report};

/// Set when the run-down has begun.
const CLOSED: usize = 1;
/// One holder.
const HOLDER: usize = 2;

/// Those who wait, for whichever reference.
static GATE: Mutex<()> = Mutex::new(());
static LEFT: Condvar = Condvar::new();

/// # Safety
/// `reference` lives as long as what is returned is used.
unsafe fn word<'a>(reference: *mut EX_RUNDOWN_REF) -> &'a AtomicUsize {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*reference).Count };
    // SAFETY: only these routines access it.
    unsafe { AtomicUsize::from_ptr(count) }
}

/// ExInitializeRundownProtection.
///
/// # Safety
/// `reference` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExInitializeRundownProtection(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the caller's promise.
    unsafe { reference.write(EX_RUNDOWN_REF { Count: 0 }) };
}

/// ExReInitializeRundownProtection.
///
/// # Safety
/// `reference` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExReInitializeRundownProtection(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the caller's promise.
    let before = unsafe { word(reference) }.swap(0, Ordering::SeqCst);
    if before != CLOSED {
        report::violation(format_args!(
            "ExReInitializeRundownProtection of {reference:p}, which is not run down"
        ));
    }
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
    let more = HOLDER * count as usize;
    // SAFETY: the caller's promise.
    let word = unsafe { word(reference) };
    let acquired = word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |value| {
        (value & CLOSED == 0).then_some(value + more)
    });
    if acquired.is_ok() { TRUE } else { FALSE }
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
    let fewer = HOLDER * count as usize;
    // Held until the word was changed and who waits was told: whoever waits frees the reference.
    let gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise.
    let word = unsafe { word(reference) };
    let released = word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |value| value.checked_sub(fewer));
    match released {
        Ok(before) if before - fewer == CLOSED => LEFT.notify_all(),
        Ok(_) => {}
        Err(_) => {
            report::violation(format_args!("ExReleaseRundownProtection of {reference:p}, which is not held"))
        }
    }
    drop(gate);
}

/// ExWaitForRundownProtectionRelease.
///
/// # Safety
/// `reference` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExWaitForRundownProtectionRelease(reference: *mut EX_RUNDOWN_REF) {
    if !level::require("ExWaitForRundownProtectionRelease", PASSIVE_LEVEL) {
        return;
    }
    // SAFETY: the caller's promise.
    let word = unsafe { word(reference) };
    let mut gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
    word.fetch_or(CLOSED, Ordering::SeqCst);
    while word.load(Ordering::SeqCst) != CLOSED {
        gate = LEFT.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    drop(gate);
}

/// ExRundownCompleted.
///
/// # Safety
/// `reference` is run down.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExRundownCompleted(reference: *mut EX_RUNDOWN_REF) {
    // SAFETY: the caller's promise.
    unsafe { word(reference) }.store(CLOSED, Ordering::SeqCst);
}
