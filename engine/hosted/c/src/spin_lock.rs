//! Spin locks, exclusive and shared.

// UNSAFETY: exports under NT's names; locks are reached by address.
#![expect(unsafe_code, reason = "locks live in the driver's memory")]

use std::sync::atomic::{AtomicI32, Ordering};

use skua_engine::abi::nt::{BOOLEAN, DISPATCH_LEVEL, KIRQL, KSPIN_LOCK};
use skua_hosted::ntoskrnl::KLOCK_QUEUE_HANDLE;

use crate::host::kernel;
use crate::number::boolean;

routines! {
    /// KeInitializeSpinLock.
    contract fn KeInitializeSpinLock(lock: *mut KSPIN_LOCK) {
        lock.write(0)
    }

    /// KeAcquireSpinLockRaiseToDpc: what KeAcquireSpinLock is on x64.
    contract fn KeAcquireSpinLockRaiseToDpc(lock: *mut KSPIN_LOCK) -> KIRQL {
        kernel().ke_acquire_spin_lock_raise_to_dpc(lock)
    }

    /// KeReleaseSpinLock.
    contract fn KeReleaseSpinLock(lock: *mut KSPIN_LOCK, new_irql: KIRQL) {
        kernel().ke_release_spin_lock(lock, new_irql)
    }

    /// KeAcquireSpinLockAtDpcLevel.
    contract fn KeAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) {
        kernel().ke_acquire_spin_lock_at_dpc_level(lock)
    }

    /// KeReleaseSpinLockFromDpcLevel.
    contract fn KeReleaseSpinLockFromDpcLevel(lock: *mut KSPIN_LOCK) {
        kernel().ke_release_spin_lock_from_dpc_level(lock)
    }

    /// KeTryToAcquireSpinLockAtDpcLevel.
    contract fn KeTryToAcquireSpinLockAtDpcLevel(lock: *mut KSPIN_LOCK) -> BOOLEAN {
        boolean(kernel().ke_try_to_acquire_spin_lock_at_dpc_level(lock))
    }

    /// KeAcquireInStackQueuedSpinLock.
    contract fn KeAcquireInStackQueuedSpinLock(lock: *mut KSPIN_LOCK, handle: *mut KLOCK_QUEUE_HANDLE) {
        kernel().ke_acquire_in_stack_queued_spin_lock(lock, handle)
    }

    /// KeReleaseInStackQueuedSpinLock.
    contract fn KeReleaseInStackQueuedSpinLock(handle: *mut KLOCK_QUEUE_HANDLE) {
        kernel().ke_release_in_stack_queued_spin_lock(handle)
    }

    /// KeAcquireInStackQueuedSpinLockAtDpcLevel.
    contract fn KeAcquireInStackQueuedSpinLockAtDpcLevel(
        lock: *mut KSPIN_LOCK,
        handle: *mut KLOCK_QUEUE_HANDLE,
    ) {
        kernel().ke_acquire_in_stack_queued_spin_lock_at_dpc_level(lock, handle)
    }

    /// KeReleaseInStackQueuedSpinLockFromDpcLevel.
    contract fn KeReleaseInStackQueuedSpinLockFromDpcLevel(handle: *mut KLOCK_QUEUE_HANDLE) {
        kernel().ke_release_in_stack_queued_spin_lock_from_dpc_level(handle)
    }

    /// ExAcquireSpinLockShared.
    contract fn ExAcquireSpinLockShared(lock: *mut i32) -> KIRQL {
        acquire(lock, Side::Shared)
    }

    /// ExReleaseSpinLockShared.
    contract fn ExReleaseSpinLockShared(lock: *mut i32, old_irql: KIRQL) {
        release(lock, Side::Shared, old_irql)
    }

    /// ExAcquireSpinLockExclusive.
    contract fn ExAcquireSpinLockExclusive(lock: *mut i32) -> KIRQL {
        acquire(lock, Side::Exclusive)
    }

    /// ExReleaseSpinLockExclusive.
    contract fn ExReleaseSpinLockExclusive(lock: *mut i32, old_irql: KIRQL) {
        release(lock, Side::Exclusive, old_irql)
    }

    /// ExAcquireSpinLockSharedAtDpcLevel.
    contract fn ExAcquireSpinLockSharedAtDpcLevel(lock: *mut i32) {
        enter(lock, Side::Shared)
    }

    /// ExReleaseSpinLockSharedFromDpcLevel.
    contract fn ExReleaseSpinLockSharedFromDpcLevel(lock: *mut i32) {
        leave(lock, Side::Shared)
    }

    /// ExAcquireSpinLockExclusiveAtDpcLevel.
    contract fn ExAcquireSpinLockExclusiveAtDpcLevel(lock: *mut i32) {
        enter(lock, Side::Exclusive)
    }

    /// ExReleaseSpinLockExclusiveFromDpcLevel.
    contract fn ExReleaseSpinLockExclusiveFromDpcLevel(lock: *mut i32) {
        leave(lock, Side::Exclusive)
    }
}

/// How an EX_SPIN_LOCK is held: by one, or by a count of readers.
#[derive(Clone, Copy)]
enum Side {
    Shared,
    Exclusive,
}

/// The state of a lock that one has to itself.
const WRITER: i32 = i32::MIN;

/// # Safety
/// `lock` is an EX_SPIN_LOCK that lives until it is released.
unsafe fn acquire(lock: *mut i32, side: Side) -> KIRQL {
    let before = kernel().kf_raise_irql(DISPATCH_LEVEL);
    // SAFETY: the caller's promise.
    unsafe { enter(lock, side) };
    before
}

/// # Safety
/// The thread holds `lock` on that side.
unsafe fn release(lock: *mut i32, side: Side, old_irql: KIRQL) {
    // SAFETY: the caller's promise.
    unsafe { leave(lock, side) };
    kernel().kf_lower_irql(old_irql);
}

/// # Safety
/// As for [`acquire`].
unsafe fn enter(lock: *mut i32, side: Side) {
    // SAFETY: the caller's promise; only these functions access it.
    let word = unsafe { AtomicI32::from_ptr(lock) };
    let next = |value: i32| match side {
        Side::Shared => (value >= 0).then(|| value + 1),
        Side::Exclusive => (value == 0).then_some(WRITER),
    };
    // The holder may have been preempted: its virtual processor is a thread like any other.
    while word.fetch_update(Ordering::Acquire, Ordering::Relaxed, next).is_err() {
        std::thread::yield_now();
    }
}

/// # Safety
/// As for [`release`].
unsafe fn leave(lock: *mut i32, side: Side) {
    // SAFETY: the caller's promise; only these functions access it.
    let word = unsafe { AtomicI32::from_ptr(lock) };
    match side {
        Side::Shared => word.fetch_sub(1, Ordering::Release),
        Side::Exclusive => word.fetch_sub(WRITER, Ordering::Release),
    };
}
