//! Run-down protection: a count of holders, and whether more are let in.

// UNSAFETY: references are reached by address.
#![expect(unsafe_code, reason = "references live in the driver's memory")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use skua_engine::abi::nt::{EX_RUNDOWN_REF, PASSIVE_LEVEL};

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::verifier::{Object, ObjectKind, Rule};

/// Set when the run-down has begun.
const CLOSED: usize = 1;
/// One holder.
const HOLDER: usize = 2;

/// Those who wait, for whichever reference.
static GATE: Mutex<()> = Mutex::new(());
static LEFT: Condvar = Condvar::new();

/// Run-down protection.
impl HostKernel {
    /// ExInitializeRundownProtection.
    ///
    /// # Safety
    /// `reference` is writable.
    pub unsafe fn ex_initialize_rundown_protection(&self, reference: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller's promise.
        unsafe { reference.write(EX_RUNDOWN_REF { Count: 0 }) };
    }

    /// ExReInitializeRundownProtection.
    ///
    /// # Safety
    /// `reference` is initialised.
    pub unsafe fn ex_re_initialize_rundown_protection(&self, reference: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller's promise.
        if unsafe { word(reference) }.swap(0, Ordering::SeqCst) != CLOSED {
            let what = format!("ExReInitializeRundownProtection of {reference:p}, which is not run down");
            self.breach(Rule::RundownMisused, Object::at(ObjectKind::Rundown, reference), what);
        }
    }

    /// ExAcquireRundownProtectionEx: whether `count` holds were got.
    ///
    /// # Safety
    /// `reference` is initialised.
    pub unsafe fn ex_acquire_rundown_protection(&self, reference: *mut EX_RUNDOWN_REF, count: u32) -> bool {
        let more = HOLDER * count as usize;
        // SAFETY: the caller's promise.
        let word = unsafe { word(reference) };
        let acquired = word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |value| {
            (value & CLOSED == 0).then_some(value + more)
        });
        acquired.is_ok()
    }

    /// ExReleaseRundownProtectionEx.
    ///
    /// # Safety
    /// The caller acquired `reference` so often.
    pub unsafe fn ex_release_rundown_protection(&self, reference: *mut EX_RUNDOWN_REF, count: u32) {
        let fewer = HOLDER * count as usize;
        // Held until the word was changed and who waits was told: whoever waits frees the reference.
        let gate = hold(&GATE);
        // SAFETY: the caller's promise.
        let word = unsafe { word(reference) };
        let released =
            word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |value| value.checked_sub(fewer));
        if released.is_ok_and(|before| before - fewer == CLOSED) {
            LEFT.notify_all();
        }
        drop(gate);
        if released.is_err() {
            let what = format!("ExReleaseRundownProtection of {reference:p}, which is not held");
            self.breach(Rule::RundownMisused, Object::at(ObjectKind::Rundown, reference), what);
        }
    }

    /// ExWaitForRundownProtectionRelease.
    ///
    /// # Safety
    /// `reference` is initialised.
    pub unsafe fn ex_wait_for_rundown_protection_release(&self, reference: *mut EX_RUNDOWN_REF) {
        if !self.require_at_most("ExWaitForRundownProtectionRelease", PASSIVE_LEVEL) {
            return;
        }
        // SAFETY: the caller's promise.
        let word = unsafe { word(reference) };
        let mut gate = hold(&GATE);
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
    pub unsafe fn ex_rundown_completed(&self, reference: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller's promise.
        unsafe { word(reference) }.store(CLOSED, Ordering::SeqCst);
    }
}

/// # Safety
/// `reference` lives as long as what is returned is used.
unsafe fn word<'a>(reference: *mut EX_RUNDOWN_REF) -> &'a AtomicUsize {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*reference).Count };
    // SAFETY: only these routines access it.
    unsafe { AtomicUsize::from_ptr(count) }
}
