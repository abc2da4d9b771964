//! System threads.

// UNSAFETY: exports under NT's names; calls the driver's routines.
#![expect(unsafe_code, reason = "threads run the driver's routines")]

use std::ffi::c_void;

use skua_engine::abi::nt::{BOOLEAN, HANDLE, PASSIVE_LEVEL, PEPROCESS, TRUE};
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};
use skua_hosted::ntoskrnl::KernelThread;

use crate::host::kernel;
use crate::object;

/// PKSTART_ROUTINE. PsTerminateSystemThread unwinds it.
type Start = unsafe extern "C-unwind" fn(*mut c_void);

/// CLIENT_ID.
#[repr(C)]
pub(crate) struct CLIENT_ID {
    process: HANDLE,
    thread: HANDLE,
}

/// GROUP_AFFINITY.
#[repr(C)]
pub(crate) struct GROUP_AFFINITY {
    mask: usize,
    group: u16,
    reserved: [u16; 3],
}

routines! {
    /// PsCreateSystemThread.
    contract fn PsCreateSystemThread(
        handle: *mut HANDLE,
        _access: u32,
        _attributes: *mut c_void,
        _process: HANDLE,
        client: *mut CLIENT_ID,
        routine: Option<Start>,
        context: *mut c_void,
    ) -> NTSTATUS {
        create(handle, client, routine, context)
    }

    /// IoCreateSystemThread.
    contract fn IoCreateSystemThread(
        _object: *mut c_void,
        handle: *mut HANDLE,
        _access: u32,
        _attributes: *mut c_void,
        _process: HANDLE,
        client: *mut CLIENT_ID,
        routine: Option<Start>,
        context: *mut c_void,
    ) -> NTSTATUS {
        create(handle, client, routine, context)
    }

    /// KeGetCurrentThread.
    fn KeGetCurrentThread() -> *mut KernelThread {
        kernel().current_thread()
    }

    /// IoIsSystemThread.
    fn IoIsSystemThread(_thread: *mut KernelThread) -> BOOLEAN {
        TRUE
    }

    /// KeSetPriorityThread: the host schedules.
    fn KeSetPriorityThread(_thread: *mut KernelThread, priority: i32) -> i32 {
        priority
    }

    /// KeSetSystemAffinityThreadEx: the host schedules.
    fn KeSetSystemAffinityThreadEx(_affinity: usize) -> usize {
        0
    }

    /// KeRevertToUserAffinityThreadEx.
    fn KeRevertToUserAffinityThreadEx(_affinity: usize) {}

    /// KeSetSystemGroupAffinityThread.
    contract fn KeSetSystemGroupAffinityThread(
        _affinity: *mut GROUP_AFFINITY,
        previous: *mut GROUP_AFFINITY,
    ) {
        if !previous.is_null() {
            previous.write(GROUP_AFFINITY { mask: 0, group: 0, reserved: [0; 3] });
        }
    }

    /// KeRevertToUserGroupAffinityThread.
    fn KeRevertToUserGroupAffinityThread(_previous: *mut GROUP_AFFINITY) {}

    /// PsGetCurrentThreadId.
    fn PsGetCurrentThreadId() -> HANDLE {
        // SAFETY: it has no precondition.
        let id = unsafe { libc::gettid() };
        std::ptr::without_provenance_mut(usize::try_from(id).unwrap_or_default())
    }

    /// IoGetCurrentProcess.
    fn IoGetCurrentProcess() -> PEPROCESS {
        kernel().io_get_current_process()
    }

    /// What PsInitialSystemProcess is.
    fn SkuaInitialSystemProcess() -> PEPROCESS {
        kernel().ps_initial_system_process()
    }

    /// PsGetCurrentProcessId: the System process has number 4.
    fn PsGetCurrentProcessId() -> HANDLE {
        std::ptr::without_provenance_mut(4)
    }
}

/// PsTerminateSystemThread, by unwinding to where the thread began.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn PsTerminateSystemThread(_status: NTSTATUS) -> ! {
    kernel().ps_terminate_system_thread()
}

/// What crosses to the new thread.
struct Begin {
    routine: Option<Start>,
    context: *mut c_void,
}

// SAFETY: the driver made the context for its thread.
unsafe impl Send for Begin {}

impl Begin {
    fn run(self) {
        if let Some(routine) = self.routine {
            // SAFETY: the driver's routine with its context.
            unsafe { routine(self.context) };
        }
    }
}

/// # Safety
/// `handle` is writable, `client` is null or writable.
unsafe fn create(
    handle: *mut HANDLE,
    client: *mut CLIENT_ID,
    routine: Option<Start>,
    context: *mut c_void,
) -> NTSTATUS {
    kernel().require_at_most("PsCreateSystemThread", PASSIVE_LEVEL);
    let begin = Begin { routine, context };
    let Some(thread) = kernel().ps_create_system_thread(Box::new(move || begin.run())) else {
        return STATUS_INSUFFICIENT_RESOURCES;
    };
    let opened = object::open(thread);
    // SAFETY: the caller's promise.
    unsafe { handle.write(opened) };
    if !client.is_null() {
        // SAFETY: not null, so writable.
        unsafe { client.write(CLIENT_ID { process: PsGetCurrentProcessId(), thread: opened }) };
    }
    STATUS_SUCCESS
}
