//! A basic socket: it can be controlled and closed, and nothing else.

// UNSAFETY: the functions of the table get raw pointers from the client.
#![expect(unsafe_code, reason = "the client calls through C function pointers")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_INVALID_PARAMETER};
use skua_engine::abi::wsk::{WSK_CONTROL_SOCKET_TYPE, WSK_PROVIDER_BASIC_DISPATCH, WSK_SOCKET};

use super::address_change::{AddressChanges, Watches};
use super::close::{self, Closable, Rundown};
use super::control::{ControlRequest, OptionalRequest};
use super::controls::{self, Controls};
use super::handle::{self, Footprint, PublicSocket, of};
use crate::HostKernel;
use crate::kernel::registration::Client;
use crate::os::StackEndpoint;
use crate::request::Request;

/// A basic socket. WSK_SOCKET is its first field, so the client's pointer is its address.
///
/// # Invariants
/// The client's pointer counts as one `Arc`, given back when nobody holds the rundown any more.
#[repr(C)]
pub(crate) struct BasicSocket {
    _public: PublicSocket,
    kernel: HostKernel,
    controls: Controls<dyn StackEndpoint>,
    changes: AddressChanges,
    rundown: Rundown,
    client: Arc<Client>,
    _memory: Footprint,
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
        handle::to_client(Arc::new(Self {
            _public: PublicSocket::of(&BASIC),
            _memory: Footprint::new(&kernel),
            kernel,
            controls,
            changes: AddressChanges::of::<Self>(),
            rundown: Rundown::default(),
            client,
        }))
    }
}

impl Closable for BasicSocket {
    fn kernel(&self) -> &HostKernel {
        &self.kernel
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn rundown(&self) -> &Rundown {
        &self.rundown
    }

    fn begin_closing(&self) {
        self.changes.close(&self.kernel, STATUS_CANCELLED);
    }

    fn finish(&self) {
        self.controls.wire().close();
        self.kernel.ledger().sockets.remove(1);
    }

    fn has_lent(&self) -> bool {
        false
    }
}

impl Watches for BasicSocket {
    fn changes(&self) -> &AddressChanges {
        &self.changes
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
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<BasicSocket>(socket) };
    // The client may close it as soon as the request is completed.
    let socket = Arc::clone(&socket);
    // SAFETY: the client's contract: null or a packet it hands over.
    let request = unsafe { Request::accept(&socket.kernel, irp) };
    // SAFETY: the client's contract: buffers of these sizes, until the request completes.
    let control =
        unsafe { ControlRequest::new(request_type, code, level, (input, input_size), (output, output_size)) };
    // SAFETY: the client's contract: null or writable.
    let answer = unsafe { OptionalRequest::new(request, output_size_returned) };
    controls::serve(&socket, &socket.controls, &control, answer)
}

unsafe extern "C" fn close_socket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open, and no call on it but this one.
    let socket = unsafe { of::<BasicSocket>(socket) };
    // The client's reference may end in here.
    let socket = Arc::clone(&socket);
    // SAFETY: the client's contract: null or a packet it hands over.
    match unsafe { Request::accept(&socket.kernel, irp) } {
        Some(request) => close::close(&socket, request),
        None => STATUS_INVALID_PARAMETER,
    }
}
