//! The dispatch table of datagram sockets: C functions that check their arguments and pass them on.

// UNSAFETY: the functions of the table get raw pointers from the client.
#![expect(unsafe_code, reason = "the client calls through C function pointers")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{DEVICE_OBJECT, IRP};
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_BUF_LIST, WSK_CONTROL_SOCKET_TYPE, WSK_DATAGRAM_INDICATION, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET,
};

use super::close::{self, Hold};
use super::control::{ControlRequest, OptionalRequest};
use super::datagram::DatagramSocket;
use super::handle::{context, of, of_cancelled, with_request};
use super::pending::Waiting;
use crate::receive::ReceiveRequest;
use crate::request::Request;
use crate::send::{Messages, parse_control};

pub(crate) static DATAGRAM: WSK_PROVIDER_DATAGRAM_DISPATCH = WSK_PROVIDER_DATAGRAM_DISPATCH {
    Basic: WSK_PROVIDER_BASIC_DISPATCH {
        WskControlSocket: Some(control_socket),
        WskCloseSocket: Some(close_socket),
    },
    WskBind: Some(bind),
    WskSendTo: Some(send_to),
    WskReceiveFrom: Some(receive_from),
    WskRelease: Some(release),
    WskGetLocalAddress: Some(get_local_address),
    WskSendMessages: Some(send_messages),
};

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
    let socket = unsafe { of::<DatagramSocket>(socket) };
    // The client may close it as soon as the request is completed.
    let socket = Arc::clone(&socket);
    // SAFETY: the client's contract: null or a packet it hands over.
    let request = unsafe { Request::accept(&socket.kernel, irp) };
    // SAFETY: the client's contract: buffers of these sizes, until the request completes.
    let control =
        unsafe { ControlRequest::new(request_type, code, level, (input, input_size), (output, output_size)) };
    // SAFETY: the client's contract: null or writable.
    let answer = unsafe { OptionalRequest::new(request, output_size_returned) };
    socket.control(control, answer)
}

unsafe extern "C" fn close_socket(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open, and no call on it but this one.
    let socket = unsafe { of::<DatagramSocket>(socket) };
    // The client's reference may end in here.
    let socket = Arc::clone(&socket);
    // SAFETY: the client's contract.
    match unsafe { Request::accept(&socket.kernel, irp) } {
        Some(request) => close::close(&socket, request),
        None => STATUS_INVALID_PARAMETER,
    }
}

unsafe extern "C" fn bind(socket: *mut WSK_SOCKET, local: PSOCKADDR, flags: u32, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<DatagramSocket>(socket) };
    // SAFETY: the client's contract: null, or an address as long as its family says.
    let local = unsafe { SOCKADDR_INET::read(local) };
    let serve = || {
        let local = local.filter(|_| flags == 0).ok_or(STATUS_INVALID_PARAMETER)?;
        socket.bind(&local).map(|()| 0)
    };
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, serve) }
}

unsafe extern "C" fn get_local_address(
    socket: *mut WSK_SOCKET,
    address: PSOCKADDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<DatagramSocket>(socket) };
    let serve = || {
        let local = SOCKADDR_INET::from(*socket.require_bound()?);
        if address.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let (from, to) = (local.as_ptr().cast::<u8>(), address.cast::<u8>());
        // SAFETY: not null, so writable for an address of the socket's family.
        unsafe { std::ptr::copy_nonoverlapping(from, to, local.len()) };
        Ok(0)
    };
    // SAFETY: the client's contract.
    unsafe { with_request(&socket.kernel, irp, serve) }
}

unsafe extern "C" fn send_to(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    remote: PSOCKADDR,
    control_length: u32,
    control: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    let messages = if buffer.is_null() {
        None
    } else {
        // SAFETY: the client's contract: a readable header.
        let buffer = unsafe { *buffer };
        // SAFETY: the client's contract: the chain is the provider's until the request completes.
        Some(unsafe { Messages::one(buffer) })
    };
    // SAFETY: the client's contract.
    unsafe { send(socket, messages, flags, remote, control_length, control, irp) }
}

unsafe extern "C" fn send_messages(
    socket: *mut WSK_SOCKET,
    list: *mut WSK_BUF_LIST,
    flags: u32,
    remote: PSOCKADDR,
    control_length: u32,
    control: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a list that is the provider's until the request completes.
    let messages = (!list.is_null()).then(|| unsafe { Messages::list(list) });
    // SAFETY: the client's contract.
    unsafe { send(socket, messages, flags, remote, control_length, control, irp) }
}

/// # Safety
/// As for WskSendTo and WskSendMessages.
unsafe fn send(
    socket: *mut WSK_SOCKET,
    messages: Option<Messages>,
    flags: u32,
    remote: PSOCKADDR,
    control_length: u32,
    control: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<DatagramSocket>(socket) };
    // SAFETY: the client's contract.
    let Some(request) = (unsafe { Request::accept(&socket.kernel, irp) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    let address = if remote.is_null() {
        None
    } else {
        // SAFETY: the client's contract: an address as long as its family says.
        Some(unsafe { SOCKADDR_INET::read(remote) })
    };
    // SAFETY: the client's contract: `control_length` readable bytes.
    let control = unsafe { parse_control(control, control_length as usize) };
    match (messages, control) {
        (Some(messages), Ok(control)) if flags == 0 => socket.send(request, messages, address, control),
        (_, Err(status)) => request.complete(&socket.kernel, status, 0),
        _ => request.complete(&socket.kernel, STATUS_INVALID_PARAMETER, 0),
    }
}

unsafe extern "C" fn receive_from(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    remote: PSOCKADDR,
    control_length: *mut u32,
    control: *mut CMSGHDR,
    control_flags: *mut u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    let socket = unsafe { of::<DatagramSocket>(socket) };
    // SAFETY: the client's contract.
    let Some(request) = (unsafe { Request::accept(&socket.kernel, irp) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    if let Err(status) = socket.require_bound() {
        return request.complete(&socket.kernel, status, 0);
    }
    if buffer.is_null() || flags != 0 {
        return request.complete(&socket.kernel, STATUS_INVALID_PARAMETER, 0);
    }
    // SAFETY: not null, so readable; the header is the client's again when this returns.
    let buffer = unsafe { *buffer };
    let item = ReceiveRequest { buffer, remote, control_length, control, flags: control_flags };
    // The client's own hold lasts as long as it may call.
    let Some(hold) = Hold::new(&socket) else {
        return request.complete(&socket.kernel, STATUS_INVALID_PARAMETER, 0);
    };
    match socket.receives.submit(context(&socket), Waiting { request, item, hold }) {
        Ok(pending) => {
            socket.ring_all();
            pending
        }
        Err((waiting, status)) => waiting.refuse(&socket.kernel, status, 0),
    }
}

unsafe extern "C" fn release(socket: *mut WSK_SOCKET, list: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
    // SAFETY: the client's contract: a socket that is open.
    unsafe { of::<DatagramSocket>(socket) }.release(list)
}

/// The cancel routine of WskReceiveFrom.
pub(super) unsafe extern "C" fn cancel_receive(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<DatagramSocket>(irp) };
    socket.receives.cancel(&socket.kernel, irp);
}

/// The cancel routine of WskSendTo and WskSendMessages.
pub(super) unsafe extern "C" fn cancel_send(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<DatagramSocket>(irp) };
    socket.sends.cancel(&socket.kernel, irp);
}
