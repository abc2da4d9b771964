//! The one place where a call into the kernel may raise.
//!
//! Rust code must not be unwound through by a structured exception, so what raises runs inside a thunk of its own: a
//! function in assembly whose unwind information names `__C_specific_handler` and one scope that catches everything. The
//! routine that it calls, and all that this calls, is unwound without any destructor being run: it does the one call and
//! nothing else.

// UNSAFETY: calls the thunk, and the routine through it.
#![expect(unsafe_code, reason = "structured exceptions are caught in assembly")]

use core::ffi::c_void;

use skua_engine::abi::nt::{KernelMode, LOCK_OPERATION, MDL};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_nt::bindings as sys;

/// Runs `routine` with `context`: STATUS_SUCCESS, or the code of what it raised.
///
/// # Safety
/// `routine` may be called with `context`, and may be left at any call that it makes: nothing of it needs dropping.
///
/// # IRQL
/// As `routine`; an exception above DISPATCH_LEVEL ends the system all the same.
pub(super) unsafe fn guarded(routine: unsafe extern "C" fn(*mut c_void), context: *mut c_void) -> NTSTATUS {
    // SAFETY: the caller's contract is the thunk's.
    NTSTATUS(unsafe { thunk::skua_guarded_call(routine, context) })
}

/// MmProbeAndLockPages(KernelMode).
///
/// # Errors
/// What it raised; the pages are not locked then.
///
/// # Safety
/// `mdl` describes memory of the present process, and is this call's alone.
///
/// # IRQL
/// At most APC_LEVEL for pageable memory.
pub(super) unsafe fn mm_probe_and_lock_pages(
    mdl: *mut MDL,
    operation: LOCK_OPERATION,
) -> Result<(), NTSTATUS> {
    struct Lock {
        mdl: *mut MDL,
        operation: LOCK_OPERATION,
    }
    unsafe extern "C" fn lock(context: *mut c_void) {
        // SAFETY: `guarded` is given a `Lock` below.
        let &Lock { mdl, operation } = unsafe { &*context.cast::<Lock>() };
        // SAFETY: the caller of `mm_probe_and_lock_pages` vouches for the descriptor.
        unsafe { sys::MmProbeAndLockPages(mdl.cast(), KernelMode, operation) };
    }
    let mut arguments = Lock { mdl, operation };
    // SAFETY: `lock` takes this context and owns nothing.
    let status = unsafe { guarded(lock, (&raw mut arguments).cast()) };
    if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
}

/// ExRaiseStatus inside the thunk.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub(super) fn raise(status: NTSTATUS) -> NTSTATUS {
    unsafe extern "C" fn raise(context: *mut c_void) {
        // SAFETY: `guarded` is given a status below.
        let status = unsafe { *context.cast::<NTSTATUS>() };
        // SAFETY: inside the thunk.
        unsafe { sys::ExRaiseStatus(status.0) };
    }
    let mut status = status;
    // SAFETY: `raise` takes this context and owns nothing.
    unsafe { guarded(raise, (&raw mut status).cast()) }
}

#[cfg(windows)]
mod thunk {
    use core::ffi::c_void;

    // The scope table, which __C_specific_handler reads, is: how many scopes, and for each its begin, its end, its filter
    // and its target, as offsets from the image's base. The return address of the call must lie within the scope, hence
    // the `nop`. The filter is called with the EXCEPTION_POINTERS and this function's frame, below anything else on the
    // stack; it leaves the exception's code in the frame and answers 1, EXCEPTION_EXECUTE_HANDLER. The target is entered
    // with the stack and the saved registers of this function.
    #[cfg(target_arch = "x86_64")]
    core::arch::global_asm!(
        ".text",
        ".globl skua_guarded_call",
        ".p2align 4",
        ".def skua_guarded_call; .scl 2; .type 32; .endef",
        ".seh_proc skua_guarded_call",
        "skua_guarded_call:",
        "sub rsp, 40",
        ".seh_stackalloc 40",
        ".seh_endprologue",
        ".seh_handler __C_specific_handler, @except",
        "mov rax, rcx",
        "mov rcx, rdx",
        "skua_guarded_begin:",
        "call rax",
        "nop",
        "skua_guarded_end:",
        "mov dword ptr [rsp + 32], 0",
        "skua_guarded_target:",
        "mov eax, dword ptr [rsp + 32]",
        "add rsp, 40",
        "ret",
        ".seh_handlerdata",
        ".long 1",
        ".long skua_guarded_begin@IMGREL",
        ".long skua_guarded_end@IMGREL",
        ".long skua_guarded_filter@IMGREL",
        ".long skua_guarded_target@IMGREL",
        ".text",
        ".seh_endproc",
        // A leaf: it needs no unwind information.
        "skua_guarded_filter:",
        "mov rax, qword ptr [rcx]",
        "mov eax, dword ptr [rax]",
        "mov dword ptr [rdx + 32], eax",
        "mov eax, 1",
        "ret",
    );

    // As above, but filter 1 is the constant EXCEPTION_EXECUTE_HANDLER: the code is the value that the target is entered
    // with.
    #[cfg(target_arch = "aarch64")]
    core::arch::global_asm!(
        ".text",
        ".globl skua_guarded_call",
        ".p2align 2",
        ".def skua_guarded_call; .scl 2; .type 32; .endef",
        ".seh_proc skua_guarded_call",
        "skua_guarded_call:",
        "stp x29, x30, [sp, #-16]!",
        ".seh_save_fplr_x 16",
        "mov x29, sp",
        ".seh_set_fp",
        ".seh_endprologue",
        ".seh_handler __C_specific_handler, @except",
        "mov x8, x0",
        "mov x0, x1",
        "skua_guarded_begin:",
        "blr x8",
        "nop",
        "skua_guarded_end:",
        "mov w0, wzr",
        "skua_guarded_target:",
        ".seh_startepilogue",
        "ldp x29, x30, [sp], #16",
        ".seh_save_fplr_x 16",
        ".seh_endepilogue",
        "ret",
        ".seh_handlerdata",
        ".long 1",
        ".long skua_guarded_begin@IMGREL",
        ".long skua_guarded_end@IMGREL",
        ".long 1",
        ".long skua_guarded_target@IMGREL",
        ".text",
        ".seh_endproc",
    );

    unsafe extern "C" {
        pub(super) fn skua_guarded_call(
            routine: unsafe extern "C" fn(*mut c_void),
            context: *mut c_void,
        ) -> i32;
    }
}

/// Elsewhere nothing raises: the module is type-checked and tested, not run as a driver.
#[cfg(not(windows))]
mod thunk {
    use core::ffi::c_void;

    pub(super) unsafe fn skua_guarded_call(
        routine: unsafe extern "C" fn(*mut c_void),
        context: *mut c_void,
    ) -> i32 {
        // SAFETY: the caller's contract.
        unsafe { routine(context) };
        0
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn a_routine_that_does_not_raise_succeeds() {
        unsafe extern "C" fn set(context: *mut c_void) {
            // SAFETY: the test passes a number.
            unsafe { *context.cast::<u32>() = 7 };
        }
        let mut number = 0u32;
        // SAFETY: `set` takes a number and owns nothing.
        let status = unsafe { guarded(set, (&raw mut number).cast()) };
        assert_eq!((status, number), (STATUS_SUCCESS, 7));
    }
}
