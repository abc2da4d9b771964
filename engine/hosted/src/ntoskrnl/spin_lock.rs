//! Spin locks: a word of the driver's, taken at DISPATCH_LEVEL.

// UNSAFETY: locks are reached by address.
#![expect(unsafe_code, reason = "locks live in the driver's memory")]

use std::sync::atomic::{AtomicUsize, Ordering};

use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL, KSPIN_LOCK};

use crate::HostKernel;
use crate::verifier::{Object, ObjectKind, Rule};

const FREE: usize = 0;
const HELD: usize = 1;

/// KLOCK_QUEUE_HANDLE.
#[repr(C)]
pub struct KLOCK_QUEUE_HANDLE {
    /// `LockQueue.Next`: unused.
    pub next: usize,
    /// `LockQueue.Lock`.
    pub lock: *mut KSPIN_LOCK,
    /// The level before.
    pub old_irql: KIRQL,
}

/// Spin locks.
impl HostKernel {
    /// KeAcquireSpinLockRaiseToDpc: what KeAcquireSpinLock is on x64.
    ///
    /// # Safety
    /// `lock` is a spin lock that lives until it is released.
    pub unsafe fn ke_acquire_spin_lock_raise_to_dpc(&self, lock: *mut KSPIN_LOCK) -> KIRQL {
        let before = self.kf_raise_irql(DISPATCH_LEVEL);
        // SAFETY: the caller's promise.
        unsafe { acquire(lock) };
        before
    }

    /// KeReleaseSpinLock.
    ///
    /// # Safety
    /// `lock` is a spin lock; the thread holds it, and `new_irql` is the level from before it did.
    pub unsafe fn ke_release_spin_lock(&self, lock: *mut KSPIN_LOCK, new_irql: KIRQL) {
        self.require_dispatch("KeReleaseSpinLock");
        // SAFETY: the caller's promise.
        unsafe { self.release(lock, "KeReleaseSpinLock") };
        self.kf_lower_irql(new_irql);
    }

    /// KeAcquireSpinLockAtDpcLevel.
    ///
    /// # Safety
    /// As for [`HostKernel::ke_acquire_spin_lock_raise_to_dpc`].
    pub unsafe fn ke_acquire_spin_lock_at_dpc_level(&self, lock: *mut KSPIN_LOCK) {
        self.require_dispatch("KeAcquireSpinLockAtDpcLevel");
        // SAFETY: the caller's promise.
        unsafe { acquire(lock) };
    }

    /// KeTryToAcquireSpinLockAtDpcLevel.
    ///
    /// # Safety
    /// As for [`HostKernel::ke_acquire_spin_lock_raise_to_dpc`].
    pub unsafe fn ke_try_to_acquire_spin_lock_at_dpc_level(&self, lock: *mut KSPIN_LOCK) -> bool {
        self.require_dispatch("KeTryToAcquireSpinLockAtDpcLevel");
        // SAFETY: the caller's promise.
        unsafe { try_acquire(lock) }
    }

    /// KeReleaseSpinLockFromDpcLevel.
    ///
    /// # Safety
    /// `lock` is a spin lock, and the thread holds it.
    pub unsafe fn ke_release_spin_lock_from_dpc_level(&self, lock: *mut KSPIN_LOCK) {
        self.require_dispatch("KeReleaseSpinLockFromDpcLevel");
        // SAFETY: the caller's promise.
        unsafe { self.release(lock, "KeReleaseSpinLockFromDpcLevel") };
    }

    /// KeAcquireInStackQueuedSpinLock. Waiters do not queue here.
    ///
    /// # Safety
    /// As for [`HostKernel::ke_acquire_spin_lock_raise_to_dpc`]; `handle` is writable.
    pub unsafe fn ke_acquire_in_stack_queued_spin_lock(
        &self,
        lock: *mut KSPIN_LOCK,
        handle: *mut KLOCK_QUEUE_HANDLE,
    ) {
        // SAFETY: the same contract.
        let old_irql = unsafe { self.ke_acquire_spin_lock_raise_to_dpc(lock) };
        // SAFETY: the caller's promise.
        unsafe { handle.write(KLOCK_QUEUE_HANDLE { next: 0, lock, old_irql }) };
    }

    /// KeReleaseInStackQueuedSpinLock.
    ///
    /// # Safety
    /// The thread acquired with `handle`.
    pub unsafe fn ke_release_in_stack_queued_spin_lock(&self, handle: *mut KLOCK_QUEUE_HANDLE) {
        // SAFETY: the caller's promise.
        let handle = unsafe { handle.read() };
        // SAFETY: the caller's promise.
        unsafe { self.ke_release_spin_lock(handle.lock, handle.old_irql) };
    }

    /// KeAcquireInStackQueuedSpinLockAtDpcLevel.
    ///
    /// # Safety
    /// As for [`HostKernel::ke_acquire_in_stack_queued_spin_lock`].
    pub unsafe fn ke_acquire_in_stack_queued_spin_lock_at_dpc_level(
        &self,
        lock: *mut KSPIN_LOCK,
        handle: *mut KLOCK_QUEUE_HANDLE,
    ) {
        // SAFETY: the same contract.
        unsafe { self.ke_acquire_spin_lock_at_dpc_level(lock) };
        // SAFETY: the caller's promise.
        unsafe { handle.write(KLOCK_QUEUE_HANDLE { next: 0, lock, old_irql: DISPATCH_LEVEL }) };
    }

    /// KeReleaseInStackQueuedSpinLockFromDpcLevel.
    ///
    /// # Safety
    /// The thread acquired with `handle`.
    pub unsafe fn ke_release_in_stack_queued_spin_lock_from_dpc_level(
        &self,
        handle: *mut KLOCK_QUEUE_HANDLE,
    ) {
        // SAFETY: the caller's promise.
        let handle = unsafe { handle.read() };
        // SAFETY: the caller's promise.
        unsafe { self.ke_release_spin_lock_from_dpc_level(handle.lock) };
    }

    /// # Safety
    /// `lock` is a spin lock.
    unsafe fn release(&self, lock: *mut KSPIN_LOCK, routine: &str) {
        // SAFETY: the caller's promise; only spin lock routines access it.
        if unsafe { AtomicUsize::from_ptr(lock) }.swap(FREE, Ordering::Release) == FREE {
            let message = format!("{routine} of the lock at {lock:p}, which is free");
            self.breach(Rule::SpinLockNotHeld, Object::at(ObjectKind::SpinLock, lock), message);
        }
    }

    pub(super) fn require_dispatch(&self, routine: &str) {
        let level = self.ke_get_current_irql_of_any_height();
        if level < DISPATCH_LEVEL {
            let message = format!("{routine} was called at level {level}, below DISPATCH_LEVEL");
            self.breach(Rule::IrqlTooLow, Object::THREAD, message);
        }
    }
}

/// # Safety
/// `lock` is a spin lock that lives through the call.
unsafe fn acquire(lock: *mut KSPIN_LOCK) {
    // The holder may have been preempted: its virtual processor is a thread like any other.
    // SAFETY: the caller's promise.
    while !unsafe { try_acquire(lock) } {
        std::thread::yield_now();
    }
}

/// # Safety
/// As for [`acquire`].
unsafe fn try_acquire(lock: *mut KSPIN_LOCK) -> bool {
    // SAFETY: the caller's promise; only spin lock routines access it.
    let word = unsafe { AtomicUsize::from_ptr(lock) };
    word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
}
