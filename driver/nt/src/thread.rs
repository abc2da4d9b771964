//! System threads.

// UNSAFETY: starts a thread on a routine and a context that the caller vouches for.
#![expect(unsafe_code, reason = "a thread's context is a raw pointer")]

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr;

use skua_engine::abi::nt::FALSE;
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use skua_pools::{Region, Tag};

use crate::bindings::{self as sys, imports};
use crate::handle::{Handle, attributes};
use crate::kernel::NtKernel;

/// What a system thread runs, once, with the context it was started with. The thread ends when it returns.
pub type StartRoutine = unsafe extern "C" fn(context: *mut c_void);

const TAG: Tag = Tag::new(b"SkTh");

/// What a handle may be waited for with (winnt.h).
const SYNCHRONIZE: u32 = 0x0010_0000;

/// A system thread that runs the driver's code. Waits for its end when dropped, at PASSIVE_LEVEL.
///
/// Waiting is by the handle: a reference to the thread object might not be had, and there would be no way back then.
pub struct NtThread {
    handle: Handle,
    /// What the thread reads first, alive as long as the thread.
    _start: Region<NtKernel>,
}

/// What the thread runs.
struct Start {
    routine: StartRoutine,
    context: *mut c_void,
}

impl NtThread {
    /// Starts `routine` with `context`, in the system process.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES, or what PsCreateSystemThread answered.
    ///
    /// # Safety
    /// `routine` may be called with `context` on another thread, as long as the returned value lives.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub unsafe fn start(routine: StartRoutine, context: *mut c_void) -> Result<Self, NTSTATUS> {
        let start = Region::new(NtKernel, TAG, Layout::new::<Start>())
            .map_err(|_refused| STATUS_INSUFFICIENT_RESOURCES)?;
        let place = start.start().cast::<Start>();
        // SAFETY: room for one, and nobody else's.
        unsafe { place.write(Start { routine, context }) };
        let mut handle = ptr::null_mut();
        let mut attributes = attributes(ptr::null_mut());
        // SAFETY: without a process the thread is the system process's; the context lives until the thread has ended.
        let status = unsafe {
            sys::PsCreateSystemThread(
                &raw mut handle,
                SYNCHRONIZE,
                (&raw mut attributes).cast(),
                ptr::null_mut(),
                ptr::null_mut(),
                sys::start_routine(run),
                place.as_ptr().cast(),
            )
        };
        // SAFETY: a kernel handle, as the attributes say.
        let handle = unsafe { Handle::opened(NTSTATUS(status), handle) }?;
        Ok(Self { handle, _start: start })
    }
}

impl Drop for NtThread {
    fn drop(&mut self) {
        // SAFETY: an open handle; without a limit.
        let _ended = unsafe { imports::ZwWaitForSingleObject(self.handle.get(), FALSE, ptr::null()) };
    }
}

/// A thread ends itself by PsTerminateSystemThread, which does not return to the driver's code.
unsafe extern "C" fn run(context: *mut c_void) {
    // SAFETY: `start` passes a `Start` that outlives the thread.
    let &Start { routine, context } = unsafe { &*context.cast::<Start>() };
    // SAFETY: the caller of `start` promised it.
    unsafe { routine(context) };
    // SAFETY: the caller is a system thread.
    let _never = unsafe { sys::PsTerminateSystemThread(0) };
}
