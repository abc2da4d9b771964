//! Nonpaged pool.

// UNSAFETY: takes memory from NT's pool and gives it back.
#![expect(unsafe_code, reason = "memory comes from and goes to the nonpaged pool")]

use core::ptr::{self, NonNull};

use skua_engine::abi::nt::{NonPagedPoolNx, POOL_FLAG_NON_PAGED};
use skua_pools::{Memory, Tag};

use super::accounts::Accounts;
use super::bindings as sys;
use super::{NtKernel, routines};
use crate::executive::PoolUse;

/// The driver's accounts; see `routines` for why this is a static.
static ACCOUNTS: Accounts = Accounts::new();

// SAFETY: pool allocations are 16-aligned (MEMORY_ALLOCATION_ALIGNMENT, ExAllocatePool2 docs), nonpaged, and zeroed by the
// newer routine or here; the pool is one for all handles.
unsafe impl Memory for NtKernel {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        if !ACCOUNTS.charge(tag, bytes) {
            return None;
        }
        let address = take(bytes, tag);
        if address.is_none() {
            ACCOUNTS.credit(tag, bytes);
        }
        address
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        // SAFETY: the caller promises that it came from `take` with this tag, and is not used any more.
        unsafe { sys::ExFreePoolWithTag(address.as_ptr().cast(), tag.0) };
        ACCOUNTS.credit(tag, bytes);
    }
}

/// The `index`th account, in the order of first use.
pub(super) fn pool_use(index: usize) -> Option<PoolUse> {
    ACCOUNTS.get(index)
}

/// What has not been given back, if anything.
pub(super) fn owing() -> Option<PoolUse> {
    ACCOUNTS.owing()
}

fn take(bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
    if let Some(allocate) = routines::ex_allocate_pool2() {
        // SAFETY: the pool may be asked for any size; without POOL_FLAG_RAISE_ON_FAILURE it answers null.
        return NonNull::new(unsafe { allocate(POOL_FLAG_NON_PAGED, bytes, tag.0) }.cast());
    }
    // SAFETY: as above; this routine raises only if asked to.
    let address = unsafe { sys::ExAllocatePoolWithTag(NonPagedPoolNx, bytes, tag.0) };
    let address = NonNull::new(address.cast::<u8>())?;
    // SAFETY: so many bytes begin there, and nobody else has them.
    unsafe { ptr::write_bytes(address.as_ptr(), 0, bytes) };
    Some(address)
}
