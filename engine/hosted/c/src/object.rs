//! Handles and references, of threads.

// UNSAFETY: exports under NT's names; objects are counted by hand.
#![expect(unsafe_code, reason = "objects are reached by address")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use skua_engine::abi::nt::{HANDLE, PASSIVE_LEVEL};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_SUCCESS};
use skua_hosted::ntoskrnl::KernelThread;

use crate::host::kernel;

/// NtCurrentThread.
const CURRENT_THREAD: usize = usize::MAX - 1;

/// The open handles and what they refer to, each with a reference.
static HANDLES: LazyLock<Mutex<HashMap<usize, usize>>> = LazyLock::new(Mutex::default);

/// What `*PsThreadType` and its like point at; only addresses of them are compared.
static TYPES: [u8; 2] = [0; 2];

/// A pointer that C reads.
#[repr(transparent)]
pub(crate) struct Exported(*const *const u8);

// SAFETY: addresses of statics.
unsafe impl Sync for Exported {}

/// The same, one level up.
#[repr(transparent)]
struct Type(*const u8);

// SAFETY: the address of a static.
unsafe impl Sync for Type {}

static THREAD_TYPE: Type = Type(&raw const TYPES[0]);
static PROCESS_TYPE: Type = Type(&raw const TYPES[1]);

/// PsThreadType.
#[unsafe(no_mangle)]
pub(crate) static PsThreadType: Exported = Exported((&raw const THREAD_TYPE).cast());
/// PsProcessType.
#[unsafe(no_mangle)]
pub(crate) static PsProcessType: Exported = Exported((&raw const PROCESS_TYPE).cast());

routines! {
    /// ObReferenceObjectByHandle, of a thread.
    contract fn ObReferenceObjectByHandle(
        handle: HANDLE,
        _access: u32,
        _kind: *mut c_void,
        _mode: i8,
        object: *mut *mut c_void,
        _information: *mut c_void,
    ) -> NTSTATUS {
        reference(handle, object)
    }

    /// ObfReferenceObject. What it returns is of no use, as on Windows.
    contract fn ObfReferenceObject(object: *mut c_void) -> isize {
        kernel().ob_reference_object(object);
        1
    }

    /// ObfDereferenceObject.
    contract fn ObfDereferenceObject(object: *mut c_void) -> isize {
        kernel().ob_dereference_object(object);
        0
    }

    /// ZwClose.
    fn ZwClose(handle: HANDLE) -> NTSTATUS {
        kernel().require_at_most("ZwClose", PASSIVE_LEVEL);
        let Some(thread) = handles().remove(&handle.addr()) else { return STATUS_INVALID_HANDLE };
        // SAFETY: the reference that the handle had.
        unsafe { kernel().ob_dereference_object(ptr::with_exposed_provenance_mut(thread)) };
        STATUS_SUCCESS
    }
}

/// A handle that takes over the caller's reference.
pub(crate) fn open(thread: *mut KernelThread) -> HANDLE {
    let mut handles = handles();
    let number = (1..).map(|number: usize| number * 4).find(|number| !handles.contains_key(number));
    let number = number.unwrap_or_default();
    handles.insert(number, thread.expose_provenance());
    ptr::without_provenance_mut(number)
}

fn handles() -> MutexGuard<'static, HashMap<usize, usize>> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
/// `object` is writable.
unsafe fn reference(handle: HANDLE, object: *mut *mut c_void) -> NTSTATUS {
    kernel().require_at_most("ObReferenceObjectByHandle", PASSIVE_LEVEL);
    let handles = handles();
    let thread: *mut KernelThread = if handle.addr() == CURRENT_THREAD {
        kernel().current_thread()
    } else {
        match handles.get(&handle.addr()) {
            Some(thread) => ptr::with_exposed_provenance_mut(*thread),
            None => return STATUS_INVALID_HANDLE,
        }
    };
    // SAFETY: the handle has a reference while the table is locked, or it is this thread.
    unsafe { kernel().ob_reference_object(thread.cast()) };
    // SAFETY: the caller's promise.
    unsafe { object.write(thread.cast()) };
    STATUS_SUCCESS
}
