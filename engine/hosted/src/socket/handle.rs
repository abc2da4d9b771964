//! The client's pointer to a socket: one reference, from creation to the close.

// UNSAFETY: turns the client's pointers back into references.
#![expect(unsafe_code, reason = "the client holds sockets by address")]

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_SOCKET;

use super::close::Closable;
use crate::HostKernel;
use crate::kernel::irp::cancel_irql;
use crate::request::{Request, cancel_context};

/// What the client sees of a socket.
#[repr(transparent)]
pub(crate) struct PublicSocket(WSK_SOCKET);

// SAFETY: written once, and the table it leads to is static.
unsafe impl Send for PublicSocket {}
// SAFETY: as above.
unsafe impl Sync for PublicSocket {}

impl PublicSocket {
    pub(crate) fn of<T>(table: &'static T) -> Self {
        Self(WSK_SOCKET { Dispatch: std::ptr::from_ref(table).cast() })
    }
}

/// Stands in a socket for the memory it takes, which WSK frees when the socket is closed.
pub(crate) struct Footprint(HostKernel);

impl Footprint {
    pub(crate) fn new(kernel: &HostKernel) -> Self {
        kernel.ledger().footprints.add(1);
        Self(kernel.clone())
    }
}

impl Drop for Footprint {
    fn drop(&mut self) {
        self.0.ledger().footprints.remove(1);
    }
}

/// Turns a new socket into the pointer that the client gets.
pub(crate) fn to_client<T: Closable>(socket: Arc<T>) -> *mut WSK_SOCKET {
    Arc::into_raw(socket).cast_mut().cast()
}

/// The socket behind a client's pointer. The client's reference stays the client's.
///
/// # Safety
/// `socket` came from [`to_client`] for a `T`, and is not closed.
pub(crate) unsafe fn of<T: Closable>(socket: *mut WSK_SOCKET) -> ManuallyDrop<Arc<T>> {
    // SAFETY: the pointer counts as one reference, which this does not give back.
    ManuallyDrop::new(unsafe { Arc::from_raw(socket.cast::<T>().cast_const()) })
}

/// Ends the reference that [`to_client`] gave. Called once, when the socket is closed.
pub(super) fn drop_client_reference(socket: &Arc<dyn Closable>) {
    // SAFETY: the client's reference is live until here, and `socket` is another.
    unsafe { Arc::decrement_strong_count(Arc::as_ptr(socket)) };
}

/// What a cancel routine finds the socket by. Valid while a request waits, which holds the socket.
pub(crate) fn context<T: Closable>(socket: &Arc<T>) -> *mut c_void {
    Arc::as_ptr(socket).cast_mut().cast()
}

/// Finds the socket in a cancel routine, and releases the cancel spin lock.
///
/// # Safety
/// `irp` is in a queue of a `T`, armed with its [`context`], and its cancel routine runs.
pub(crate) unsafe fn of_cancelled<T: Closable>(irp: *mut IRP) -> Arc<T> {
    // SAFETY: the packet was armed.
    let context = unsafe { cancel_context(irp) }.cast::<T>().cast_const();
    // SAFETY: the packet's entry holds the socket until it is removed, which only this routine may do now.
    unsafe { Arc::increment_strong_count(context) };
    // SAFETY: the reference just taken.
    let socket = unsafe { Arc::from_raw(context) };
    // SAFETY: the packet was being cancelled when this was called.
    let irql = unsafe { cancel_irql(irp) };
    socket.kernel().io_release_cancel_spin_lock(irql);
    socket
}

/// Completes with what `serve` says, when it has not let the request wait.
///
/// # Safety
/// `irp` is null or handed over.
pub(crate) unsafe fn with_request(
    kernel: &HostKernel,
    irp: *mut IRP,
    serve: impl FnOnce() -> Result<usize, NTSTATUS>,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let Some(request) = (unsafe { Request::accept(kernel, irp) }) else { return STATUS_INVALID_PARAMETER };
    match serve() {
        Ok(information) => request.complete(kernel, STATUS_SUCCESS, information),
        Err(status) => request.complete(kernel, status, 0),
    }
}
