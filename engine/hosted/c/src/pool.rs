//! Pool. Every kind of it is nonpaged here.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "pool is raw memory")]

use std::ffi::c_void;
use std::ptr;

use skua_engine::abi::nt::{
    POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAG_UNINITIALIZED, POOL_FLAGS, POOL_TYPE,
};
use skua_pools::Tag;

use crate::host::kernel;

/// POOL_FLAG_NON_PAGED_EXECUTE.
const NON_PAGED_EXECUTE: POOL_FLAGS = 0x80;
/// POOL_ZERO_ALLOCATION of a POOL_TYPE.
const ZERO: POOL_TYPE = 1024;
/// Of allocations without a tag.
const NO_TAG: u32 = u32::from_le_bytes(*b"None");
/// What uninitialised memory is filled with where the verifier is on, so that nobody relies on zeros.
const FILL: u8 = 0xCD;

routines! {
    /// ExAllocatePool.
    fn ExAllocatePool(pool_type: POOL_TYPE, bytes: usize) -> *mut c_void {
        ExAllocatePoolWithTag(pool_type, bytes, NO_TAG)
    }

    /// ExAllocatePoolWithTag.
    fn ExAllocatePoolWithTag(pool_type: POOL_TYPE, bytes: usize, tag: u32) -> *mut c_void {
        allocate(bytes, tag, pool_type & ZERO != 0)
    }

    /// ExAllocatePoolWithTagPriority.
    fn ExAllocatePoolWithTagPriority(
        pool_type: POOL_TYPE,
        bytes: usize,
        tag: u32,
        _priority: i32,
    ) -> *mut c_void {
        ExAllocatePoolWithTag(pool_type, bytes, tag)
    }

    /// ExAllocatePoolWithQuotaTag.
    fn ExAllocatePoolWithQuotaTag(pool_type: POOL_TYPE, bytes: usize, tag: u32) -> *mut c_void {
        ExAllocatePoolWithTag(pool_type, bytes, tag)
    }

    /// ExAllocatePool2: zeroed unless told otherwise; null for flags that name no pool, or several.
    fn ExAllocatePool2(flags: POOL_FLAGS, bytes: usize, tag: u32) -> *mut c_void {
        match flags & (POOL_FLAG_NON_PAGED | NON_PAGED_EXECUTE | POOL_FLAG_PAGED) {
            POOL_FLAG_NON_PAGED | NON_PAGED_EXECUTE | POOL_FLAG_PAGED => {
                allocate(bytes, tag, flags & POOL_FLAG_UNINITIALIZED == 0)
            }
            _ => ptr::null_mut(),
        }
    }

    /// ExFreePool.
    contract fn ExFreePool(memory: *mut c_void) {
        kernel().ex_free_pool_with_tag(memory.cast(), None)
    }

    /// ExFreePoolWithTag: any tag if it is zero.
    contract fn ExFreePoolWithTag(memory: *mut c_void, tag: u32) {
        kernel().ex_free_pool_with_tag(memory.cast(), (tag != 0).then_some(Tag(tag)))
    }
}

fn allocate(bytes: usize, tag: u32, zeroed: bool) -> *mut c_void {
    let Some(memory) = kernel().ex_allocate_pool_with_tag(bytes, Tag(tag)) else { return ptr::null_mut() };
    if !zeroed && kernel().is_verified() {
        // SAFETY: so many bytes were allocated.
        unsafe { memory.write_bytes(FILL, bytes) };
    }
    memory.as_ptr().cast()
}
