//! The way from a [`Call`] to the provider below.

// UNSAFETY: reads the tables of the provider below, and calls its functions.
#![expect(unsafe_code, reason = "providers are called through C function pointers")]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::status::{NTSTATUS, STATUS_FILE_FORCED_CLOSED, STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS};

use super::functions::Functions;
use super::{Arguments, Call, Category, Completion, LayeredSocket};

/// Calls the provider below.
pub(super) fn call(call: &Call<'_>) -> NTSTATUS {
    let called = match call.socket {
        // Its socket is no more.
        Some(socket) if socket.is_closed() => return refuse(call, STATUS_FILE_FORCED_CLOSED),
        // SAFETY: the layer's socket is open, and so is the one below it; arguments and packet are the client's contract.
        Some(socket) => unsafe { call_socket(call, socket) },
        // SAFETY: the client's contract.
        None => unsafe { call_client(call) },
    };
    // A table that is shorter than ours, or has no such function.
    called.unwrap_or_else(|| refuse(call, STATUS_NOT_IMPLEMENTED))
}

/// WskRelease at the provider below, of what it lent and no client has.
pub(super) fn release(socket: &Arc<LayeredSocket>, arguments: Arguments) {
    let _status = call(&Call::new(&socket.layer, Some(socket), None, arguments));
}

fn refuse(call: &Call<'_>, status: NTSTATUS) -> NTSTATUS {
    if let Some(packet) = call.packet {
        Completion::new(Arc::clone(packet), status, 0, false).pass();
    }
    status
}

/// The packet that goes down; null where the client gave none. Taken once, when the function to call is found.
fn packet(call: &Call<'_>) -> *mut IRP {
    call.packet.map_or(null_mut(), |packet| packet.send_down(&call.arguments))
}

/// Where the call makes a socket of `category`, a socket of the layer to stand for it, and with it the context and the table
/// to give to the provider.
///
/// # Safety
/// `dispatch` is null, or a client's table for `category`, if that is one.
unsafe fn make(
    call: &Call<'_>,
    category: Option<Category>,
    context: *mut c_void,
    dispatch: *const c_void,
) -> (*mut c_void, *const c_void) {
    // Without a packet, or with flags that are no category, the provider refuses.
    let (Some(category), Some(packet)) = (category, call.packet) else { return (context, dispatch) };
    let made = LayeredSocket::new(call.layer, category);
    let given = match category {
        // A basic socket has neither; what it is given is refused.
        Category::Basic => (context, dispatch),
        // SAFETY: the caller's promise.
        _ => unsafe { made.aim(context, dispatch) },
    };
    packet.will_make(made);
    given
}

/// # Safety
/// The call keeps the contract of its function.
unsafe fn call_client(call: &Call<'_>) -> Option<NTSTATUS> {
    let client = call.layer.lower.Client;
    // SAFETY: the table of a captured NPI.
    let table = unsafe { &*call.layer.lower.Dispatch };
    Some(match call.arguments {
        Arguments::Socket {
            address_family,
            socket_type,
            protocol,
            flags,
            socket_context,
            dispatch,
            owning_process,
            owning_thread,
            security_descriptor,
        } => {
            let function = table.WskSocket?;
            // SAFETY: the client's contract: the table is of the category that the flags ask for.
            let (context, dispatch) =
                unsafe { make(call, Category::of_flags(flags), socket_context, dispatch) };
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe {
                function(
                    client,
                    address_family,
                    socket_type,
                    protocol,
                    flags,
                    context,
                    dispatch,
                    owning_process,
                    owning_thread,
                    security_descriptor,
                    packet(call),
                )
            }
        }
        Arguments::SocketConnect {
            socket_type,
            protocol,
            local_address,
            remote_address,
            flags,
            socket_context,
            dispatch,
            owning_process,
            owning_thread,
            security_descriptor,
        } => {
            let function = table.WskSocketConnect?;
            // SAFETY: the client's contract.
            let (context, dispatch) =
                unsafe { make(call, Some(Category::Connection), socket_context, dispatch.cast()) };
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe {
                function(
                    client,
                    socket_type,
                    protocol,
                    local_address,
                    remote_address,
                    flags,
                    context,
                    dispatch.cast(),
                    owning_process,
                    owning_thread,
                    security_descriptor,
                    packet(call),
                )
            }
        }
        Arguments::ControlClient {
            control_code: code,
            input_size,
            input_buffer: input,
            output_size,
            output_buffer: output,
            output_size_returned: returned,
        } => {
            let function = table.WskControlClient?;
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe { function(client, code, input_size, input, output_size, output, returned, packet(call)) }
        }
        Arguments::GetAddressInfo {
            node_name,
            service_name,
            name_space,
            provider,
            hints,
            result,
            owning_process,
            owning_thread,
        } => {
            let function = table.WskGetAddressInfo?;
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe {
                function(
                    client,
                    node_name,
                    service_name,
                    name_space,
                    provider,
                    hints,
                    result,
                    owning_process,
                    owning_thread,
                    packet(call),
                )
            }
        }
        Arguments::FreeAddressInfo { addr_info } => {
            let function = table.WskFreeAddressInfo?;
            // SAFETY: the caller's promise.
            unsafe { function(client, addr_info) };
            STATUS_SUCCESS
        }
        Arguments::GetNameInfo {
            sock_addr,
            sock_addr_length: length,
            node_name: node,
            service_name: service,
            flags,
            owning_process: process,
            owning_thread: thread,
        } => {
            let function = table.WskGetNameInfo?;
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe {
                function(client, sock_addr, length, node, service, flags, process, thread, packet(call))
            }
        }
        _ => return None,
    })
}

/// # Safety
/// The call keeps the contract of its function.
unsafe fn call_socket(call: &Call<'_>, socket: &LayeredSocket) -> Option<NTSTATUS> {
    let lower = socket.lower();
    // SAFETY: the socket below is open.
    let dispatch = unsafe { (*lower).Dispatch };
    // SAFETY: as above.
    let table = unsafe { Functions::of(socket.category(), dispatch) };
    let arguments = call.arguments;
    /// Calls a function that takes a packet with the socket below and these arguments.
    macro_rules! down {
        ($function:ident($($argument:expr),*)) => {{
            let function = table.$function?;
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe { function(lower, $($argument,)* packet(call)) }
        }};
    }
    Some(match arguments {
        Arguments::ControlSocket {
            request_type: kind,
            control_code: code,
            level,
            input_size,
            input_buffer: input,
            output_size,
            output_buffer: output,
            output_size_returned: returned,
        } => down!(control_socket(kind, code, level, input_size, input, output_size, output, returned)),
        Arguments::CloseSocket {} => down!(close_socket()),
        Arguments::Bind { local_address, flags } => down!(bind(local_address, flags)),
        Arguments::GetLocalAddress { local_address } => down!(get_local_address(local_address)),
        Arguments::GetRemoteAddress { remote_address } => down!(get_remote_address(remote_address)),
        Arguments::SendTo { buffer, flags, remote_address, control_info_length, control_info } => {
            down!(send_to(buffer, flags, remote_address, control_info_length, control_info))
        }
        Arguments::ReceiveFrom {
            buffer,
            flags,
            remote_address,
            control_length,
            control_info,
            control_flags,
        } => down!(receive_from(buffer, flags, remote_address, control_length, control_info, control_flags)),
        Arguments::SendMessages { buffer_list, flags, remote_address, control_info_length, control_info } => {
            down!(send_messages(buffer_list, flags, remote_address, control_info_length, control_info))
        }
        Arguments::ReleaseDatagrams { datagram_indication } => {
            let function = table.release_datagrams?;
            // SAFETY: the caller's promise.
            unsafe { function(lower, datagram_indication) }
        }
        Arguments::ReleaseData { data_indication } => {
            let function = table.release_data?;
            // SAFETY: the caller's promise.
            unsafe { function(lower, data_indication) }
        }
        Arguments::Accept {
            flags,
            accept_socket_context,
            accept_socket_dispatch,
            local_address,
            remote_address,
        } => {
            let function = table.accept?;
            let category = Some(Category::Connection);
            // SAFETY: the client's contract.
            let (context, dispatch) =
                unsafe { make(call, category, accept_socket_context, accept_socket_dispatch.cast()) };
            let dispatch = dispatch.cast();
            // SAFETY: the caller's promise; the packet is the layer's.
            unsafe { function(lower, flags, context, dispatch, local_address, remote_address, packet(call)) }
        }
        Arguments::InspectComplete { inspect_id, action } => down!(inspect_complete(inspect_id, action)),
        Arguments::Listen {} => down!(listen()),
        Arguments::Connect { remote_address, flags } => down!(connect(remote_address, flags)),
        Arguments::ConnectEx { remote_address, buffer, flags } => {
            down!(connect_ex(remote_address, buffer, flags))
        }
        Arguments::Send { buffer, flags } => down!(send(buffer, flags)),
        Arguments::Receive { buffer, flags } => down!(receive(buffer, flags)),
        Arguments::Disconnect { buffer, flags } => down!(disconnect(buffer, flags)),
        Arguments::SendEx { buffer, flags, control_info_length, control_info } => {
            down!(send_ex(buffer, flags, control_info_length, control_info))
        }
        Arguments::ReceiveEx { buffer, flags, control_info_length, control_info, control_flags } => {
            down!(receive_ex(buffer, flags, control_info_length, control_info, control_flags))
        }
        _ => return None,
    })
}
