//! Whether memory is there.

// UNSAFETY: asks the host about regions.
#![expect(unsafe_code, reason = "the host describes a region by address")]

use std::ffi::c_void;

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEMORY_BASIC_INFORMATION, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_GUARD,
    PAGE_NOACCESS, PAGE_READWRITE, PAGE_WRITECOPY, VirtualQuery,
};

/// Whether `bytes` bytes at `address` can be read, and written if `to_write`.
pub(crate) fn is_accessible(address: *const c_void, bytes: usize, to_write: bool) -> bool {
    let Some(end) = address.addr().checked_add(bytes) else { return false };
    let mut at = address;
    while at.addr() < end {
        let mut region = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: a local to write to, of the size given.
        let told = unsafe { VirtualQuery(at, &raw mut region, size_of_val(&region)) };
        if told == 0 || region.State != MEM_COMMIT || !allows(region.Protect, to_write) {
            return false;
        }
        at = region.BaseAddress.cast_const().wrapping_byte_add(region.RegionSize);
        if at.addr() == 0 {
            return false;
        }
    }
    true
}

fn allows(protect: u32, to_write: bool) -> bool {
    const WRITABLE: u32 = PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    protect & (PAGE_NOACCESS | PAGE_GUARD) == 0 && (!to_write || protect & WRITABLE != 0)
}
