//! The client tables that the provider below is given, and the way from them to the client's.

// UNSAFETY: the functions of the tables get raw pointers from the provider, and call the client's.
#![expect(unsafe_code, reason = "event callbacks are C functions")]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use skua_engine::abi::sockaddr::PSOCKADDR;
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH,
    WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_INSPECT_ACTION, WSK_INSPECT_ID, WSK_SOCKET,
    WskInspectReject,
};

use super::socket::Target;
use super::{Category, Event, EventArguments, LayeredSocket};

/// The table for a client's; a callback is there if the client has one.
pub(super) fn datagram(client: Option<&WSK_CLIENT_DATAGRAM_DISPATCH>) -> WSK_CLIENT_DATAGRAM_DISPATCH {
    let has_receive = client.is_some_and(|table| table.WskReceiveFromEvent.is_some());
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: if has_receive { Some(receive_from) } else { None } }
}

/// As [`datagram`].
pub(super) fn listen(client: Option<&WSK_CLIENT_LISTEN_DISPATCH>) -> WSK_CLIENT_LISTEN_DISPATCH {
    let has_accept = client.is_some_and(|table| table.WskAcceptEvent.is_some());
    let has_inspect = client.is_some_and(|table| table.WskInspectEvent.is_some());
    let has_abort = client.is_some_and(|table| table.WskAbortEvent.is_some());
    WSK_CLIENT_LISTEN_DISPATCH {
        WskAcceptEvent: if has_accept { Some(accept) } else { None },
        WskInspectEvent: if has_inspect { Some(inspect) } else { None },
        WskAbortEvent: if has_abort { Some(abort) } else { None },
    }
}

/// As [`datagram`].
pub(super) fn connection(client: Option<&WSK_CLIENT_CONNECTION_DISPATCH>) -> WSK_CLIENT_CONNECTION_DISPATCH {
    let has_receive = client.is_some_and(|table| table.WskReceiveEvent.is_some());
    let has_disconnect = client.is_some_and(|table| table.WskDisconnectEvent.is_some());
    let has_backlog = client.is_some_and(|table| table.WskSendBacklogEvent.is_some());
    WSK_CLIENT_CONNECTION_DISPATCH {
        WskReceiveEvent: if has_receive { Some(receive) } else { None },
        WskDisconnectEvent: if has_disconnect { Some(disconnect) } else { None },
        WskSendBacklogEvent: if has_backlog { Some(send_backlog) } else { None },
    }
}

/// Calls the client. What has no callback is answered as by one that takes nothing.
pub(super) fn call(socket: &Arc<LayeredSocket>, arguments: &mut EventArguments) -> NTSTATUS {
    let Some(target) = socket.target() else { return STATUS_NOT_SUPPORTED };
    // SAFETY: the target is the socket's, and the arguments are the provider's, or as good.
    unsafe { call_target(target, arguments) }.unwrap_or(STATUS_NOT_SUPPORTED)
}

/// # Safety
/// The arguments are what a provider may call the client with.
unsafe fn call_target(target: &Target, arguments: &mut EventArguments) -> Option<NTSTATUS> {
    let context = target.context;
    let listen = target.listen.as_ref();
    let connection = target.connection.as_ref();
    Some(match *arguments {
        EventArguments::ReceiveFrom { flags, data_indication } => {
            let callback = target.datagram.as_ref()?.WskReceiveFromEvent?;
            // SAFETY: the caller's promise; the context goes with the callback.
            unsafe { callback(context, flags, data_indication) }
        }
        EventArguments::Accept {
            flags,
            local_address,
            remote_address,
            accept_socket,
            accept_socket_context,
            accept_socket_dispatch,
        } => {
            let callback = listen?.WskAcceptEvent?;
            // SAFETY: as above.
            unsafe {
                callback(
                    context,
                    flags,
                    local_address,
                    remote_address,
                    accept_socket,
                    accept_socket_context,
                    accept_socket_dispatch,
                )
            }
        }
        EventArguments::Inspect { local_address, remote_address, inspect_id, ref mut action } => {
            let callback = listen?.WskInspectEvent?;
            // SAFETY: as above.
            *action = unsafe { callback(context, local_address, remote_address, inspect_id) };
            STATUS_SUCCESS
        }
        EventArguments::Abort { inspect_id } => {
            let callback = listen?.WskAbortEvent?;
            // SAFETY: as above.
            unsafe { callback(context, inspect_id) }
        }
        EventArguments::Receive { flags, data_indication, bytes_indicated, bytes_accepted } => {
            let callback = connection?.WskReceiveEvent?;
            // SAFETY: as above.
            unsafe { callback(context, flags, data_indication, bytes_indicated, bytes_accepted) }
        }
        EventArguments::Disconnect { flags } => {
            let callback = connection?.WskDisconnectEvent?;
            // SAFETY: as above.
            unsafe { callback(context, flags) }
        }
        EventArguments::SendBacklog { ideal_backlog_size } => {
            let callback = connection?.WskSendBacklogEvent?;
            // SAFETY: as above.
            unsafe { callback(context, ideal_backlog_size) }
        }
    })
}

/// Sends a callback of the provider up.
///
/// # Safety
/// `context` is what the layer gave the provider for a socket that is not closed, and the arguments are the provider's.
unsafe fn indicate(context: *mut c_void, arguments: EventArguments) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let socket = unsafe { LayeredSocket::of(context) };
    Event::new(&socket, arguments).pass()
}

unsafe extern "C" fn receive_from(
    context: *mut c_void,
    flags: u32,
    data_indication: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the provider's contract.
    unsafe { indicate(context, EventArguments::ReceiveFrom { flags, data_indication }) }
}

/// Puts a socket of the layer before the accepted one while the client decides, and for good if it accepts.
unsafe extern "C" fn accept(
    context: *mut c_void,
    flags: u32,
    local_address: PSOCKADDR,
    remote_address: PSOCKADDR,
    accept_socket: *mut WSK_SOCKET,
    accept_socket_context: *mut *mut c_void,
    accept_socket_dispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    // SAFETY: the provider's contract.
    let listener = unsafe { LayeredSocket::of(context) };
    let accepted = (!accept_socket.is_null()).then(|| {
        let accepted = LayeredSocket::new(&listener.layer, Category::Connection);
        accepted.set_lower(accept_socket);
        accepted
    });
    let (mut own_context, mut own_dispatch) = (null_mut(), null());
    let arguments = EventArguments::Accept {
        flags,
        local_address,
        remote_address,
        accept_socket: accepted.as_ref().map_or(null_mut(), |accepted| accepted.client_pointer()),
        accept_socket_context: &raw mut own_context,
        accept_socket_dispatch: &raw mut own_dispatch,
    };
    // The client's, if it accepts; it may use and close the socket before it returns.
    let clients = accepted.as_ref().map(|accepted| Arc::clone(accepted).to_client());
    let status = Event::new(&listener, arguments).pass();
    let (Some(accepted), Some(clients)) = (accepted, clients) else { return status };
    if status != STATUS_SUCCESS {
        // SAFETY: the client has not taken it, so this reference is still there.
        drop(unsafe { Arc::from_raw(clients.cast::<LayeredSocket>().cast_const()) });
        return status;
    }
    // SAFETY: the client's table for a connection, or null.
    let (context, dispatch) = unsafe { accepted.aim(own_context, own_dispatch.cast()) };
    // SAFETY: the provider's out parameters.
    unsafe { accept_socket_context.write(context) };
    // SAFETY: as above.
    unsafe { accept_socket_dispatch.write(dispatch.cast()) };
    status
}

unsafe extern "C" fn inspect(
    context: *mut c_void,
    local_address: PSOCKADDR,
    remote_address: PSOCKADDR,
    inspect_id: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION {
    // SAFETY: the provider's contract.
    let socket = unsafe { LayeredSocket::of(context) };
    let action = WskInspectReject;
    let arguments = EventArguments::Inspect { local_address, remote_address, inspect_id, action };
    let mut event = Event::new(&socket, arguments);
    let _answered = event.pass();
    match event.arguments {
        EventArguments::Inspect { action, .. } => action,
        _ => WskInspectReject,
    }
}

unsafe extern "C" fn abort(context: *mut c_void, inspect_id: *mut WSK_INSPECT_ID) -> NTSTATUS {
    // SAFETY: the provider's contract.
    unsafe { indicate(context, EventArguments::Abort { inspect_id }) }
}

unsafe extern "C" fn receive(
    context: *mut c_void,
    flags: u32,
    data_indication: *mut WSK_DATA_INDICATION,
    bytes_indicated: usize,
    bytes_accepted: *mut usize,
) -> NTSTATUS {
    let arguments = EventArguments::Receive { flags, data_indication, bytes_indicated, bytes_accepted };
    // SAFETY: the provider's contract.
    unsafe { indicate(context, arguments) }
}

unsafe extern "C" fn disconnect(context: *mut c_void, flags: u32) -> NTSTATUS {
    // SAFETY: the provider's contract.
    unsafe { indicate(context, EventArguments::Disconnect { flags }) }
}

unsafe extern "C" fn send_backlog(context: *mut c_void, ideal_backlog_size: usize) -> NTSTATUS {
    // SAFETY: the provider's contract.
    unsafe { indicate(context, EventArguments::SendBacklog { ideal_backlog_size }) }
}
