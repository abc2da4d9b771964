//! The dispatch tables of sockets over TCP: C functions that check their arguments and pass them on.

// UNSAFETY: the functions of the tables get raw pointers from the client.
#![expect(unsafe_code, reason = "the client calls through C function pointers")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::IRP;
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_CLIENT_CONNECTION_DISPATCH, WSK_CONTROL_SOCKET_TYPE, WSK_DATA_INDICATION,
    WSK_INSPECT_ACTION, WSK_INSPECT_ID, WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_CONNECTION_DISPATCH,
    WSK_PROVIDER_LISTEN_DISPATCH, WSK_PROVIDER_STREAM_DISPATCH, WSK_SOCKET,
};

use super::accept::{AcceptRequest, put_address};
use super::socket::StreamSocket;
use super::targets::Targets;
use crate::request::Request;
use crate::socket::close;
use crate::socket::control::{ControlRequest, OptionalRequest};
use crate::socket::handle::{of, with_request};

const BASIC: WSK_PROVIDER_BASIC_DISPATCH = WSK_PROVIDER_BASIC_DISPATCH {
    WskControlSocket: Some(control_socket),
    WskCloseSocket: Some(close_socket),
};

pub(super) static LISTEN: WSK_PROVIDER_LISTEN_DISPATCH = WSK_PROVIDER_LISTEN_DISPATCH {
    Basic: BASIC,
    WskBind: Some(bind),
    WskAccept: Some(accept),
    WskInspectComplete: Some(inspect_complete),
    WskGetLocalAddress: Some(get_local_address),
};

pub(super) static CONNECTION: WSK_PROVIDER_CONNECTION_DISPATCH = WSK_PROVIDER_CONNECTION_DISPATCH {
    Basic: BASIC,
    WskBind: Some(bind),
    WskConnect: Some(connect),
    WskGetLocalAddress: Some(get_local_address),
    WskGetRemoteAddress: Some(get_remote_address),
    WskSend: Some(send),
    WskReceive: Some(receive),
    WskDisconnect: Some(disconnect),
    WskRelease: Some(release),
    WskConnectEx: Some(connect_ex),
    WskSendEx: Some(send_ex),
    WskReceiveEx: Some(receive_ex),
};

pub(super) static STREAM: WSK_PROVIDER_STREAM_DISPATCH = WSK_PROVIDER_STREAM_DISPATCH {
    Basic: BASIC,
    WskBind: Some(bind),
    WskAccept: Some(accept),
    WskConnect: Some(connect),
    WskListen: Some(listen),
    WskSend: Some(send),
    WskReceive: Some(receive),
    WskDisconnect: Some(disconnect),
    WskRelease: Some(release),
    WskGetLocalAddress: Some(get_local_address),
    WskGetRemoteAddress: Some(get_remote_address),
    WskConnectEx: Some(connect_ex),
    WskSendEx: Some(send_ex),
    WskReceiveEx: Some(receive_ex),
};

/// Takes the request over and lets `serve` see to its completion.
///
/// # Safety
/// `socket` is open, and `irp` null or handed over.
unsafe fn hand_in(
    socket: *mut WSK_SOCKET,
    irp: *mut IRP,
    serve: impl FnOnce(&Arc<StreamSocket>, Request) -> NTSTATUS,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let socket = unsafe { of::<StreamSocket>(socket) };
    // The client may close it as soon as the request is completed.
    let socket = Arc::clone(&socket);
    // SAFETY: the caller's promise.
    match unsafe { Request::accept(&socket.kernel, irp) } {
        Some(request) => serve(&socket, request),
        None => STATUS_INVALID_PARAMETER,
    }
}

/// The header of a buffer, which is the client's again when the call returns.
///
/// # Safety
/// `buffer` is null or readable.
unsafe fn header(buffer: *mut WSK_BUF) -> Option<WSK_BUF> {
    // SAFETY: the caller's promise.
    unsafe { buffer.as_ref() }.copied()
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
    let socket = unsafe { of::<StreamSocket>(socket) };
    // The client may close it as soon as the request is completed.
    let socket = Arc::clone(&socket);
    // SAFETY: the client's contract: null or a packet it hands over.
    let request = unsafe { Request::accept(&socket.kernel, irp) };
    // SAFETY: the client's contract: buffers of these sizes, until the request completes.
    let control =
        unsafe { ControlRequest::new(request_type, code, level, (input, input_size), (output, output_size)) };
    // SAFETY: the client's contract: null or writable.
    let answer = unsafe { OptionalRequest::new(request, output_size_returned) };
    socket.control(&control, answer)
}

unsafe extern "C" fn close_socket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open, and no call on it but this one.
    unsafe { hand_in(socket, irp, close::close) }
}

unsafe extern "C" fn bind(socket: *mut WSK_SOCKET, local: PSOCKADDR, flags: u32, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<StreamSocket>(socket) };
    // SAFETY: the client's contract: null, or an address as long as its family says.
    let local = unsafe { SOCKADDR_INET::read(local) };
    let serve = || {
        let local = local.filter(|_| flags == 0).ok_or(STATUS_INVALID_PARAMETER)?;
        socket.bind(&local).map(|()| 0)
    };
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, serve) }
}

unsafe extern "C" fn listen(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<StreamSocket>(socket) };
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, || socket.listen().map(|()| 0)) }
}

unsafe extern "C" fn accept(
    socket: *mut WSK_SOCKET,
    flags: u32,
    accept_context: *mut c_void,
    accept_dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
    local: PSOCKADDR,
    remote: PSOCKADDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: null or a table of callbacks.
    let targets = unsafe { Targets::connection(accept_context, accept_dispatch) };
    let item = AcceptRequest { targets, local, remote };
    // SAFETY: the client's contract.
    unsafe {
        hand_in(socket, irp, |socket, request| {
            if flags == 0 {
                socket.accept(request, item)
            } else {
                request.complete(&socket.kernel, STATUS_INVALID_PARAMETER, 0)
            }
        })
    }
}

unsafe extern "C" fn inspect_complete(
    socket: *mut WSK_SOCKET,
    id: *mut WSK_INSPECT_ID,
    action: WSK_INSPECT_ACTION,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<StreamSocket>(socket) };
    // SAFETY: the client's contract: null or readable.
    let id = unsafe { id.as_ref() }.copied();
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, || socket.inspect_complete(id, action)) }
}

unsafe extern "C" fn get_local_address(
    socket: *mut WSK_SOCKET,
    address: PSOCKADDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<StreamSocket>(socket) };
    let serve = || {
        socket.require_alive()?;
        let local = socket.local().ok_or(STATUS_INVALID_DEVICE_STATE)?;
        if address.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the client's contract: room for an address of the socket's family.
        unsafe { put_address(local, address) };
        Ok(0)
    };
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, serve) }
}

unsafe extern "C" fn get_remote_address(
    socket: *mut WSK_SOCKET,
    address: PSOCKADDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<StreamSocket>(socket) };
    let serve = || {
        socket.require_alive()?;
        let remote = socket.state().remote.ok_or(STATUS_INVALID_DEVICE_STATE)?;
        if address.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the client's contract: room for an address of the socket's family.
        unsafe { put_address(remote, address) };
        Ok(0)
    };
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, serve) }
}

unsafe extern "C" fn connect(
    socket: *mut WSK_SOCKET,
    remote: PSOCKADDR,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract.
    unsafe { connect_ex(socket, remote, std::ptr::null_mut(), flags, irp) }
}

unsafe extern "C" fn connect_ex(
    socket: *mut WSK_SOCKET,
    remote: PSOCKADDR,
    buffer: *mut WSK_BUF,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: null, or an address as long as its family says.
    let remote = unsafe { SOCKADDR_INET::read(remote) };
    // SAFETY: the client's contract: null or readable.
    let buffer = unsafe { header(buffer) };
    // SAFETY: the client's contract.
    unsafe {
        hand_in(socket, irp, |socket, request| {
            if flags == 0 {
                socket.connect(request, remote, buffer)
            } else {
                request.complete(&socket.kernel, STATUS_INVALID_PARAMETER, 0)
            }
        })
    }
}

unsafe extern "C" fn send(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: null or readable.
    let buffer = unsafe { header(buffer) };
    // SAFETY: the client's contract.
    unsafe { hand_in(socket, irp, |socket, request| socket.send(request, buffer, flags)) }
}

/// There are no control messages over TCP; without any it is WskSend.
unsafe extern "C" fn send_ex(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    control_length: u32,
    _control: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: null or readable.
    let buffer = unsafe { header(buffer) };
    // SAFETY: the client's contract.
    unsafe {
        hand_in(socket, irp, |socket, request| {
            if control_length == 0 {
                socket.send(request, buffer, flags)
            } else {
                request.complete(&socket.kernel, STATUS_NOT_SUPPORTED, 0)
            }
        })
    }
}

unsafe extern "C" fn receive(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: null or readable.
    let buffer = unsafe { header(buffer) };
    // SAFETY: the client's contract.
    unsafe { hand_in(socket, irp, |socket, request| socket.receive(request, buffer, flags)) }
}

/// WskReceive, with no control messages to tell of.
unsafe extern "C" fn receive_ex(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    control_length: *mut u32,
    _control: *mut CMSGHDR,
    control_flags: *mut u32,
    irp: *mut IRP,
) -> NTSTATUS {
    for out in [control_length, control_flags] {
        if !out.is_null() {
            // SAFETY: the client's contract: writable.
            unsafe { out.write(0) };
        }
    }
    // SAFETY: the client's contract.
    unsafe { receive(socket, buffer, flags, irp) }
}

unsafe extern "C" fn disconnect(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: null or readable.
    let buffer = unsafe { header(buffer) };
    // SAFETY: the client's contract.
    unsafe { hand_in(socket, irp, |socket, request| socket.disconnect(request, buffer, flags)) }
}

unsafe extern "C" fn release(socket: *mut WSK_SOCKET, list: *mut WSK_DATA_INDICATION) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    unsafe { of::<StreamSocket>(socket) }.release(list)
}
