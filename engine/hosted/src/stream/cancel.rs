//! The cancel routines of requests that wait at a socket over TCP.

// UNSAFETY: IoCancelIrp calls them with packets by address.
#![expect(unsafe_code, reason = "cancel routines are C functions")]

use skua_engine::abi::nt::{DEVICE_OBJECT, IRP};
use skua_engine::abi::status::STATUS_CONNECTION_ABORTED;

use super::socket::StreamSocket;
use crate::socket::handle::of_cancelled;

/// The cancel routine of WskAccept.
pub(super) unsafe extern "C" fn accept(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<StreamSocket>(irp) };
    socket.accepts.cancel(&socket.kernel, irp);
}

/// The cancel routine of WskConnect, WskConnectEx and WskSocketConnect.
pub(super) unsafe extern "C" fn connect(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<StreamSocket>(irp) };
    socket.cancel_connect(irp);
}

/// The cancel routine of WskSend.
pub(super) unsafe extern "C" fn send(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<StreamSocket>(irp) };
    socket.sends.cancel(&socket.kernel, irp);
}

/// The cancel routine of WskDisconnect. Part of its data may be on the way, so the connection is reset.
pub(super) unsafe extern "C" fn disconnect(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<StreamSocket>(irp) };
    socket.disconnects.cancel(&socket.kernel, irp);
    socket.abort(STATUS_CONNECTION_ABORTED);
}

/// The cancel routine of WskReceive.
pub(super) unsafe extern "C" fn receive(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<StreamSocket>(irp) };
    socket.receives.cancel(&socket.kernel, irp);
}
