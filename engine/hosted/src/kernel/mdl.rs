//! Memory descriptor lists: in user mode every page is locked and has one address.

// UNSAFETY: descriptors are reached by address.
#![expect(unsafe_code, reason = "MDLs live in the client's and the provider's memory")]

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::nt::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, PAGE_SHIFT, address_and_size_to_span_pages,
    mm_get_mdl_byte_count, mm_get_mdl_pfn_array, mm_get_mdl_virtual_address,
};

/// MmBuildMdlForNonPagedPool: the page array and the system address.
///
/// # Safety
/// `mdl` was initialised over memory that outlives its use, with room for its page array.
pub(crate) unsafe fn build_for_non_paged_pool(mdl: *mut MDL) {
    // SAFETY: the caller promises an initialised descriptor.
    let address = unsafe { mm_get_mdl_virtual_address(mdl) };
    // SAFETY: as above.
    let bytes = unsafe { mm_get_mdl_byte_count(mdl) };
    let pages = mm_get_mdl_pfn_array(mdl);
    let first = address.addr() >> PAGE_SHIFT;
    for page in 0..address_and_size_to_span_pages(address.addr(), bytes as usize) {
        // SAFETY: the caller promises room for one number a page.
        unsafe { pages.wrapping_add(page).write(first + page) };
    }
    // SAFETY: the caller promises an initialised descriptor.
    unsafe { (*mdl).MappedSystemVa = address };
    // SAFETY: as above.
    let flags = unsafe { (*mdl).MdlFlags };
    // SAFETY: as above.
    unsafe { (*mdl).MdlFlags = flags | MDL_SOURCE_IS_NONPAGED_POOL };
}

/// The mappings of one kernel.
#[derive(Debug, Default)]
pub(crate) struct Mappings {
    made: AtomicU64,
    /// The mapping that is to fail, counted down; 0 for none.
    fail_in: AtomicU64,
}

impl Mappings {
    /// MmMapLockedPagesSpecifyCache: gives a descriptor of locked pages its system address.
    ///
    /// # Safety
    /// `mdl` is initialised; nobody else maps it at the same time.
    pub(crate) unsafe fn map(&self, mdl: *mut MDL) -> *mut c_void {
        // SAFETY: the caller promises an initialised descriptor.
        let flags = unsafe { (*mdl).MdlFlags };
        if self.is_to_fail() {
            return ptr::null_mut();
        }
        // SAFETY: the caller promises an initialised descriptor.
        let address = unsafe { mm_get_mdl_virtual_address(mdl) };
        // SAFETY: as above.
        unsafe { (*mdl).MappedSystemVa = address };
        // SAFETY: as above.
        unsafe { (*mdl).MdlFlags = flags | MDL_MAPPED_TO_SYSTEM_VA };
        self.made.fetch_add(1, Ordering::Relaxed);
        address
    }

    /// How many mappings were made.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The `nth` mapping from now fails, once; 0 calls it off.
    pub(crate) fn fail(&self, nth: u64) {
        self.fail_in.store(nth, Ordering::Relaxed);
    }

    fn is_to_fail(&self) -> bool {
        let counted =
            self.fail_in.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        counted == Ok(1)
    }
}
