//! Memory descriptor lists.

// UNSAFETY: exports under NT's names; asks the host whether memory is there.
#![expect(unsafe_code, reason = "MDLs live in the driver's memory")]

use std::ffi::{CString, c_void};
use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    BOOLEAN, IRP, IoReadAccess, KPROCESSOR_MODE, LOCK_OPERATION, MDL, PAGE_SIZE, UNICODE_STRING,
    mm_get_mdl_byte_count, mm_get_mdl_virtual_address, mm_size_of_mdl,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_SUCCESS};

use crate::host::kernel;
use crate::number::boolean;
use crate::runtime::raise;
use crate::string;

routines! {
    /// IoAllocateMdl.
    contract fn IoAllocateMdl(
        address: *mut c_void,
        length: u32,
        secondary: BOOLEAN,
        _charge_quota: BOOLEAN,
        irp: *mut IRP,
    ) -> *mut MDL {
        kernel().io_allocate_mdl(address, length, secondary != 0, irp)
    }

    /// IoFreeMdl.
    contract fn IoFreeMdl(mdl: *mut MDL) {
        kernel().io_free_mdl(mdl)
    }

    /// IoBuildPartialMdl.
    contract fn IoBuildPartialMdl(source: *mut MDL, target: *mut MDL, address: *mut c_void, length: u32) {
        kernel().io_build_partial_mdl(source, target, address, length)
    }

    /// MmBuildMdlForNonPagedPool.
    contract fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
        kernel().mm_build_mdl_for_non_paged_pool(mdl)
    }

    /// MmProbeAndLockPages. What would be raised for memory that is not there ends the process.
    contract fn MmProbeAndLockPages(mdl: *mut MDL, _mode: KPROCESSOR_MODE, operation: LOCK_OPERATION) {
        lock(mdl, operation != IoReadAccess)
    }

    /// MmUnlockPages.
    contract fn MmUnlockPages(mdl: *mut MDL) {
        kernel().mm_unlock_pages(mdl)
    }

    /// MmMapLockedPages.
    contract fn MmMapLockedPages(mdl: *mut MDL, _mode: KPROCESSOR_MODE) -> *mut c_void {
        kernel().mm_map_locked_pages(mdl)
    }

    /// MmMapLockedPagesSpecifyCache.
    contract fn MmMapLockedPagesSpecifyCache(
        mdl: *mut MDL,
        _mode: KPROCESSOR_MODE,
        _cache: i32,
        _requested: *mut c_void,
        _bug_check_on_failure: u32,
        _priority: u32,
    ) -> *mut c_void {
        kernel().mm_map_locked_pages(mdl)
    }

    /// MmUnmapLockedPages.
    contract fn MmUnmapLockedPages(address: *mut c_void, mdl: *mut MDL) {
        kernel().mm_unmap_locked_pages(address, mdl)
    }

    /// MmProtectMdlSystemAddress: nothing is protected.
    fn MmProtectMdlSystemAddress(_mdl: *mut MDL, _protect: u32) -> NTSTATUS {
        STATUS_SUCCESS
    }

    /// MmSizeOfMdl.
    fn MmSizeOfMdl(base: *mut c_void, length: usize) -> usize {
        mm_size_of_mdl(base.addr(), length).unwrap_or(usize::MAX)
    }

    /// MmIsAddressValid.
    fn MmIsAddressValid(address: *mut c_void) -> BOOLEAN {
        boolean(is_there(address, 1))
    }

    /// MmGetSystemRoutineAddress: of this library, or null.
    contract fn MmGetSystemRoutineAddress(name: *mut UNICODE_STRING) -> *mut c_void {
        find(name)
    }
}

/// # Safety
/// As for MmProbeAndLockPages.
unsafe fn lock(mdl: *mut MDL, to_write: bool) {
    // SAFETY: the caller's promise.
    let address = unsafe { mm_get_mdl_virtual_address(mdl) };
    // SAFETY: the caller's promise.
    let bytes = unsafe { mm_get_mdl_byte_count(mdl) } as usize;
    if !is_there(address, bytes) {
        raise(STATUS_ACCESS_VIOLATION, &format!("MmProbeAndLockPages of {bytes} bytes at {address:p}"));
    }
    // SAFETY: the caller's promise.
    unsafe { kernel().mm_lock_pages(mdl, to_write) };
}

/// Whether the pages of some memory are mapped.
fn is_there(address: *const c_void, bytes: usize) -> bool {
    let offset = address.addr() % PAGE_SIZE;
    let Some(length) = bytes.checked_add(offset) else { return false };
    let start = address.wrapping_byte_sub(offset).cast_mut();
    // SAFETY: it writes nothing back that was not to be, and fails for pages that are not mapped.
    unsafe { libc::msync(start, length, libc::MS_ASYNC) == 0 }
}

/// # Safety
/// `name` is readable, and so is its buffer.
unsafe fn find(name: *const UNICODE_STRING) -> *mut c_void {
    // SAFETY: the caller's promise.
    let text = unsafe { string::units(name) };
    let ascii: Option<Vec<u8>> = text.iter().map(|unit| u8::try_from(*unit).ok()).collect();
    let Some(name) = ascii.and_then(|bytes| CString::new(bytes).ok()) else { return ptr::null_mut() };
    // SAFETY: a C string; the scope that holds this library.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}
