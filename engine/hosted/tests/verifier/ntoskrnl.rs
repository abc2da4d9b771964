//! Programs that break rules of what drivers in C call: locks, run-down protection, MDLs of the kernel's, work items.

use std::ptr;

use skua_engine::abi::nt::{
    APC_LEVEL, DISPATCH_LEVEL, EX_RUNDOWN_REF, FAST_MUTEX, KMUTEX, KSEMAPHORE, KSPIN_LOCK, MDL,
};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;
use skua_hosted::ntoskrnl::WORK_QUEUE_ITEM;

crate::cases! {
    IrqlTooLow: acquiring_a_spin_lock_at_passive_level;
    SpinLockNotHeld: releasing_a_free_spin_lock;
    RundownMisused: releasing_what_was_not_acquired, initialising_anew_what_is_not_run_down;
    LockMisused: releasing_somebody_elses_mutex, acquiring_a_fast_mutex_twice, releasing_a_free_push_lock,
        releasing_a_semaphore_beyond_its_limit;
    MdlLockedWrongly: locking_pages_twice, freeing_a_locked_mdl, building_a_part_outside_of_its_source;
    WorkItemQueued: queueing_a_queued_work_item;
    MemoryFreedWrongly: freeing_a_packet_twice;
}

fn acquiring_a_spin_lock_at_passive_level(kernel: &HostKernel) {
    let mut lock: KSPIN_LOCK = 0;
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_acquire_spin_lock_at_dpc_level(&raw mut lock) };
}

fn releasing_a_free_spin_lock(kernel: &HostKernel) {
    let mut lock: KSPIN_LOCK = 0;
    let before = kernel.kf_raise_irql(DISPATCH_LEVEL);
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_release_spin_lock(&raw mut lock, before) };
}

fn releasing_what_was_not_acquired(kernel: &HostKernel) {
    let mut reference = EX_RUNDOWN_REF { Count: 0 };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ex_release_rundown_protection(&raw mut reference, 1) };
}

fn initialising_anew_what_is_not_run_down(kernel: &HostKernel) {
    let mut reference = EX_RUNDOWN_REF { Count: 0 };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ex_re_initialize_rundown_protection(&raw mut reference) };
}

fn releasing_somebody_elses_mutex(kernel: &HostKernel) {
    let mut mutex: KMUTEX = zeroed();
    // SAFETY: a local.
    unsafe { kernel.ke_initialize_mutex(&raw mut mutex) };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_release_mutex(&raw mut mutex) };
}

fn acquiring_a_fast_mutex_twice(kernel: &HostKernel) {
    let mut mutex: FAST_MUTEX = zeroed();
    let mutex = &raw mut mutex;
    // SAFETY: a local.
    unsafe { kernel.ex_initialize_fast_mutex(mutex) };
    for _ in 0..2 {
        // SAFETY: the breach is what is tested.
        unsafe { kernel.ex_acquire_fast_mutex(mutex, APC_LEVEL) };
    }
    // SAFETY: acquired once.
    unsafe { kernel.ex_release_fast_mutex(mutex) };
}

fn releasing_a_free_push_lock(kernel: &HostKernel) {
    let mut lock = 0usize;
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ex_release_push_lock(&raw mut lock) };
}

fn releasing_a_semaphore_beyond_its_limit(kernel: &HostKernel) {
    let mut semaphore: KSEMAPHORE = zeroed();
    // SAFETY: a local.
    unsafe { kernel.ke_initialize_semaphore(&raw mut semaphore, 1, 1) };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_release_semaphore(&raw mut semaphore, 1) };
}

/// An MDL over memory that stays.
fn mdl(kernel: &HostKernel) -> *mut MDL {
    let memory: &'static mut [u8; 64] = Box::leak(Box::new([0; 64]));
    // SAFETY: no packet.
    unsafe { kernel.io_allocate_mdl(memory.as_mut_ptr().cast(), 64, false, ptr::null_mut()) }
}

fn locking_pages_twice(kernel: &HostKernel) {
    let mdl = mdl(kernel);
    for _ in 0..2 {
        // SAFETY: the breach is what is tested.
        unsafe { kernel.mm_lock_pages(mdl, true) };
    }
    // SAFETY: locked once.
    unsafe { kernel.mm_unlock_pages(mdl) };
    // SAFETY: unlocked.
    unsafe { kernel.io_free_mdl(mdl) };
}

fn freeing_a_locked_mdl(kernel: &HostKernel) {
    let mdl = mdl(kernel);
    // SAFETY: just allocated.
    unsafe { kernel.mm_lock_pages(mdl, true) };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.io_free_mdl(mdl) };
}

fn building_a_part_outside_of_its_source(kernel: &HostKernel) {
    let (source, part) = (mdl(kernel), mdl(kernel));
    // SAFETY: just allocated.
    let start = unsafe { (*source).StartVa };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.io_build_partial_mdl(source, part, start.wrapping_byte_sub(4_096), 10) };
    for mdl in [source, part] {
        // SAFETY: allocated above.
        unsafe { kernel.io_free_mdl(mdl) };
    }
}

fn queueing_a_queued_work_item(kernel: &HostKernel) {
    let mut item = WORK_QUEUE_ITEM { list: zeroed(), routine: None, parameter: ptr::null_mut() };
    // As while it waits for its turn.
    item.list.Flink = (&raw mut item).cast();
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ex_queue_work_item(&raw mut item) };
}

fn freeing_a_packet_twice(kernel: &HostKernel) {
    let irp = kernel.io_allocate_irp(1);
    for _ in 0..2 {
        // SAFETY: the breach is what is tested.
        unsafe { kernel.io_free_irp(irp) };
    }
}
