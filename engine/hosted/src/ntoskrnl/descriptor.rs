//! Memory descriptor lists: every page is there already, so locking is a flag and mapping an address.

// UNSAFETY: descriptors are reached by address.
#![expect(unsafe_code, reason = "MDLs live in the driver's memory")]

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DISPATCH_LEVEL, IRP, MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL,
    MDL_PARTIAL_HAS_BEEN_MAPPED, MDL_SOURCE_IS_NONPAGED_POOL, MDL_WRITE_OPERATION,
    mm_get_mapped_system_address, mm_get_mdl_byte_count, mm_get_mdl_virtual_address, mm_initialize_mdl,
    mm_size_of_mdl,
};
use skua_pools::Tag;

use crate::HostKernel;
use crate::verifier::{Object, ObjectKind, Rule, Stack};

/// What allocated descriptors are charged to.
const TAG: Tag = Tag::new(b"Mdl ");

/// MDLs.
impl HostKernel {
    /// IoAllocateMdl: null when there is no memory.
    ///
    /// # Safety
    /// `irp` is null or the caller's.
    pub unsafe fn io_allocate_mdl(
        &self,
        address: *mut c_void,
        length: u32,
        secondary: bool,
        irp: *mut IRP,
    ) -> *mut MDL {
        if !self.require_at_most("IoAllocateMdl", DISPATCH_LEVEL) {
            return ptr::null_mut();
        }
        let Some(size) = mm_size_of_mdl(address.addr(), length as usize) else { return ptr::null_mut() };
        let created = self.is_verified().then(Stack::capture);
        let Some(memory) = self.memory().allocate(size, TAG, created) else { return ptr::null_mut() };
        let mdl: *mut MDL = memory.as_ptr().cast();
        // SAFETY: as large as it needs to be.
        unsafe { mm_initialize_mdl(mdl, address, length) };
        if !irp.is_null() {
            // SAFETY: the caller's promise.
            unsafe { attach_mdl(mdl, irp, secondary) };
        }
        mdl
    }

    /// IoFreeMdl.
    ///
    /// # Safety
    /// Nobody uses the descriptor any more.
    pub unsafe fn io_free_mdl(&self, mdl: *mut MDL) {
        let found = NonNull::new(mdl.cast::<u8>()).and_then(|mdl| Some((mdl, self.memory().find(mdl)?)));
        let Some((memory, live)) = found.filter(|(_, live)| live.tag == TAG) else {
            let what = format!("IoFreeMdl of {mdl:p}, which IoAllocateMdl has not returned or is freed");
            return self.breach(Rule::MemoryFreedWrongly, Object::at(ObjectKind::Mdl, mdl), what);
        };
        // SAFETY: it is there.
        unsafe { self.require_unlocked(mdl, "IoFreeMdl") };
        // SAFETY: the caller's promise.
        unsafe { self.free_memory(memory, live.bytes, TAG, "IoFreeMdl") };
    }

    /// Reports an MDL that is to be freed although its pages are locked.
    ///
    /// # Safety
    /// `mdl` is initialised.
    pub unsafe fn require_unlocked(&self, mdl: *const MDL, routine: &str) {
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        if flags & MDL_PAGES_LOCKED != 0 {
            let what = format!("{routine} of the MDL at {mdl:p} (flags {flags:#x}), whose pages are locked");
            self.breach(Rule::MdlLockedWrongly, Object::at(ObjectKind::Mdl, mdl), what);
        }
    }

    /// MmProbeAndLockPages of memory that is known to be there.
    ///
    /// # Safety
    /// `mdl` was initialised, with room for its page array.
    pub unsafe fn mm_lock_pages(&self, mdl: *mut MDL, to_write: bool) {
        self.require_at_most("MmProbeAndLockPages", DISPATCH_LEVEL);
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        if flags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
            let what = format!("MmProbeAndLockPages of the MDL at {mdl:p}, whose pages are locked");
            return self.breach(Rule::MdlLockedWrongly, Object::at(ObjectKind::Mdl, mdl), what);
        }
        // SAFETY: the same contract as for the array's room; the flag that it sets is replaced below.
        unsafe { self.mm_build_mdl_for_non_paged_pool(mdl) };
        let locked = flags | MDL_PAGES_LOCKED | if to_write { MDL_WRITE_OPERATION } else { 0 };
        // SAFETY: the caller's promise.
        unsafe { (*mdl).MdlFlags = locked };
        // SAFETY: the caller's promise.
        unsafe { (*mdl).MappedSystemVa = ptr::null_mut() };
    }

    /// MmUnlockPages. Ends a system mapping too.
    ///
    /// # Safety
    /// `mdl` is initialised, and nobody uses its pages any more.
    pub unsafe fn mm_unlock_pages(&self, mdl: *mut MDL) {
        self.require_at_most("MmUnlockPages", DISPATCH_LEVEL);
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        if flags & MDL_PAGES_LOCKED == 0 {
            let what = format!("MmUnlockPages of the MDL at {mdl:p} (flags {flags:#x}), which is not locked");
            return self.breach(Rule::MdlNotLocked, Object::at(ObjectKind::Mdl, mdl), what);
        }
        let unlocked = flags & !(MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_MAPPED_TO_SYSTEM_VA);
        // SAFETY: the caller's promise.
        unsafe { (*mdl).MdlFlags = unlocked };
    }

    /// MmMapLockedPagesSpecifyCache: the address that the memory has anyway; the same again for a descriptor that is
    /// mapped. Null for pages that are not locked.
    ///
    /// # Safety
    /// `mdl` is initialised; nobody else maps it at the same time.
    pub unsafe fn mm_map_locked_pages(&self, mdl: *mut MDL) -> *mut c_void {
        self.require_at_most("MmMapLockedPagesSpecifyCache", DISPATCH_LEVEL);
        // SAFETY: the caller's promise.
        let mapped = unsafe { mm_get_mapped_system_address(mdl) };
        if !mapped.is_null() {
            return mapped;
        }
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        if flags & (MDL_PAGES_LOCKED | MDL_PARTIAL) == 0 {
            let what = format!(
                "MmMapLockedPagesSpecifyCache of the MDL at {mdl:p} (flags {flags:#x}), which is not locked"
            );
            self.breach(Rule::MdlNotLocked, Object::at(ObjectKind::Mdl, mdl), what);
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        let address = unsafe { self.mm_map_locked_pages_specify_cache(mdl) };
        if !address.is_null() && flags & MDL_PARTIAL != 0 {
            // SAFETY: the caller's promise.
            unsafe { (*mdl).MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED };
        }
        address
    }

    /// MmUnmapLockedPages.
    ///
    /// # Safety
    /// `mdl` is initialised, and nobody uses the mapping any more.
    pub unsafe fn mm_unmap_locked_pages(&self, address: *mut c_void, mdl: *mut MDL) {
        self.require_at_most("MmUnmapLockedPages", DISPATCH_LEVEL);
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        // SAFETY: the caller's promise.
        let mapped = unsafe { (*mdl).MappedSystemVa };
        if flags & MDL_MAPPED_TO_SYSTEM_VA == 0 || mapped != address {
            let what = format!(
                "MmUnmapLockedPages of {address:p}, which is not what the MDL at {mdl:p} is mapped to"
            );
            return self.breach(Rule::MdlLockedWrongly, Object::at(ObjectKind::Mdl, mdl), what);
        }
        // SAFETY: the caller's promise.
        unsafe { (*mdl).MdlFlags = flags & !(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED) };
    }

    /// IoBuildPartialMdl.
    ///
    /// # Safety
    /// Both descriptors are initialised, `target` with room for the pages.
    pub unsafe fn io_build_partial_mdl(
        &self,
        source: *mut MDL,
        target: *mut MDL,
        address: *mut c_void,
        length: u32,
    ) {
        // SAFETY: the caller's promise.
        let from = unsafe { mm_get_mdl_virtual_address(source) };
        // SAFETY: the caller's promise.
        let bytes = unsafe { mm_get_mdl_byte_count(source) };
        let skipped = address.addr().wrapping_sub(from.addr());
        let left = u32::try_from(skipped).ok().and_then(|skipped| bytes.checked_sub(skipped));
        let Some(left) = left.filter(|left| length <= *left) else {
            let what = format!(
                "IoBuildPartialMdl of {length} bytes at {address:p}, outside of the {bytes} at {from:p}"
            );
            return self.breach(Rule::MdlLockedWrongly, Object::at(ObjectKind::Mdl, source), what);
        };
        let length = if length == 0 { left } else { length };
        // SAFETY: the caller's promise.
        let flags = unsafe { (*source).MdlFlags };
        // SAFETY: the caller's promise.
        let mapped = unsafe { mm_get_mapped_system_address(source) };
        // SAFETY: the caller's promise.
        let size = unsafe { (*target).Size };
        // SAFETY: the caller's promise.
        unsafe { mm_initialize_mdl(target, address, length) };
        // SAFETY: the same; the flag that it sets is replaced below.
        unsafe { self.mm_build_mdl_for_non_paged_pool(target) };
        let kept = flags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA | MDL_WRITE_OPERATION);
        // SAFETY: the caller's promise.
        unsafe { (*target).MdlFlags = kept | MDL_PARTIAL };
        let system = if mapped.is_null() { mapped } else { mapped.wrapping_byte_add(skipped) };
        // SAFETY: the caller's promise.
        unsafe { (*target).MappedSystemVa = system };
        // What it was allocated with.
        // SAFETY: the caller's promise.
        unsafe { (*target).Size = size };
    }
}

/// Puts `mdl` behind the descriptors of `irp`, or makes it the first: what IoAllocateMdl does with one.
///
/// # Safety
/// Both are the caller's.
pub unsafe fn attach_mdl(mdl: *mut MDL, irp: *mut IRP, behind: bool) {
    // SAFETY: the caller's promise.
    let first = unsafe { (*irp).MdlAddress };
    if !behind || first.is_null() {
        // SAFETY: the caller's promise.
        unsafe { (*mdl).Next = first };
        // SAFETY: the caller's promise.
        unsafe { (*irp).MdlAddress = mdl };
        return;
    }
    let mut last = first;
    loop {
        // SAFETY: a descriptor of the packet's.
        let next = unsafe { (*last).Next };
        if next.is_null() {
            break;
        }
        last = next;
    }
    // SAFETY: as above.
    unsafe { (*last).Next = mdl };
}
