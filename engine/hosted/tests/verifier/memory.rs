//! Programs that break rules of memory, MDLs and events.

use std::ffi::c_void;

use skua_engine::Kernel;
use skua_engine::abi::nt::{KEVENT, MDL, MDL_PAGES_LOCKED, mm_initialize_mdl};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;
use skua_pools::{Memory, Tag};

const TAG: Tag = Tag::new(b"Case");

crate::cases! {
    MemoryFreedWrongly: freeing_twice, freeing_another_size, freeing_under_another_tag;
    MdlNotLocked: mapping_pages_that_are_not_locked;
    MdlMappedTwice: mapping_twice;
    EventNotInitialized: setting_zeroed_memory, waiting_for_zeroed_memory;
    Leaked: leaving_memory;
}

fn freeing_twice(kernel: &HostKernel) {
    let memory = kernel.allocate(64, TAG).expect("memory");
    for _ in 0..2 {
        // SAFETY: the breach is what is tested.
        unsafe { kernel.free(memory, 64, TAG) };
    }
}

fn freeing_another_size(kernel: &HostKernel) {
    let memory = kernel.allocate(64, TAG).expect("memory");
    for bytes in [65, 64] {
        // SAFETY: the breach is what is tested.
        unsafe { kernel.free(memory, bytes, TAG) };
    }
}

fn freeing_under_another_tag(kernel: &HostKernel) {
    let memory = kernel.allocate(64, TAG).expect("memory");
    for tag in [Tag::new(b"Othr"), TAG] {
        // SAFETY: the breach is what is tested.
        unsafe { kernel.free(memory, 64, tag) };
    }
}

fn leaving_memory(kernel: &HostKernel) {
    assert!(kernel.allocate(64, TAG).is_some());
}

/// An MDL over memory that stays, with these flags.
fn mdl(flags: u16) -> *mut MDL {
    let memory: &'static mut [u8; 64] = Box::leak(Box::new([0; 64]));
    let mdl = Box::leak(vec![0u64; 16].into_boxed_slice()).as_mut_ptr().cast::<MDL>();
    // SAFETY: room for the header and two pages.
    unsafe { mm_initialize_mdl(mdl, memory.as_mut_ptr().cast::<c_void>(), 64) };
    // SAFETY: initialised.
    unsafe { (*mdl).MdlFlags |= flags };
    mdl
}

fn mapping_pages_that_are_not_locked(kernel: &HostKernel) {
    // SAFETY: initialised.
    let mapped = unsafe { kernel.mm_map_locked_pages_specify_cache(mdl(0)) };
    assert!(mapped.is_null());
}

fn mapping_twice(kernel: &HostKernel) {
    let mdl = mdl(MDL_PAGES_LOCKED);
    // SAFETY: initialised.
    let mapped = unsafe { kernel.mm_map_locked_pages_specify_cache(mdl) };
    // SAFETY: as above.
    assert_eq!(unsafe { kernel.mm_map_locked_pages_specify_cache(mdl) }, mapped);
}

fn zeroed_event() -> *mut KEVENT {
    Box::leak(Box::new(zeroed()))
}

fn setting_zeroed_memory(kernel: &HostKernel) {
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_set_event(zeroed_event()) };
}

fn waiting_for_zeroed_memory(kernel: &HostKernel) {
    // SAFETY: as above.
    let _ = unsafe { kernel.ke_wait_for_single_object(zeroed_event(), None) };
}
