//! A kernel whose packets belong to somebody else's I/O manager: the one in this file, of the plainest kind.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, KIRQL, PASSIVE_LEVEL, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS, SL_PENDING_RETURNED, io_get_current_irp_stack_location,
    io_skip_current_irp_stack_location,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::zeroed;
use skua_hosted::{Executive, HostConfig, HostKernel};

use crate::raw::socket::{Buffer, Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, check, eventually};

/// Packets that ended here because no completion routine kept them, by address, with their status.
static ENDED: Mutex<Option<HashMap<usize, NTSTATUS>>> = Mutex::new(None);
/// The cancel spin lock.
static CANCEL: AtomicBool = AtomicBool::new(false);
/// How often it was acquired, and released.
static ACQUIRED: AtomicU32 = AtomicU32::new(0);
static RELEASED: AtomicU32 = AtomicU32::new(0);
/// How many packets were completed.
static COMPLETED: AtomicU32 = AtomicU32::new(0);

const EXECUTIVE: Executive = Executive {
    iof_complete_request: complete_request,
    io_acquire_cancel_spin_lock: acquire_cancel_spin_lock,
    io_release_cancel_spin_lock: release_cancel_spin_lock,
    breach: |rule, message| panic!("{rule}: {message}"),
};

fn kernel() -> HostKernel {
    HostKernel::new(HostConfig { executive: Some(EXECUTIVE), ..HostConfig::loopback(2) })
}

unsafe extern "C" fn complete_request(irp: *mut IRP, _priority_boost: i8) {
    COMPLETED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the provider had it and gives it up.
    let status = unsafe { (*irp).IoStatus.Status };
    let outcome = if status.is_success() { SL_INVOKE_ON_SUCCESS } else { SL_INVOKE_ON_ERROR };
    // SAFETY: as above.
    let outcome = if unsafe { (*irp).Cancel } != 0 { outcome | SL_INVOKE_ON_CANCEL } else { outcome };
    // SAFETY: as above.
    while unsafe { (*irp).CurrentLocation } <= unsafe { (*irp).StackCount } {
        // SAFETY: a location is left.
        let location = unsafe { io_get_current_irp_stack_location(irp) };
        // SAFETY: one of the packet's own.
        let location = unsafe { location.read() };
        // SAFETY: as above.
        unsafe { io_skip_current_irp_stack_location(irp) };
        // SAFETY: as above.
        unsafe { (*irp).PendingReturned = location.Control & SL_PENDING_RETURNED };
        let Some(routine) = location.CompletionRoutine.filter(|_| location.Control & outcome != 0) else {
            continue;
        };
        // SAFETY: set by the owner, with this context.
        let verdict = unsafe { routine(std::ptr::null_mut(), irp, location.Context) };
        if verdict == STATUS_MORE_PROCESSING_REQUIRED {
            return;
        }
    }
    ENDED.lock().unwrap().get_or_insert_default().insert(irp.addr(), status);
}

unsafe extern "C" fn acquire_cancel_spin_lock(irql: *mut KIRQL) {
    while CANCEL.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        std::thread::yield_now();
    }
    ACQUIRED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the caller's to be written.
    unsafe { irql.write(PASSIVE_LEVEL) };
}

unsafe extern "C" fn release_cancel_spin_lock(_irql: KIRQL) {
    RELEASED.fetch_add(1, Ordering::SeqCst);
    assert!(CANCEL.swap(false, Ordering::SeqCst), "held");
}

/// IoCancelIrp of this I/O manager.
fn cancel(irp: *mut IRP) -> bool {
    let mut irql = PASSIVE_LEVEL;
    // SAFETY: a local.
    unsafe { acquire_cancel_spin_lock(&raw mut irql) };
    // SAFETY: the packet outlives the call.
    unsafe { (*irp).Cancel = 1 };
    // SAFETY: as above; the provider takes the routine out by an exchange of its own, which this one excludes only as far
    // as a test of two threads needs that.
    let routine = std::mem::take(unsafe { &mut (*irp).CancelRoutine });
    let Some(routine) = routine else {
        // SAFETY: acquired above.
        unsafe { release_cancel_spin_lock(irql) };
        return false;
    };
    // SAFETY: whoever takes the routine out owns the field.
    unsafe { (*irp).CancelIrql = irql };
    // SAFETY: NT's contract; the routine releases the lock.
    unsafe { routine(std::ptr::null_mut(), irp) };
    true
}

/// Takes the entry out: another packet may get the address.
fn ended(irp: *mut IRP) -> Option<NTSTATUS> {
    ENDED.lock().unwrap().as_mut().and_then(|ended| ended.remove(&irp.addr()))
}

#[test]
fn packets_are_completed_and_cancelled_by_their_own_executive() {
    let kernel = kernel();
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let completed = COMPLETED.load(Ordering::SeqCst);
    assert!(completed > 0, "creating and binding took packets");
    let mut target = Target::new(&kernel, &[16]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    assert!(cancel(irp.raw()));
    let completion = irp.wait();
    assert_eq!(completion.status, Some(STATUS_CANCELLED));
    check(STATUS_PENDING, completion);
    assert_eq!(ended(irp.raw()), None, "its completion routine kept it");
    assert_eq!(ACQUIRED.load(Ordering::SeqCst), RELEASED.load(Ordering::SeqCst));
    assert!(!cancel(irp.raw()), "completed already");
    // One that was cancelled before it was handed over does not wait.
    irp.reuse();
    assert!(!cancel(irp.raw()));
    let returned = socket.receive_from(&mut target, irp.raw());
    assert_eq!(returned, STATUS_CANCELLED);
    check(returned, irp.wait());
    socket.close();
    client.end();
}

#[test]
fn a_packet_that_no_completion_routine_keeps_is_ended_by_its_executive() {
    let kernel = kernel();
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let mut target = Target::new(&kernel, &[16]);
    let mut packet: Box<EmbeddedIrp> = Box::new(zeroed());
    let irp = EmbeddedIrp::as_irp(&raw mut *packet);
    // SAFETY: boxed, of the size given.
    unsafe { kernel.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
    assert_eq!(socket.receive_from(&mut target, irp), STATUS_PENDING);
    let buffer = Buffer::new(&kernel, &[b"to itself"]);
    let mut send = Irp::new(&kernel);
    let to = socket.local();
    let sent = send.run(|irp| socket.send_with(&mut buffer.header(), Some(to), &[], irp));
    assert_eq!(sent, (STATUS_SUCCESS, 9));
    eventually("the executive ends it", || ended(irp) == Some(STATUS_SUCCESS));
    assert_eq!(target.bytes(9), b"to itself");
    socket.close();
    client.end();
}
