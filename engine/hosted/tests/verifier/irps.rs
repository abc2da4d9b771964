//! Programs that break rules of IRPs.

use std::ffi::c_void;
use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, IO_SIZE_OF_IRP_1, IRP, io_get_current_irp_stack_location, io_set_completion_routine,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_TRANSPORT_LIST_CHANGE;
use skua_hosted::HostKernel;
use skua_pools::{Memory, Tag};

use crate::client::{Client, call_down, complete, irp, keep, prepare, uninitialized};

const TAG: Tag = Tag::new(b"Case");

crate::cases! {
    IrpNotInitialized: reuse_of_zeroed_memory, handing_over_zeroed_memory, cancelling_zeroed_memory;
    IrpTooSmall: no_room_for_the_location;
    IrpInitializedInUse: initialising_a_pending_irp;
    IrpReusedInUse: reusing_a_pending_irp, reusing_an_irp_that_another_driver_has;
    IrpFreedInUse: freeing_a_pending_irp;
    IrpHandedOverInUse: handing_over_a_pending_irp;
    IrpWithoutCompletionRoutine: no_completion_routine, not_on_error, reused_and_not_prepared;
    IrpChangedInUse: another_completion_routine;
    IrpCompletedTwice: completing_twice, completing_what_was_not_handed_over;
    IrpCompletionStatus: success_from_the_completion_routine;
}

/// Hands `irp` to WskControlClient for WSK_TRANSPORT_LIST_CHANGE, which keeps it.
fn pend(client: &Client, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the table of a captured NPI.
    let call = unsafe { (*client.npi.Dispatch).WskControlClient }.expect("every table has it");
    let (client, nothing) = (client.npi.Client, ptr::null_mut());
    // SAFETY: the code takes no buffers.
    unsafe { call(client, WSK_TRANSPORT_LIST_CHANGE, 0, nothing, 0, nothing, ptr::null_mut(), irp) }
}

/// A client, with `irp` pending in it until it ends.
fn with_pending(kernel: &HostKernel, irp: *mut IRP, program: impl FnOnce(&Client)) {
    let client = Client::new(kernel);
    assert_eq!(pend(&client, irp), STATUS_PENDING);
    program(&client);
    client.end();
}

fn initialize(kernel: &HostKernel, irp: *mut IRP) {
    // SAFETY: of this size.
    unsafe { kernel.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
}

fn reuse(kernel: &HostKernel, irp: *mut IRP) {
    // SAFETY: the memory of an IRP.
    unsafe { kernel.io_reuse_irp(irp, STATUS_SUCCESS) };
}

fn reuse_of_zeroed_memory(kernel: &HostKernel) {
    reuse(kernel, uninitialized());
}

fn handing_over_zeroed_memory(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let _ = pend(&client, uninitialized());
    client.end();
}

fn cancelling_zeroed_memory(kernel: &HostKernel) {
    // SAFETY: the breach is what is tested; the memory stays.
    assert!(!unsafe { kernel.io_cancel_irp(uninitialized()) });
}

fn no_room_for_the_location(kernel: &HostKernel) {
    // SAFETY: writes no more than this.
    unsafe { kernel.io_initialize_irp(uninitialized(), 208, 1) };
}

fn initialising_a_pending_irp(kernel: &HostKernel) {
    let irp = irp(kernel);
    with_pending(kernel, irp, |_| initialize(kernel, irp));
}

fn reusing_a_pending_irp(kernel: &HostKernel) {
    let irp = irp(kernel);
    with_pending(kernel, irp, |_| reuse(kernel, irp));
}

fn reusing_an_irp_that_another_driver_has(kernel: &HostKernel) {
    let irp = irp(kernel);
    call_down(irp);
    reuse(kernel, irp);
    complete(kernel, irp);
}

fn freeing_a_pending_irp(kernel: &HostKernel) {
    let memory = kernel.allocate(1024, TAG).expect("memory");
    let irp: *mut IRP = memory.as_ptr().wrapping_add(64).cast();
    initialize(kernel, irp);
    prepare(irp);
    // SAFETY: allocated so.
    let free = || unsafe { kernel.free(memory, 1024, TAG) };
    with_pending(kernel, irp, |_| free());
    // The memory is there as long as the IRP was pending.
    free();
}

fn handing_over_a_pending_irp(kernel: &HostKernel) {
    let irp = irp(kernel);
    with_pending(kernel, irp, |client| _ = pend(client, irp));
}

fn no_completion_routine(kernel: &HostKernel) {
    let irp = uninitialized();
    initialize(kernel, irp);
    let client = Client::new(kernel);
    let _ = pend(&client, irp);
    client.end();
}

fn not_on_error(kernel: &HostKernel) {
    let irp = irp(kernel);
    // SAFETY: a location is left.
    unsafe { io_set_completion_routine(irp, Some(keep), ptr::null_mut(), true, false, true) };
    let client = Client::new(kernel);
    let _ = pend(&client, irp);
    client.end();
}

fn reused_and_not_prepared(kernel: &HostKernel) {
    let irp = irp(kernel);
    reuse(kernel, irp);
    let client = Client::new(kernel);
    let _ = pend(&client, irp);
    client.end();
}

unsafe extern "C" fn another(_: *mut DEVICE_OBJECT, _: *mut IRP, _: *mut c_void) -> NTSTATUS {
    unreachable!("the routine that was handed over is called");
}

fn another_completion_routine(kernel: &HostKernel) {
    let irp = irp(kernel);
    with_pending(kernel, irp, |_| {
        // SAFETY: the packet is in use, and has a current location.
        let location = unsafe { io_get_current_irp_stack_location(irp) };
        // SAFETY: as above.
        unsafe { (*location).CompletionRoutine = Some(another) };
    });
}

fn completing_twice(kernel: &HostKernel) {
    let irp = irp(kernel);
    call_down(irp);
    complete(kernel, irp);
    complete(kernel, irp);
}

fn completing_what_was_not_handed_over(kernel: &HostKernel) {
    complete(kernel, irp(kernel));
}

unsafe extern "C" fn let_go(_: *mut DEVICE_OBJECT, _: *mut IRP, _: *mut c_void) -> NTSTATUS {
    STATUS_SUCCESS
}

fn success_from_the_completion_routine(kernel: &HostKernel) {
    let irp = irp(kernel);
    // SAFETY: a location is left.
    unsafe { io_set_completion_routine(irp, Some(let_go), ptr::null_mut(), true, true, true) };
    with_pending(kernel, irp, |_| ());
}
