//! Spin locks: a word of the driver's, taken at DISPATCH_LEVEL. Wine's have the same word and no level.

// UNSAFETY: exports under NT's names; locks are reached by address.
#![expect(unsafe_code, reason = "locks live in the driver's memory")]

use skua_engine::abi::nt::{KIRQL, KSPIN_LOCK};
use skua_hosted::ntoskrnl::KLOCK_QUEUE_HANDLE;

use crate::host::kernel;

/// KeInitializeSpinLock.
///
/// # Safety
/// `lock` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
    // SAFETY: the caller's promise.
    unsafe { lock.write(0) };
}

/// KeAcquireSpinLockRaiseToDpc: what KeAcquireSpinLock is on x64.
///
/// # Safety
/// `lock` is a spin lock that lives until it is released.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeAcquireSpinLockRaiseToDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
    // SAFETY: the same contract.
    unsafe { kernel().ke_acquire_spin_lock_raise_to_dpc(lock) }
}

/// KeReleaseSpinLock.
///
/// # Safety
/// The thread holds `lock`, and `new_irql` is the level from before it did.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseSpinLock(lock: *mut KSPIN_LOCK, new_irql: KIRQL) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_release_spin_lock(lock, new_irql) };
}

/// KeAcquireSpinLockAtDpcLevel.
///
/// # Safety
/// As for [`KeAcquireSpinLockRaiseToDpc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_acquire_spin_lock_at_dpc_level(lock) };
}

/// KeReleaseSpinLockFromDpcLevel.
///
/// # Safety
/// The thread holds `lock`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseSpinLockFromDpcLevel(lock: *mut KSPIN_LOCK) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_release_spin_lock_from_dpc_level(lock) };
}

/// KefAcquireSpinLockAtDpcLevel.
///
/// # Safety
/// As for [`KeAcquireSpinLockRaiseToDpc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KefAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) {
    // SAFETY: the same contract.
    unsafe { KeAcquireSpinLockAtDpcLevel(lock) };
}

/// KefReleaseSpinLockFromDpcLevel.
///
/// # Safety
/// The thread holds `lock`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KefReleaseSpinLockFromDpcLevel(lock: *mut KSPIN_LOCK) {
    // SAFETY: the same contract.
    unsafe { KeReleaseSpinLockFromDpcLevel(lock) };
}

/// KeAcquireInStackQueuedSpinLock. Waiters do not queue here.
///
/// # Safety
/// As for [`KeAcquireSpinLockRaiseToDpc`]; `handle` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeAcquireInStackQueuedSpinLock(
    lock: *mut KSPIN_LOCK,
    handle: *mut KLOCK_QUEUE_HANDLE,
) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_acquire_in_stack_queued_spin_lock(lock, handle) };
}

/// KeReleaseInStackQueuedSpinLock.
///
/// # Safety
/// The thread acquired with `handle`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseInStackQueuedSpinLock(handle: *mut KLOCK_QUEUE_HANDLE) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_release_in_stack_queued_spin_lock(handle) };
}

/// KeAcquireInStackQueuedSpinLockAtDpcLevel.
///
/// # Safety
/// As for [`KeAcquireInStackQueuedSpinLock`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeAcquireInStackQueuedSpinLockAtDpcLevel(
    lock: *mut KSPIN_LOCK,
    handle: *mut KLOCK_QUEUE_HANDLE,
) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_acquire_in_stack_queued_spin_lock_at_dpc_level(lock, handle) };
}

/// KeReleaseInStackQueuedSpinLockFromDpcLevel.
///
/// # Safety
/// The thread acquired with `handle`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseInStackQueuedSpinLockFromDpcLevel(handle: *mut KLOCK_QUEUE_HANDLE) {
    // SAFETY: the same contract.
    unsafe { kernel().ke_release_in_stack_queued_spin_lock_from_dpc_level(handle) };
}
