//! ExAllocatePool2, which Wine 8 lacks, over the older routine, so that ExFreePool finds its memory.

// UNSAFETY: exports under NT's names; calls Wine's routine and clears what it gave.
#![expect(unsafe_code, reason = "pool is raw memory")]

use std::ffi::c_void;

use skua_engine::abi::nt::{
    DISPATCH_LEVEL, NonPagedPoolNx, POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAG_UNINITIALIZED,
    POOL_FLAGS, POOL_TYPE, PagedPool,
};

use crate::level;
use crate::real::Routine;

/// POOL_FLAG_NON_PAGED_EXECUTE.
const NON_PAGED_EXECUTE: POOL_FLAGS = 0x80;

// SAFETY: the prototype of wdm.h.
static ALLOCATE: Routine<unsafe extern "C" fn(POOL_TYPE, usize, u32) -> *mut c_void> =
    unsafe { Routine::new(c"ExAllocatePoolWithTag") };

/// ExAllocatePool2: zeroed unless told otherwise; null for flags that name no pool, or several.
///
/// # Safety
/// None beyond what the memory is used for.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExAllocatePool2(flags: POOL_FLAGS, bytes: usize, tag: u32) -> *mut c_void {
    level::require("ExAllocatePool2", DISPATCH_LEVEL);
    let pool = match flags & (POOL_FLAG_NON_PAGED | NON_PAGED_EXECUTE | POOL_FLAG_PAGED) {
        POOL_FLAG_NON_PAGED | NON_PAGED_EXECUTE => NonPagedPoolNx,
        POOL_FLAG_PAGED => PagedPool,
        _ => return std::ptr::null_mut(),
    };
    // SAFETY: Wine's routine has no other precondition.
    let memory = unsafe { ALLOCATE.get()(pool, bytes, tag) };
    if !memory.is_null() && flags & POOL_FLAG_UNINITIALIZED == 0 {
        // SAFETY: so many bytes were allocated.
        unsafe { memory.write_bytes(0, bytes) };
    }
    memory
}
