//! Locks that threads wait for: fast and guarded mutexes, push locks, resources.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "locks live in the driver's memory")]

use std::ffi::c_void;
use std::sync::{Condvar, Mutex, PoisonError};

use skua_engine::abi::nt::{APC_LEVEL, BOOLEAN, FAST_MUTEX, KSPIN_LOCK, LIST_ENTRY};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::zeroed;

use crate::host::kernel;
use crate::number::boolean;

routines! {
    /// ExInitializeFastMutex.
    contract fn ExInitializeFastMutex(mutex: *mut FAST_MUTEX) {
        kernel().ex_initialize_fast_mutex(mutex)
    }

    /// ExAcquireFastMutex.
    contract fn ExAcquireFastMutex(mutex: *mut FAST_MUTEX) {
        kernel().ex_acquire_fast_mutex(mutex, APC_LEVEL)
    }

    /// ExTryToAcquireFastMutex.
    contract fn ExTryToAcquireFastMutex(mutex: *mut FAST_MUTEX) -> BOOLEAN {
        boolean(kernel().ex_try_to_acquire_fast_mutex(mutex))
    }

    /// ExReleaseFastMutex.
    contract fn ExReleaseFastMutex(mutex: *mut FAST_MUTEX) {
        kernel().ex_release_fast_mutex(mutex)
    }

    /// ExAcquireFastMutexUnsafe: stays at its level.
    contract fn ExAcquireFastMutexUnsafe(mutex: *mut FAST_MUTEX) {
        kernel().ex_acquire_fast_mutex(mutex, kernel().ke_get_current_irql_of_any_height())
    }

    /// ExReleaseFastMutexUnsafe.
    contract fn ExReleaseFastMutexUnsafe(mutex: *mut FAST_MUTEX) {
        kernel().ex_release_fast_mutex(mutex)
    }

    /// ExInitializePushLock.
    contract fn ExInitializePushLock(lock: *mut usize) {
        lock.write(0)
    }

    /// ExAcquirePushLockExclusiveEx.
    contract fn ExAcquirePushLockExclusiveEx(lock: *mut usize, _flags: u32) {
        kernel().ex_acquire_push_lock_exclusive(lock)
    }

    /// ExReleasePushLockExclusiveEx.
    contract fn ExReleasePushLockExclusiveEx(lock: *mut usize, _flags: u32) {
        kernel().ex_release_push_lock(lock)
    }

    /// ExAcquirePushLockSharedEx.
    contract fn ExAcquirePushLockSharedEx(lock: *mut usize, _flags: u32) {
        kernel().ex_acquire_push_lock_shared(lock)
    }

    /// ExReleasePushLockSharedEx.
    contract fn ExReleasePushLockSharedEx(lock: *mut usize, _flags: u32) {
        kernel().ex_release_push_lock(lock)
    }

    /// ExReleasePushLockEx.
    contract fn ExReleasePushLockEx(lock: *mut usize, _flags: u32) {
        kernel().ex_release_push_lock(lock)
    }

    /// ExInitializeResourceLite.
    contract fn ExInitializeResourceLite(resource: *mut Resource) -> NTSTATUS {
        resource.write(zeroed_resource());
        STATUS_SUCCESS
    }

    /// ExDeleteResourceLite.
    contract fn ExDeleteResourceLite(resource: *mut Resource) -> NTSTATUS {
        resource.write(zeroed_resource());
        STATUS_SUCCESS
    }

    /// ExAcquireResourceExclusiveLite.
    contract fn ExAcquireResourceExclusiveLite(resource: *mut Resource, wait: BOOLEAN) -> BOOLEAN {
        boolean(acquire(resource, true, wait != 0))
    }

    /// ExAcquireResourceSharedLite.
    contract fn ExAcquireResourceSharedLite(resource: *mut Resource, wait: BOOLEAN) -> BOOLEAN {
        boolean(acquire(resource, false, wait != 0))
    }

    /// ExReleaseResourceLite.
    contract fn ExReleaseResourceLite(resource: *mut Resource) {
        release(resource)
    }
}

/// ERESOURCE: `owner_thread` has it exclusively `owner_count` times, or `active_entries` share it.
#[repr(C)]
pub(crate) struct Resource {
    list: LIST_ENTRY,
    owner_table: *mut c_void,
    active_count: i16,
    flag: u16,
    shared_waiters: *mut c_void,
    exclusive_waiters: *mut c_void,
    owner_thread: usize,
    owner_count: u32,
    active_entries: u32,
    contention_count: u32,
    number_of_shared_waiters: u32,
    number_of_exclusive_waiters: u32,
    reserved: *mut c_void,
    address: *mut c_void,
    lock: KSPIN_LOCK,
}

/// Those who wait, for whichever resource.
static GATE: Mutex<()> = Mutex::new(());
static LEFT: Condvar = Condvar::new();

fn zeroed_resource() -> Resource {
    let none = std::ptr::null_mut();
    Resource {
        list: zeroed(),
        owner_table: none,
        active_count: 0,
        flag: 0,
        shared_waiters: none,
        exclusive_waiters: none,
        owner_thread: 0,
        owner_count: 0,
        active_entries: 0,
        contention_count: 0,
        number_of_shared_waiters: 0,
        number_of_exclusive_waiters: 0,
        reserved: none,
        address: none,
        lock: 0,
    }
}

/// # Safety
/// `resource` is initialised.
unsafe fn acquire(resource: *mut Resource, exclusive: bool, wait: bool) -> bool {
    if wait && !kernel().require_at_most("ExAcquireResourceLite", APC_LEVEL) {
        return false;
    }
    let me = kernel().current_thread().addr();
    let mut gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // SAFETY: the caller's promise; the gate is held.
        let state = unsafe { &mut *resource };
        if state.owner_thread == me {
            state.owner_count += 1;
            return true;
        }
        if state.owner_thread == 0 && (!exclusive || state.active_entries == 0) {
            if exclusive {
                (state.owner_thread, state.owner_count) = (me, 1);
            } else {
                state.active_entries += 1;
            }
            return true;
        }
        if !wait {
            return false;
        }
        gate = LEFT.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
}

/// # Safety
/// `resource` is initialised.
unsafe fn release(resource: *mut Resource) {
    let gate = GATE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise; the gate is held.
    let state = unsafe { &mut *resource };
    if state.owner_thread == kernel().current_thread().addr() {
        state.owner_count -= 1;
        if state.owner_count == 0 {
            state.owner_thread = 0;
        }
    } else if state.active_entries > 0 {
        state.active_entries -= 1;
    }
    LEFT.notify_all();
    drop(gate);
}
