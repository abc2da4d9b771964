//! A basic socket: it can be controlled and closed, and nothing else.

// UNSAFETY: the functions of the table get raw pointers from the client.
#![expect(unsafe_code, reason = "the client calls through C function pointers")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_CONTROL_SOCKET_TYPE, WSK_PROVIDER_BASIC_DISPATCH, WSK_SOCKET};

use super::control::{ControlRequest, Controls, OptionalRequest};
use super::handle::PublicSocket;
use crate::HostKernel;
use crate::kernel::registration::Client;
use crate::os::StackEndpoint;
use crate::request::Request;

/// A basic socket. WSK_SOCKET is its first field, so the client's pointer is its address.
///
/// # Invariants
/// It is a `Box` that the client's pointer owns, from creation to WskCloseSocket.
#[repr(C)]
pub(crate) struct BasicSocket {
    _public: PublicSocket,
    kernel: HostKernel,
    controls: Controls<dyn StackEndpoint>,
    client: Arc<Client>,
}

static BASIC: WSK_PROVIDER_BASIC_DISPATCH = WSK_PROVIDER_BASIC_DISPATCH {
    WskControlSocket: Some(control_socket),
    WskCloseSocket: Some(close_socket),
};

impl BasicSocket {
    /// A new socket, as the client gets it.
    pub(crate) fn open(client: Arc<Client>, controls: Controls<dyn StackEndpoint>) -> *mut WSK_SOCKET {
        let kernel = client.kernel.clone();
        client.socket_opened();
        kernel.ledger().sockets.add(1);
        let socket = Self { _public: PublicSocket::of(&BASIC), kernel, controls, client };
        Box::into_raw(Box::new(socket)).cast()
    }
}

unsafe extern "C" fn control_socket(
    socket: *mut WSK_SOCKET,
    request_type: WSK_CONTROL_SOCKET_TYPE,
    code: u32,
    level: u32,
    input_size: usize,
    input: *mut c_void,
    output_size: usize,
    output: *mut c_void,
    output_size_returned: *mut usize,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a basic socket that is open.
    let socket = unsafe { &*socket.cast::<BasicSocket>() };
    // SAFETY: the client's contract: null or a packet it hands over.
    let request = unsafe { Request::accept(&socket.kernel, irp) };
    // SAFETY: the client's contract: buffers of these sizes, until the request completes.
    let control =
        unsafe { ControlRequest::new(request_type, code, level, (input, input_size), (output, output_size)) };
    // SAFETY: the client's contract: null or writable.
    let answer = unsafe { OptionalRequest::new(request, output_size_returned) };
    answer.conclude_with(&socket.kernel, || socket.controls.serve(&control))
}

unsafe extern "C" fn close_socket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    let socket = socket.cast::<BasicSocket>();
    // SAFETY: the client's contract: a basic socket that is open.
    let kernel = unsafe { &(*socket).kernel }.clone();
    // SAFETY: the client's contract: null or a packet it hands over.
    let Some(request) = (unsafe { Request::accept(&kernel, irp) }) else { return STATUS_INVALID_PARAMETER };
    // SAFETY: the pointer owns the box, and closing it is the last use.
    let socket = unsafe { Box::from_raw(socket) };
    socket.controls.wire().close();
    kernel.ledger().sockets.remove(1);
    let client = Arc::clone(&socket.client);
    drop(socket);
    let status = request.complete(&kernel, STATUS_SUCCESS, 0);
    client.socket_closed();
    status
}
