//! The layer's tables: C functions that make a [`Call`] of their arguments.

// UNSAFETY: the functions of the tables get raw pointers from the client.
#![expect(unsafe_code, reason = "the client calls through C function pointers")]

use std::ffi::c_void;

use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{GUID, IRP, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR, UNICODE_STRING};
use skua_engine::abi::sockaddr::{ADDRESS_FAMILY, PSOCKADDR};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use skua_engine::abi::wsk::{
    ADDRINFOEXW, WSK_BUF, WSK_BUF_LIST, WSK_CLIENT, WSK_CLIENT_CONNECTION_DISPATCH, WSK_CONTROL_SOCKET_TYPE,
    WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_INSPECT_ACTION, WSK_INSPECT_ID,
    WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_DATAGRAM_DISPATCH,
    WSK_PROVIDER_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH, WSK_PROVIDER_STREAM_DISPATCH, WSK_SOCKET,
};

use super::layer::Shared;
use super::packet::Packet;
use super::{Arguments, Call, LayeredSocket};

/// The client-level table; its version becomes that of the table below.
pub(super) const PROVIDER: WSK_PROVIDER_DISPATCH = WSK_PROVIDER_DISPATCH {
    Version: 0,
    Reserved: 0,
    WskSocket: Some(socket),
    WskSocketConnect: Some(socket_connect),
    WskControlClient: Some(control_client),
    WskGetAddressInfo: Some(get_address_info),
    WskFreeAddressInfo: Some(free_address_info),
    WskGetNameInfo: Some(get_name_info),
};

pub(super) static BASIC: WSK_PROVIDER_BASIC_DISPATCH = WSK_PROVIDER_BASIC_DISPATCH {
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

pub(super) static DATAGRAM: WSK_PROVIDER_DATAGRAM_DISPATCH = WSK_PROVIDER_DATAGRAM_DISPATCH {
    Basic: BASIC,
    WskBind: Some(bind),
    WskSendTo: Some(send_to),
    WskReceiveFrom: Some(receive_from),
    WskRelease: Some(release_datagrams),
    WskGetLocalAddress: Some(get_local_address),
    WskSendMessages: Some(send_messages),
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
    WskRelease: Some(release_data),
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
    WskRelease: Some(release_data),
    WskGetLocalAddress: Some(get_local_address),
    WskGetRemoteAddress: Some(get_remote_address),
    WskConnectEx: Some(connect_ex),
    WskSendEx: Some(send_ex),
    WskReceiveEx: Some(receive_ex),
};

/// A call of a client.
///
/// # Safety
/// `client` is the layer's, and `irp` null or handed over.
unsafe fn of_client(client: *mut WSK_CLIENT, irp: *mut IRP, arguments: Arguments) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let layer = unsafe { Shared::of(client) };
    // SAFETY: the caller's promise.
    let packet = unsafe { Packet::accept(&layer, None, &arguments, irp) };
    if packet.is_none() && !irp.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let status = Call::new(&layer, None, packet.as_ref(), arguments).pass();
    layer.call_returns(packet.as_ref());
    status
}

/// A call on a socket.
///
/// # Safety
/// `socket` is the layer's and open, or kept, and `irp` null or handed over.
unsafe fn of_socket(socket: *mut WSK_SOCKET, irp: *mut IRP, arguments: Arguments) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let socket = unsafe { LayeredSocket::of(socket.cast_const().cast()) };
    // SAFETY: the caller's promise.
    let packet = unsafe { Packet::accept(&socket.layer, Some(&socket), &arguments, irp) };
    if packet.is_none() && !irp.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let status = Call::new(&socket.layer, Some(&socket), packet.as_ref(), arguments).pass();
    socket.layer.call_returns(packet.as_ref());
    status
}

/// A function of a table, with a packet: its arguments are the fields of `Arguments`.
macro_rules! with_packet {
    ($($of:ident $first:ty: $function:ident = $name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {
        $(
            unsafe extern "C" fn $function(first: $first, $($field: $kind,)* irp: *mut IRP) -> NTSTATUS {
                // SAFETY: the client's contract.
                unsafe { $of(first, irp, Arguments::$name { $($field),* }) }
            }
        )*
    };
}

with_packet! {
    of_client *mut WSK_CLIENT: socket = Socket {
        address_family: ADDRESS_FAMILY,
        socket_type: u16,
        protocol: u32,
        flags: u32,
        socket_context: *mut c_void,
        dispatch: *const c_void,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
        security_descriptor: PSECURITY_DESCRIPTOR,
    }
    of_client *mut WSK_CLIENT: socket_connect = SocketConnect {
        socket_type: u16,
        protocol: u32,
        local_address: PSOCKADDR,
        remote_address: PSOCKADDR,
        flags: u32,
        socket_context: *mut c_void,
        dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
        security_descriptor: PSECURITY_DESCRIPTOR,
    }
    of_client *mut WSK_CLIENT: control_client = ControlClient {
        control_code: u32,
        input_size: usize,
        input_buffer: *mut c_void,
        output_size: usize,
        output_buffer: *mut c_void,
        output_size_returned: *mut usize,
    }
    of_client *mut WSK_CLIENT: get_address_info = GetAddressInfo {
        node_name: *mut UNICODE_STRING,
        service_name: *mut UNICODE_STRING,
        name_space: u32,
        provider: *mut GUID,
        hints: *mut ADDRINFOEXW,
        result: *mut *mut ADDRINFOEXW,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
    }
    of_client *mut WSK_CLIENT: get_name_info = GetNameInfo {
        sock_addr: PSOCKADDR,
        sock_addr_length: u32,
        node_name: *mut UNICODE_STRING,
        service_name: *mut UNICODE_STRING,
        flags: u32,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
    }
    of_socket *mut WSK_SOCKET: control_socket = ControlSocket {
        request_type: WSK_CONTROL_SOCKET_TYPE,
        control_code: u32,
        level: u32,
        input_size: usize,
        input_buffer: *mut c_void,
        output_size: usize,
        output_buffer: *mut c_void,
        output_size_returned: *mut usize,
    }
    of_socket *mut WSK_SOCKET: close_socket = CloseSocket {}
    of_socket *mut WSK_SOCKET: bind = Bind { local_address: PSOCKADDR, flags: u32 }
    of_socket *mut WSK_SOCKET: get_local_address = GetLocalAddress { local_address: PSOCKADDR }
    of_socket *mut WSK_SOCKET: get_remote_address = GetRemoteAddress { remote_address: PSOCKADDR }
    of_socket *mut WSK_SOCKET: send_to = SendTo {
        buffer: *mut WSK_BUF,
        flags: u32,
        remote_address: PSOCKADDR,
        control_info_length: u32,
        control_info: *mut CMSGHDR,
    }
    of_socket *mut WSK_SOCKET: receive_from = ReceiveFrom {
        buffer: *mut WSK_BUF,
        flags: u32,
        remote_address: PSOCKADDR,
        control_length: *mut u32,
        control_info: *mut CMSGHDR,
        control_flags: *mut u32,
    }
    of_socket *mut WSK_SOCKET: send_messages = SendMessages {
        buffer_list: *mut WSK_BUF_LIST,
        flags: u32,
        remote_address: PSOCKADDR,
        control_info_length: u32,
        control_info: *mut CMSGHDR,
    }
    of_socket *mut WSK_SOCKET: accept = Accept {
        flags: u32,
        accept_socket_context: *mut c_void,
        accept_socket_dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        local_address: PSOCKADDR,
        remote_address: PSOCKADDR,
    }
    of_socket *mut WSK_SOCKET: inspect_complete = InspectComplete {
        inspect_id: *mut WSK_INSPECT_ID,
        action: WSK_INSPECT_ACTION,
    }
    of_socket *mut WSK_SOCKET: listen = Listen {}
    of_socket *mut WSK_SOCKET: connect = Connect { remote_address: PSOCKADDR, flags: u32 }
    of_socket *mut WSK_SOCKET: connect_ex = ConnectEx {
        remote_address: PSOCKADDR,
        buffer: *mut WSK_BUF,
        flags: u32,
    }
    of_socket *mut WSK_SOCKET: send = Send { buffer: *mut WSK_BUF, flags: u32 }
    of_socket *mut WSK_SOCKET: receive = Receive { buffer: *mut WSK_BUF, flags: u32 }
    of_socket *mut WSK_SOCKET: disconnect = Disconnect { buffer: *mut WSK_BUF, flags: u32 }
    of_socket *mut WSK_SOCKET: send_ex = SendEx {
        buffer: *mut WSK_BUF,
        flags: u32,
        control_info_length: u32,
        control_info: *mut CMSGHDR,
    }
    of_socket *mut WSK_SOCKET: receive_ex = ReceiveEx {
        buffer: *mut WSK_BUF,
        flags: u32,
        control_info_length: *mut u32,
        control_info: *mut CMSGHDR,
        control_flags: *mut u32,
    }
}

unsafe extern "C" fn free_address_info(client: *mut WSK_CLIENT, addr_info: *mut ADDRINFOEXW) {
    // SAFETY: the client's contract.
    let _none = unsafe { of_client(client, std::ptr::null_mut(), Arguments::FreeAddressInfo { addr_info }) };
}

unsafe extern "C" fn release_datagrams(
    socket: *mut WSK_SOCKET,
    datagram_indication: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    let arguments = Arguments::ReleaseDatagrams { datagram_indication };
    // SAFETY: the client's contract.
    unsafe { of_socket(socket, std::ptr::null_mut(), arguments) }
}

unsafe extern "C" fn release_data(
    socket: *mut WSK_SOCKET,
    data_indication: *mut WSK_DATA_INDICATION,
) -> NTSTATUS {
    let arguments = Arguments::ReleaseData { data_indication };
    // SAFETY: the client's contract.
    unsafe { of_socket(socket, std::ptr::null_mut(), arguments) }
}
