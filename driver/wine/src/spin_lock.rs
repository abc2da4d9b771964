//! Spin locks: a word of the driver's, taken at DISPATCH_LEVEL. Wine's have the same word and no level.

// UNSAFETY: exports under NT's names; locks are reached by address.
#![expect(unsafe_code, reason = "locks live in the driver's memory")]

use std::sync::atomic::{AtomicUsize, Ordering};

use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL, KSPIN_LOCK};

use crate::{level, report};

const FREE: usize = 0;
const HELD: usize = 1;

/// KLOCK_QUEUE_HANDLE.
#[repr(C)]
pub(crate) struct KLOCK_QUEUE_HANDLE {
    /// `LockQueue.Next`: unused.
    pub(crate) next: usize,
    /// `LockQueue.Lock`.
    pub(crate) lock: *mut KSPIN_LOCK,
    /// The level before.
    pub(crate) old_irql: KIRQL,
}

/// # Safety
/// `lock` is a spin lock that lives through the call.
unsafe fn acquire(lock: *mut KSPIN_LOCK) {
    // SAFETY: the caller's promise; only spin lock routines access it.
    let word = unsafe { AtomicUsize::from_ptr(lock) };
    // The holder may have been preempted: its virtual processor is a thread like any other.
    while word.compare_exchange_weak(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
}

/// # Safety
/// As for [`acquire`].
unsafe fn release(lock: *mut KSPIN_LOCK, routine: &str) {
    // SAFETY: the caller's promise; only spin lock routines access it.
    if unsafe { AtomicUsize::from_ptr(lock) }.swap(FREE, Ordering::Release) == FREE {
        report::violation(format_args!("{routine} of the lock at {lock:p}, which is free"));
    }
}

fn require_dispatch(routine: &str) {
    let level = level::current();
    if level < DISPATCH_LEVEL {
        report::violation(format_args!("{routine} at level {level}, below DISPATCH_LEVEL"));
    }
}

/// KeInitializeSpinLock.
///
/// # Safety
/// `lock` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
    // SAFETY: the caller's promise.
    unsafe { lock.write(FREE) };
}

/// KeAcquireSpinLockRaiseToDpc: what KeAcquireSpinLock is on x64.
///
/// # Safety
/// `lock` is a spin lock that lives until it is released.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeAcquireSpinLockRaiseToDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
    let before = level::raise(DISPATCH_LEVEL);
    // SAFETY: the caller's promise.
    unsafe { acquire(lock) };
    before
}

/// KeReleaseSpinLock.
///
/// # Safety
/// The thread holds `lock`, and `new_irql` is the level from before it did.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseSpinLock(lock: *mut KSPIN_LOCK, new_irql: KIRQL) {
    require_dispatch("KeReleaseSpinLock");
    // SAFETY: the caller's promise.
    unsafe { release(lock, "KeReleaseSpinLock") };
    level::lower(new_irql);
}

/// KeAcquireSpinLockAtDpcLevel.
///
/// # Safety
/// As for [`KeAcquireSpinLockRaiseToDpc`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) {
    require_dispatch("KeAcquireSpinLockAtDpcLevel");
    // SAFETY: the caller's promise.
    unsafe { acquire(lock) };
}

/// KeReleaseSpinLockFromDpcLevel.
///
/// # Safety
/// The thread holds `lock`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseSpinLockFromDpcLevel(lock: *mut KSPIN_LOCK) {
    require_dispatch("KeReleaseSpinLockFromDpcLevel");
    // SAFETY: the caller's promise.
    unsafe { release(lock, "KeReleaseSpinLockFromDpcLevel") };
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
    let old_irql = unsafe { KeAcquireSpinLockRaiseToDpc(lock) };
    // SAFETY: the caller's promise.
    unsafe { handle.write(KLOCK_QUEUE_HANDLE { next: 0, lock, old_irql }) };
}

/// KeReleaseInStackQueuedSpinLock.
///
/// # Safety
/// The thread acquired with `handle`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseInStackQueuedSpinLock(handle: *mut KLOCK_QUEUE_HANDLE) {
    // SAFETY: the caller's promise.
    let handle = unsafe { handle.read() };
    // SAFETY: the caller's promise.
    unsafe { KeReleaseSpinLock(handle.lock, handle.old_irql) };
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
    unsafe { KeAcquireSpinLockAtDpcLevel(lock) };
    // SAFETY: the caller's promise.
    unsafe { handle.write(KLOCK_QUEUE_HANDLE { next: 0, lock, old_irql: DISPATCH_LEVEL }) };
}

/// KeReleaseInStackQueuedSpinLockFromDpcLevel.
///
/// # Safety
/// The thread acquired with `handle`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeReleaseInStackQueuedSpinLockFromDpcLevel(handle: *mut KLOCK_QUEUE_HANDLE) {
    // SAFETY: the caller's promise.
    let handle = unsafe { handle.read() };
    // SAFETY: the caller's promise.
    unsafe { KeReleaseSpinLockFromDpcLevel(handle.lock) };
}
