//! Memory descriptor lists. Wine's routines for them do nothing or stop the process; here every page is there already, so
//! locking is a check and mapping an address.

// UNSAFETY: exports under NT's names; descriptors are reached by address.
#![expect(unsafe_code, reason = "MDLs live in the driver's memory")]

use std::ffi::c_void;
use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    BOOLEAN, DISPATCH_LEVEL, IRP, IoReadAccess, KPROCESSOR_MODE, LOCK_OPERATION, MDL, mm_get_mdl_byte_count,
    mm_get_mdl_virtual_address, mm_initialize_mdl, mm_size_of_mdl,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_hosted::ntoskrnl::attach_mdl;

use windows_sys::Win32::System::Memory::{GetProcessHeap, HEAP_ZERO_MEMORY, HeapAlloc};

use crate::host::kernel;
use crate::real::Routine;
use crate::{access, level, raise, report, settings};

// SAFETY: the prototype of wdm.h.
static FREE: Routine<unsafe extern "C" fn(*mut MDL)> = unsafe { Routine::new(c"IoFreeMdl") };

/// IoAllocateMdl. Wine's has room for page numbers of four bytes. The memory is of the heap that Wine's has it of, so that
/// either can free it.
///
/// # Safety
/// `irp` is null or the caller's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoAllocateMdl(
    address: *mut c_void,
    length: u32,
    secondary: BOOLEAN,
    _charge_quota: BOOLEAN,
    irp: *mut IRP,
) -> *mut MDL {
    level::require("IoAllocateMdl", DISPATCH_LEVEL);
    let Some(size) = mm_size_of_mdl(address.addr(), length as usize) else { return ptr::null_mut() };
    // SAFETY: the process has a heap.
    let heap = unsafe { GetProcessHeap() };
    // SAFETY: as above.
    let mdl: *mut MDL = unsafe { HeapAlloc(heap, HEAP_ZERO_MEMORY, size) }.cast();
    if mdl.is_null() {
        return mdl;
    }
    // SAFETY: as large as it needs to be.
    unsafe { mm_initialize_mdl(mdl, address, length) };
    if !irp.is_null() {
        // SAFETY: the caller's promise.
        unsafe { attach_mdl(mdl, irp, secondary != 0) };
    }
    mdl
}

/// MmBuildMdlForNonPagedPool.
///
/// # Safety
/// `mdl` was initialised over memory that outlives its use, with room for its page array.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
    level::require("MmBuildMdlForNonPagedPool", DISPATCH_LEVEL);
    // SAFETY: the same contract.
    unsafe { kernel().mm_build_mdl_for_non_paged_pool(mdl) };
}

/// MmProbeAndLockPages. Raises STATUS_ACCESS_VIOLATION for memory that is not there or cannot be written, and when the
/// setting `ProbeAndLockRaises` says so.
///
/// # Safety
/// `mdl` was initialised, with room for its page array, and the caller guards against what is raised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn MmProbeAndLockPages(
    mdl: *mut MDL,
    _mode: KPROCESSOR_MODE,
    operation: LOCK_OPERATION,
) {
    // SAFETY: the caller's promise.
    if unsafe { lock(mdl, operation != IoReadAccess) }.is_err() {
        // SAFETY: the caller's promise; no value of this frame is left to be dropped.
        unsafe { raise::ExRaiseAccessViolation() }
    }
}

/// # Safety
/// As for [`MmProbeAndLockPages`].
unsafe fn lock(mdl: *mut MDL, to_write: bool) -> Result<(), ()> {
    if settings::take_probe_and_lock_raise() {
        report::note(format_args!("MmProbeAndLockPages raises, as it was told to"));
        return Err(());
    }
    // SAFETY: the caller's promise.
    let address = unsafe { mm_get_mdl_virtual_address(mdl) };
    // SAFETY: the caller's promise.
    let bytes = unsafe { mm_get_mdl_byte_count(mdl) } as usize;
    if !access::is_accessible(address, bytes, to_write) {
        return Err(());
    }
    // SAFETY: the caller's promise.
    unsafe { kernel().mm_lock_pages(mdl, to_write) };
    Ok(())
}

/// MmUnlockPages. Ends a system mapping too.
///
/// # Safety
/// `mdl` is initialised, and nobody uses its pages any more.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn MmUnlockPages(mdl: *mut MDL) {
    // SAFETY: the same contract.
    unsafe { kernel().mm_unlock_pages(mdl) };
}

/// MmMapLockedPagesSpecifyCache: the address that the memory has anyway. Null for pages that are not locked.
///
/// # Safety
/// `mdl` is initialised; nobody else maps it at the same time.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn MmMapLockedPagesSpecifyCache(
    mdl: *mut MDL,
    _mode: KPROCESSOR_MODE,
    _cache: i32,
    _requested: *mut c_void,
    _bug_check_on_failure: u32,
    _priority: u32,
) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { kernel().mm_map_locked_pages(mdl) }
}

/// MmMapLockedPages.
///
/// # Safety
/// As for [`MmMapLockedPagesSpecifyCache`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn MmMapLockedPages(mdl: *mut MDL, mode: KPROCESSOR_MODE) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { MmMapLockedPagesSpecifyCache(mdl, mode, 1, ptr::null_mut(), 1, 0) }
}

/// MmUnmapLockedPages.
///
/// # Safety
/// `mdl` is initialised, and nobody uses the mapping any more.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn MmUnmapLockedPages(address: *mut c_void, mdl: *mut MDL) {
    // SAFETY: the same contract.
    unsafe { kernel().mm_unmap_locked_pages(address, mdl) };
}

/// MmProtectMdlSystemAddress: nothing is protected.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn MmProtectMdlSystemAddress(_mdl: *mut MDL, _protect: u32) -> NTSTATUS {
    STATUS_SUCCESS
}

/// IoBuildPartialMdl.
///
/// # Safety
/// Both descriptors are initialised, `target` with room for the pages; the range lies within that of `source`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoBuildPartialMdl(
    source: *mut MDL,
    target: *mut MDL,
    address: *mut c_void,
    length: u32,
) {
    // SAFETY: the same contract.
    unsafe { kernel().io_build_partial_mdl(source, target, address, length) };
}

/// IoFreeMdl.
///
/// # Safety
/// `mdl` came from IoAllocateMdl, and nobody uses it any more.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn IoFreeMdl(mdl: *mut MDL) {
    // SAFETY: the caller's promise.
    unsafe { kernel().require_unlocked(mdl, "IoFreeMdl") };
    // SAFETY: the caller's promise.
    unsafe { FREE.get()(mdl) };
}
