//! Nonpaged pool.

// UNSAFETY: takes memory from NT's pool and gives it back.
#![expect(unsafe_code, reason = "memory comes from and goes to the nonpaged pool")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use skua_engine::abi::nt::{NonPagedPoolNx, POOL_FLAG_NON_PAGED};
use skua_pools::{Memory, Tag};

use crate::accounts::Accounts;
use crate::bindings as sys;
use crate::kernel::NtKernel;
use crate::routines;

/// What is charged to one tag of nonpaged pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// The tag.
    pub tag: Tag,
    /// Bytes allocated and not freed.
    pub in_use: usize,
    /// The most bytes that were in use at once.
    pub high_water: usize,
}

/// The driver's accounts; see `routines` for why this is a static.
static ACCOUNTS: Accounts = Accounts::new();

/// The tag that stands for every other, or 0, which is no tag.
///
/// # Invariants
/// Written before the first allocation only: memory is freed under the tag it was taken under.
static INSTEAD: AtomicU32 = AtomicU32::new(0);

/// Whether [`open`] was called: no memory is taken before, so that it is known under which tag to free it.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

// SAFETY: pool allocations are 16-aligned (MEMORY_ALLOCATION_ALIGNMENT, ExAllocatePool2 docs), nonpaged, and zeroed by the
// newer routine or here; the pool is one for all handles.
unsafe impl Memory for NtKernel {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        let tag = shown(tag);
        if !IS_OPEN.load(Ordering::Relaxed) || !ACCOUNTS.charge(tag, bytes) {
            return None;
        }
        let address = take(bytes, tag);
        if address.is_none() {
            ACCOUNTS.credit(tag, bytes);
        }
        address
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        let tag = shown(tag);
        // SAFETY: the caller promises that it came from `take` with this tag, and is not used any more.
        unsafe { sys::ExFreePoolWithTag(address.as_ptr().cast(), tag.0) };
        ACCOUNTS.credit(tag, bytes);
    }
}

/// Has memory taken from now on, all of it under `tag` if there is one. The first call counts.
pub(super) fn open(tag: Option<Tag>) {
    if IS_OPEN.load(Ordering::Relaxed) {
        return;
    }
    INSTEAD.store(tag.map_or(0, |tag| tag.0), Ordering::Relaxed);
    IS_OPEN.store(true, Ordering::Release);
}

/// The tag that the pool is asked under for what the engine calls `tag`.
fn shown(tag: Tag) -> Tag {
    match INSTEAD.load(Ordering::Relaxed) {
        0 => tag,
        instead => Tag(instead),
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
