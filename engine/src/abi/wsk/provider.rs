//! The provider's client-level table: creating sockets, controlling the client, resolving names.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{ADDRINFOEXW, WSK_CLIENT, WSK_CLIENT_CONNECTION_DISPATCH};
use crate::abi::nt::{GUID, IRP, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR, UNICODE_STRING};
use crate::abi::sockaddr::{ADDRESS_FAMILY, PSOCKADDR};
use crate::abi::status::NTSTATUS;

/// The provider's client-level table. Usable from capture to release of the provider.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_DISPATCH {
    /// The provider's version; its minor part may be higher than what was asked for.
    pub Version: u16,
    /// Zero.
    pub Reserved: u16,
    /// Creates a socket.
    pub WskSocket: PFN_WSK_SOCKET,
    /// Creates a connection socket, binds and connects it.
    pub WskSocketConnect: PFN_WSK_SOCKET_CONNECT,
    /// Controls the client.
    pub WskControlClient: PFN_WSK_CONTROL_CLIENT,
    /// Resolves a name. Windows 7 and later.
    pub WskGetAddressInfo: PFN_WSK_GET_ADDRESS_INFO,
    /// Frees what was resolved. Windows 7 and later.
    pub WskFreeAddressInfo: PFN_WSK_FREE_ADDRESS_INFO,
    /// Finds the name of an address. Windows 7 and later.
    pub WskGetNameInfo: PFN_WSK_GET_NAME_INFO,
}
layout!(WSK_PROVIDER_DISPATCH {
    size: 56,
    align: 8,
    Version: 0,
    Reserved: 2,
    WskSocket: 8,
    WskSocketConnect: 16,
    WskControlClient: 24,
    WskGetAddressInfo: 32,
    WskFreeAddressInfo: 40,
    WskGetNameInfo: 48,
});

/// `WskSocket`: creates a socket. On success `IoStatus.Information` is the `WSK_SOCKET*`.
///
/// * `Client`: of the provider's NPI.
/// * `AddressFamily`, `SocketType`, `Protocol`: one of the combinations that `WSK_TRANSPORT_LIST_QUERY` returns.
/// * `Flags`: the category, exactly one of `WSK_FLAG_BASIC_SOCKET`, `WSK_FLAG_LISTEN_SOCKET`,
///   `WSK_FLAG_CONNECTION_SOCKET`, `WSK_FLAG_DATAGRAM_SOCKET`, `WSK_FLAG_STREAM_SOCKET`.
/// * `SocketContext`: passed to the client's callbacks; null for a basic socket.
/// * `Dispatch`: the client's table of the category, constant until the socket is closed; null for a basic socket.
/// * `OwningProcess`: whose security context binds; null is the current process.
/// * `OwningThread`: whose impersonation binds, or null.
/// * `SecurityDescriptor`: who may share the socket's address; null is nobody. Cached by `WSK_CACHE_SD`.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_SOCKET = Option<
    unsafe extern "C" fn(
        Client: *mut WSK_CLIENT,
        AddressFamily: ADDRESS_FAMILY,
        SocketType: u16,
        Protocol: u32,
        Flags: u32,
        SocketContext: *mut c_void,
        Dispatch: *const c_void,
        OwningProcess: PEPROCESS,
        OwningThread: PETHREAD,
        SecurityDescriptor: PSECURITY_DESCRIPTOR,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskSocketConnect`: creates a connection socket, binds and connects it. On success `IoStatus.Information` is the
/// `WSK_SOCKET*`.
///
/// * `Client`: of the provider's NPI.
/// * `SocketType`, `Protocol`: `SOCK_STREAM` and `IPPROTO_TCP`.
/// * `LocalAddress`: what to bind; decides the address family.
/// * `RemoteAddress`: what to connect to.
/// * `Flags`: 0.
/// * `SocketContext`, `Dispatch`, `OwningProcess`, `OwningThread`, `SecurityDescriptor`: as in [`PFN_WSK_SOCKET`].
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_SOCKET_CONNECT = Option<
    unsafe extern "C" fn(
        Client: *mut WSK_CLIENT,
        SocketType: u16,
        Protocol: u32,
        LocalAddress: PSOCKADDR,
        RemoteAddress: PSOCKADDR,
        Flags: u32,
        SocketContext: *mut c_void,
        Dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        OwningProcess: PEPROCESS,
        OwningThread: PETHREAD,
        SecurityDescriptor: PSECURITY_DESCRIPTOR,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskControlClient`: a control of the client as a whole.
///
/// * `Client`: of the provider's NPI.
/// * `ControlCode`: `WSK_TRANSPORT_LIST_QUERY` and those that follow it.
/// * `InputSize`, `InputBuffer`: bytes passed; valid until the IRP completes, if there is one.
/// * `OutputSize`, `OutputBuffer`: room for what is returned; likewise.
/// * `OutputSizeReturned`: bytes returned, or needed with `STATUS_BUFFER_OVERFLOW`; 8 bytes wide.
/// * `Irp`: required for `WSK_TRANSPORT_LIST_CHANGE`, null for all others.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_CONTROL_CLIENT = Option<
    unsafe extern "C" fn(
        Client: *mut WSK_CLIENT,
        ControlCode: u32,
        InputSize: usize,
        InputBuffer: *mut c_void,
        OutputSize: usize,
        OutputBuffer: *mut c_void,
        OutputSizeReturned: *mut usize,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskGetAddressInfo`: resolves a name. `STATUS_NO_MATCH`: there is no such name.
///
/// * `Client`: of the provider's NPI.
/// * `NodeName`: the host, or null.
/// * `ServiceName`: the service or port, or null.
/// * `NameSpace`: [`NS_ALL`](super::NS_ALL) or another name space.
/// * `Provider`: a name service provider, or null.
/// * `Hints`: what kind of addresses is wanted, or null.
/// * `Result`: the first address; to be freed with `WskFreeAddressInfo`.
/// * `OwningProcess`: on whose behalf; null is a local account of low privilege.
/// * `OwningThread`: whose impersonation, or null; needs `OwningProcess`.
/// * `Irp`: required.
///
/// # IRQL
/// `PASSIVE_LEVEL`.
pub type PFN_WSK_GET_ADDRESS_INFO = Option<
    unsafe extern "C" fn(
        Client: *mut WSK_CLIENT,
        NodeName: *mut UNICODE_STRING,
        ServiceName: *mut UNICODE_STRING,
        NameSpace: u32,
        Provider: *mut GUID,
        Hints: *mut ADDRINFOEXW,
        Result: *mut *mut ADDRINFOEXW,
        OwningProcess: PEPROCESS,
        OwningThread: PETHREAD,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskFreeAddressInfo`: frees the list that `WskGetAddressInfo` returned.
///
/// * `Client`: of the provider's NPI.
/// * `AddrInfo`: the first address.
///
/// # IRQL
/// `PASSIVE_LEVEL`.
pub type PFN_WSK_FREE_ADDRESS_INFO =
    Option<unsafe extern "C" fn(Client: *mut WSK_CLIENT, AddrInfo: *mut ADDRINFOEXW)>;

/// `WskGetNameInfo`: finds the name of an address and port.
///
/// * `Client`: of the provider's NPI.
/// * `SockAddr`, `SockAddrLength`: the address and its size, 128 bytes at most.
/// * `NodeName`, `ServiceName`: the caller's buffers for host and service; one of them may be null.
/// * `Flags`: `NI_` flags.
/// * `OwningProcess`, `OwningThread`: as in [`PFN_WSK_GET_ADDRESS_INFO`].
/// * `Irp`: required.
///
/// # IRQL
/// `PASSIVE_LEVEL`.
pub type PFN_WSK_GET_NAME_INFO = Option<
    unsafe extern "C" fn(
        Client: *mut WSK_CLIENT,
        SockAddr: PSOCKADDR,
        SockAddrLength: u32,
        NodeName: *mut UNICODE_STRING,
        ServiceName: *mut UNICODE_STRING,
        Flags: u32,
        OwningProcess: PEPROCESS,
        OwningThread: PETHREAD,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// [`PFN_WSK_SOCKET`]: can be controlled and nothing else.
pub const WSK_FLAG_BASIC_SOCKET: u32 = 0x0;
/// [`PFN_WSK_SOCKET`]: listens for connections.
pub const WSK_FLAG_LISTEN_SOCKET: u32 = 0x1;
/// [`PFN_WSK_SOCKET`]: one end of a connection.
pub const WSK_FLAG_CONNECTION_SOCKET: u32 = 0x2;
/// [`PFN_WSK_SOCKET`]: sends and receives datagrams.
pub const WSK_FLAG_DATAGRAM_SOCKET: u32 = 0x4;
/// [`PFN_WSK_SOCKET`]: becomes a listening or a connection socket later. Windows 10 1703 and later.
pub const WSK_FLAG_STREAM_SOCKET: u32 = 0x8;
