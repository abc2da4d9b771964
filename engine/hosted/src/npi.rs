//! The provider's client-level table: sockets are created here, and everything else a client can call without one.

// UNSAFETY: the functions of the table get raw pointers from the client.
#![expect(unsafe_code, reason = "the client calls through C function pointers")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::nt::{
    DEVICE_OBJECT, GUID, IRP, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR, UNICODE_STRING,
};
use skua_engine::abi::sockaddr::{ADDRESS_FAMILY, PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_DEVICE_NOT_READY, STATUS_INVALID_PARAMETER, STATUS_PENDING,
    STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    ADDRINFOEXW, WSK_CLIENT, WSK_CLIENT_CONNECTION_DISPATCH, WSK_FLAG_CONNECTION_SOCKET,
    WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_TRANSPORT_LIST_CHANGE,
};

use crate::client::ClientBuffers;
use crate::create::{SocketParameters, create, create_connected};
use crate::kernel::irp::cancel_irql;
use crate::kernel::registration::{Call, Client, Errand, VERSION};
use crate::names::{self, AddressInfo, NameInfo};
use crate::request::{Request, cancel_context};

static PROVIDER: WSK_PROVIDER_DISPATCH = WSK_PROVIDER_DISPATCH {
    Version: VERSION,
    Reserved: 0,
    WskSocket: Some(socket),
    WskSocketConnect: Some(socket_connect),
    WskControlClient: Some(control_client),
    WskGetAddressInfo: Some(get_address_info),
    WskFreeAddressInfo: Some(free_address_info),
    WskGetNameInfo: Some(get_name_info),
};

/// What a capture gives to `client`.
pub(crate) fn provider_npi(client: &Arc<Client>) -> WSK_PROVIDER_NPI {
    WSK_PROVIDER_NPI { Client: Arc::as_ptr(client).cast_mut().cast(), Dispatch: &raw const PROVIDER }
}

/// The client behind a pointer that a capture gave.
///
/// # Safety
/// `client` came from [`provider_npi`] and is not deregistered.
unsafe fn of(client: *mut WSK_CLIENT) -> Arc<Client> {
    let client = client.cast::<Client>().cast_const();
    // SAFETY: the register of clients holds a reference until deregistration.
    unsafe { Arc::increment_strong_count(client) };
    // SAFETY: the reference just taken.
    unsafe { Arc::from_raw(client) }
}

/// Serves a call that takes an IRP, and completes it.
///
/// # Safety
/// `client` is captured; `irp` is null or handed over.
unsafe fn with_request(
    client: *mut WSK_CLIENT,
    irp: *mut IRP,
    serve: impl FnOnce(&Call) -> Result<usize, NTSTATUS>,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let client = unsafe { of(client) };
    // SAFETY: the caller's promise.
    let Some(request) = (unsafe { Request::accept(&client.kernel, irp) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    let Some(call) = client.call() else {
        return request.complete(&client.kernel, STATUS_DEVICE_NOT_READY, 0);
    };
    match serve(&call) {
        Ok(information) => request.complete(&client.kernel, STATUS_SUCCESS, information),
        Err(status) => request.complete(&client.kernel, status, 0),
    }
}

unsafe extern "C" fn socket(
    client: *mut WSK_CLIENT,
    family: ADDRESS_FAMILY,
    socket_type: u16,
    protocol: u32,
    flags: u32,
    context: *mut c_void,
    dispatch: *const c_void,
    owning_process: PEPROCESS,
    owning_thread: PETHREAD,
    security: PSECURITY_DESCRIPTOR,
    irp: *mut IRP,
) -> NTSTATUS {
    let parameters = SocketParameters {
        family,
        socket_type,
        protocol,
        flags,
        context,
        dispatch,
        owner: (owning_process, owning_thread),
        security,
    };
    // SAFETY: the client's contract.
    unsafe { with_request(client, irp, |call| create(call, &parameters).map(|socket| socket.addr())) }
}

unsafe extern "C" fn socket_connect(
    client: *mut WSK_CLIENT,
    socket_type: u16,
    protocol: u32,
    local: PSOCKADDR,
    remote: PSOCKADDR,
    flags: u32,
    context: *mut c_void,
    dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
    owning_process: PEPROCESS,
    owning_thread: PETHREAD,
    security: PSECURITY_DESCRIPTOR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's contract.
    let client = unsafe { of(client) };
    // SAFETY: the client's contract.
    let Some(request) = (unsafe { Request::accept(&client.kernel, irp) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    let Some(call) = client.call() else {
        return request.complete(&client.kernel, STATUS_DEVICE_NOT_READY, 0);
    };
    // SAFETY: the client's contract: null, or an address as long as its family says.
    let local = unsafe { SOCKADDR_INET::read(local) };
    // SAFETY: as above.
    let remote = unsafe { SOCKADDR_INET::read(remote) };
    let Some(local) = local.filter(|_| flags == 0) else {
        return request.complete(&client.kernel, STATUS_INVALID_PARAMETER, 0);
    };
    let parameters = SocketParameters {
        family: local.family(),
        socket_type,
        protocol,
        flags: WSK_FLAG_CONNECTION_SOCKET,
        context,
        dispatch: dispatch.cast(),
        owner: (owning_process, owning_thread),
        security,
    };
    create_connected(&call, &parameters, request, &local, remote)
}

unsafe extern "C" fn control_client(
    client: *mut WSK_CLIENT,
    code: u32,
    input_size: usize,
    input: *mut c_void,
    output_size: usize,
    output: *mut c_void,
    size_returned: *mut usize,
    irp: *mut IRP,
) -> NTSTATUS {
    if code == WSK_TRANSPORT_LIST_CHANGE {
        let is_empty = input.is_null() && input_size == 0 && output.is_null() && output_size == 0;
        // SAFETY: the client's contract.
        return unsafe { transport_list_change(client, is_empty, irp) };
    }
    if !irp.is_null() {
        // Every other code is inline and takes none.
        // SAFETY: the client's contract.
        return unsafe { with_request(client, irp, |_| Err(STATUS_INVALID_PARAMETER)) };
    }
    // SAFETY: the client's contract.
    let client = unsafe { of(client) };
    let Some(call) = client.call() else { return STATUS_DEVICE_NOT_READY };
    let buffers = ClientBuffers { input, input_size, output, output_size, size_returned };
    // SAFETY: the client's contract: buffers good for their sizes.
    unsafe { call.controls.serve(&call.kernel, code, &buffers) }
}

/// Waits until a transport comes or goes, its owner cancels it, or the client deregisters.
///
/// # Safety
/// As for WskControlClient.
unsafe fn transport_list_change(client: *mut WSK_CLIENT, is_empty: bool, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let client = unsafe { of(client) };
    // SAFETY: the caller's promise.
    let Some(request) = (unsafe { Request::accept(&client.kernel, irp) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    let Some(_call) = client.call() else {
        return request.complete(&client.kernel, STATUS_DEVICE_NOT_READY, 0);
    };
    if !is_empty {
        return request.complete(&client.kernel, STATUS_INVALID_PARAMETER, 0);
    }
    let context = Arc::as_ptr(&client).cast_mut().cast();
    match client.keep_waiting(request, Errand::ListChange, Some(cancel_waiting), context) {
        Ok(()) => STATUS_PENDING,
        Err(request) => request.complete(&client.kernel, STATUS_CANCELLED, 0),
    }
}

/// The cancel routine of whatever waits at a client.
pub(crate) unsafe extern "C" fn cancel_waiting(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits at its client.
    let context = unsafe { cancel_context(irp) };
    // SAFETY: the context of such a packet is its client, which it keeps from being deregistered.
    let client = unsafe { of(context.cast()) };
    // SAFETY: the packet is being cancelled.
    let irql = unsafe { cancel_irql(irp) };
    client.kernel.io_release_cancel_spin_lock(irql);
    client.cancel_waiting(irp);
}

/// Runs a call of name resolution.
///
/// # Safety
/// `client` is captured; `irp` is null or handed over.
unsafe fn resolve(
    client: *mut WSK_CLIENT,
    irp: *mut IRP,
    serve: impl FnOnce(&Arc<Client>, Request) -> NTSTATUS,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let client = unsafe { of(client) };
    // SAFETY: the caller's promise.
    let Some(request) = (unsafe { Request::accept(&client.kernel, irp) }) else {
        return STATUS_INVALID_PARAMETER;
    };
    match client.call() {
        Some(call) => serve(&call, request),
        None => request.complete(&client.kernel, STATUS_DEVICE_NOT_READY, 0),
    }
}

unsafe extern "C" fn get_address_info(
    client: *mut WSK_CLIENT,
    node: *mut UNICODE_STRING,
    service: *mut UNICODE_STRING,
    name_space: u32,
    provider: *mut GUID,
    hints: *mut ADDRINFOEXW,
    result: *mut *mut ADDRINFOEXW,
    owning_process: PEPROCESS,
    owning_thread: PETHREAD,
    irp: *mut IRP,
) -> NTSTATUS {
    let owner = (owning_process, owning_thread);
    let arguments = AddressInfo { node, service, name_space, provider, hints, result, owner };
    let serve = |client: &Arc<Client>, request| {
        // SAFETY: the client's contract.
        unsafe { names::get_address_info(client, &arguments, request) }
    };
    // SAFETY: the client's contract.
    unsafe { resolve(client, irp, serve) }
}

unsafe extern "C" fn free_address_info(client: *mut WSK_CLIENT, addresses: *mut ADDRINFOEXW) {
    // SAFETY: the client's contract.
    let client = unsafe { of(client) };
    client.kernel.address_lists().free(addresses);
}

unsafe extern "C" fn get_name_info(
    client: *mut WSK_CLIENT,
    address: PSOCKADDR,
    address_length: u32,
    node: *mut UNICODE_STRING,
    service: *mut UNICODE_STRING,
    flags: u32,
    owning_process: PEPROCESS,
    owning_thread: PETHREAD,
    irp: *mut IRP,
) -> NTSTATUS {
    let owner = (owning_process, owning_thread);
    let arguments = NameInfo { address, address_length, node, service, flags, owner };
    let serve = |client: &Arc<Client>, request| {
        // SAFETY: the client's contract.
        unsafe { names::get_name_info(client, &arguments, request) }
    };
    // SAFETY: the client's contract.
    unsafe { resolve(client, irp, serve) }
}
