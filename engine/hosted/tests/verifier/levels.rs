//! Programs that break rules of IRQL and spin locks.

use std::ffi::c_void;
use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, DISPATCH_LEVEL, IRP, KEVENT, PASSIVE_LEVEL, io_set_cancel_routine,
    io_set_completion_routine,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;
use skua_pools::{Memory, Tag};

use crate::client::{Client, call_down, complete, irp};

crate::cases! {
    IrqlTooHigh: allocating_at_dispatch_level, registering_at_dispatch_level, deregistering_at_dispatch_level,
        capturing_with_a_wait_at_dispatch_level;
    WaitAtDispatchLevel: wait_at_dispatch_level, wait_with_a_time_out_at_dispatch_level;
    IrqlLoweredWrongly: lowering_what_was_not_raised, lowering_out_of_order;
    IrqlNotRestored: raised_in_a_completion_routine, lowered_in_a_completion_routine;
    SpinLockHeld: lowering_with_the_lock_held, waiting_with_the_lock_held, a_cancel_routine_that_keeps_the_lock;
    SpinLockNotHeld: releasing_what_is_not_held;
}

fn raised(kernel: &HostKernel, program: impl FnOnce()) {
    let irql = kernel.ke_raise_irql_to_dpc_level();
    program();
    // SAFETY: what raising returned.
    unsafe { kernel.ke_lower_irql(irql) };
}

fn allocating_at_dispatch_level(kernel: &HostKernel) {
    let tag = Tag::new(b"Case");
    let mut memory = None;
    raised(kernel, || memory = kernel.allocate(16, tag));
    if let Some(memory) = memory {
        // SAFETY: allocated so.
        unsafe { kernel.free(memory, 16, tag) };
    }
}

fn registering_at_dispatch_level(kernel: &HostKernel) {
    let mut client = None;
    raised(kernel, || client = Some(Client::new(kernel)));
    client.expect("it was made all the same").end();
}

fn deregistering_at_dispatch_level(kernel: &HostKernel) {
    let client = Client::new(kernel);
    client.release();
    raised(kernel, || client.deregister());
}

fn capturing_with_a_wait_at_dispatch_level(kernel: &HostKernel) {
    let mut client = Client::new(kernel);
    raised(kernel, || {
        // SAFETY: registered.
        let _ = unsafe { kernel.wsk_capture_provider_npi(client.registration, 1000, &raw mut client.npi) };
    });
    client.release();
    client.end();
}

fn event(kernel: &HostKernel, signalled: bool) -> *mut KEVENT {
    let event: *mut KEVENT = Box::leak(Box::new(zeroed()));
    // SAFETY: just made.
    unsafe { kernel.ke_initialize_event(event, signalled) };
    event
}

pub(crate) fn wait_at_dispatch_level(kernel: &HostKernel) {
    let event = event(kernel, true);
    // SAFETY: initialised.
    raised(kernel, || _ = unsafe { kernel.ke_wait_for_single_object(event, None) });
}

fn wait_with_a_time_out_at_dispatch_level(kernel: &HostKernel) {
    let event = event(kernel, false);
    // SAFETY: initialised. A time-out of zero is allowed.
    raised(kernel, || _ = unsafe { kernel.ke_wait_for_single_object(event, Some(0)) });
    // SAFETY: as above.
    raised(kernel, || _ = unsafe { kernel.ke_wait_for_single_object(event, Some(1)) });
}

fn lowering_what_was_not_raised(kernel: &HostKernel) {
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_lower_irql(PASSIVE_LEVEL) };
}

fn lowering_out_of_order(kernel: &HostKernel) {
    let outer = kernel.ke_raise_irql_to_dpc_level();
    let inner = kernel.ke_raise_irql_to_dpc_level();
    for irql in [outer, inner, outer] {
        // SAFETY: the breach is what is tested; nothing depends on the level.
        unsafe { kernel.ke_lower_irql(irql) };
    }
    assert_eq!(kernel.ke_get_current_irql(), PASSIVE_LEVEL);
}

/// Completes an IRP with `routine`, whose context is the kernel.
fn complete_with(
    kernel: &HostKernel,
    routine: unsafe extern "C" fn(*mut DEVICE_OBJECT, *mut IRP, *mut c_void) -> NTSTATUS,
) {
    let irp = irp(kernel);
    let context = ptr::from_ref(kernel).cast_mut().cast();
    // SAFETY: a location is left, and the kernel outlives the completion.
    unsafe { io_set_completion_routine(irp, Some(routine), context, true, true, true) };
    call_down(irp);
    complete(kernel, irp);
}

/// # Safety
/// `context` is a kernel.
unsafe fn of<'a>(context: *mut c_void) -> &'a HostKernel {
    // SAFETY: the caller's promise.
    unsafe { &*context.cast() }
}

unsafe extern "C" fn raise(_: *mut DEVICE_OBJECT, _: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: see `complete_with`.
    let _ = unsafe { of(context) }.ke_raise_irql_to_dpc_level();
    STATUS_MORE_PROCESSING_REQUIRED
}

fn raised_in_a_completion_routine(kernel: &HostKernel) {
    complete_with(kernel, raise);
    assert_eq!(kernel.ke_get_current_irql(), PASSIVE_LEVEL);
}

unsafe extern "C" fn lower(_: *mut DEVICE_OBJECT, _: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: see `complete_with`.
    let kernel = unsafe { of(context) };
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_lower_irql(PASSIVE_LEVEL) };
    STATUS_MORE_PROCESSING_REQUIRED
}

fn lowered_in_a_completion_routine(kernel: &HostKernel) {
    raised(kernel, || {
        complete_with(kernel, lower);
        assert_eq!(kernel.ke_get_current_irql(), DISPATCH_LEVEL);
    });
}

fn lowering_with_the_lock_held(kernel: &HostKernel) {
    let irql = kernel.io_acquire_cancel_spin_lock();
    // SAFETY: the breach is what is tested.
    unsafe { kernel.ke_lower_irql(irql) };
    kernel.io_release_cancel_spin_lock(irql);
}

fn waiting_with_the_lock_held(kernel: &HostKernel) {
    let event = event(kernel, true);
    let irql = kernel.io_acquire_cancel_spin_lock();
    // SAFETY: initialised.
    let _ = unsafe { kernel.ke_wait_for_single_object(event, None) };
    kernel.io_release_cancel_spin_lock(irql);
}

unsafe extern "C" fn keep_the_lock(_: *mut DEVICE_OBJECT, _: *mut IRP) {}

fn a_cancel_routine_that_keeps_the_lock(kernel: &HostKernel) {
    let irp = irp(kernel);
    call_down(irp);
    // SAFETY: the packet is with this driver.
    unsafe { io_set_cancel_routine(irp, Some(keep_the_lock)) };
    // SAFETY: the packet outlives the call.
    assert!(unsafe { kernel.io_cancel_irp(irp) });
    complete(kernel, irp);
    // It was released after the finding.
    let irql = kernel.io_acquire_cancel_spin_lock();
    kernel.io_release_cancel_spin_lock(irql);
    assert_eq!(kernel.ke_get_current_irql(), PASSIVE_LEVEL);
}

fn releasing_what_is_not_held(kernel: &HostKernel) {
    kernel.io_release_cancel_spin_lock(PASSIVE_LEVEL);
}
