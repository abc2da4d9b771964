//! Events, semaphores, mutexes, and waiting.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "dispatcher objects live in the driver's memory")]

use std::ffi::c_void;

use skua_engine::abi::nt::{BOOLEAN, EVENT_TYPE, KEVENT, KMUTEX, KSEMAPHORE, WAIT_TYPE, WaitAll};
use skua_engine::abi::status::NTSTATUS;

use crate::host::kernel;
use crate::number::timeout;

routines! {
    /// KeInitializeEvent.
    contract fn KeInitializeEvent(event: *mut KEVENT, kind: EVENT_TYPE, state: BOOLEAN) {
        kernel().ke_initialize_event_of(event, kind, state != 0)
    }

    /// KeSetEvent. `wait` announces a wait, which comes all the same.
    contract fn KeSetEvent(event: *mut KEVENT, _increment: i32, _wait: BOOLEAN) -> i32 {
        kernel().ke_set_event_of(event)
    }

    /// KeClearEvent.
    contract fn KeClearEvent(event: *mut KEVENT) {
        kernel().ke_reset_event(event);
    }

    /// KeResetEvent.
    contract fn KeResetEvent(event: *mut KEVENT) -> i32 {
        kernel().ke_reset_event(event)
    }

    /// KeReadStateEvent.
    contract fn KeReadStateEvent(event: *mut KEVENT) -> i32 {
        kernel().ke_read_state(event.cast())
    }

    /// KeInitializeSemaphore.
    contract fn KeInitializeSemaphore(semaphore: *mut KSEMAPHORE, count: i32, limit: i32) {
        kernel().ke_initialize_semaphore(semaphore, count, limit)
    }

    /// KeReleaseSemaphore.
    contract fn KeReleaseSemaphore(
        semaphore: *mut KSEMAPHORE,
        _increment: i32,
        adjustment: i32,
        _wait: BOOLEAN,
    ) -> i32 {
        kernel().ke_release_semaphore(semaphore, adjustment)
    }

    /// KeReadStateSemaphore.
    contract fn KeReadStateSemaphore(semaphore: *mut KSEMAPHORE) -> i32 {
        kernel().ke_read_state(semaphore.cast())
    }

    /// KeInitializeMutex.
    contract fn KeInitializeMutex(mutex: *mut KMUTEX, _level: u32) {
        kernel().ke_initialize_mutex(mutex)
    }

    /// KeReleaseMutex.
    contract fn KeReleaseMutex(mutex: *mut KMUTEX, _wait: BOOLEAN) -> i32 {
        kernel().ke_release_mutex(mutex)
    }

    /// KeReadStateMutex.
    contract fn KeReadStateMutex(mutex: *mut KMUTEX) -> i32 {
        kernel().ke_read_state(mutex.cast())
    }

    /// KeWaitForSingleObject.
    contract fn KeWaitForSingleObject(
        object: *mut c_void,
        _reason: i32,
        _mode: i8,
        _alertable: BOOLEAN,
        time: *mut i64,
    ) -> NTSTATUS {
        wait(&[object], false, time)
    }

    /// KeWaitForMultipleObjects.
    contract fn KeWaitForMultipleObjects(
        count: u32,
        objects: *mut *mut c_void,
        kind: WAIT_TYPE,
        _reason: i32,
        _mode: i8,
        _alertable: BOOLEAN,
        time: *mut i64,
        _blocks: *mut c_void,
    ) -> NTSTATUS {
        wait(std::slice::from_raw_parts(objects, count as usize), kind == WaitAll, time)
    }

    /// KeDelayExecutionThread.
    contract fn KeDelayExecutionThread(_mode: i8, _alertable: BOOLEAN, interval: *mut i64) -> NTSTATUS {
        kernel().ke_delay_execution_thread(timeout(interval).unwrap_or(0))
    }
}

/// # Safety
/// The objects are readable, and `time` is null or readable.
unsafe fn wait(objects: &[*mut c_void], all: bool, time: *const i64) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let timeout = unsafe { timeout(time) };
    // SAFETY: the caller's promise.
    unsafe { kernel().ke_wait_for_multiple_objects(objects, all, timeout) }
}
