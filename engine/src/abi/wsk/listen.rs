//! Listening sockets.

use core::ffi::c_void;

use bytemuck::{Pod, Zeroable};

use super::{
    PFN_WSK_BIND, PFN_WSK_GET_LOCAL_ADDRESS, WSK_CLIENT_CONNECTION_DISPATCH, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_SOCKET,
};
use crate::abi::nt::IRP;
use crate::abi::sockaddr::PSOCKADDR;
use crate::abi::status::NTSTATUS;

/// The client's table. A callback that will not be enabled may be null.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_CLIENT_LISTEN_DISPATCH {
    /// A connection was accepted.
    pub WskAcceptEvent: PFN_WSK_ACCEPT_EVENT,
    /// A connection is asked for.
    pub WskInspectEvent: PFN_WSK_INSPECT_EVENT,
    /// It is not asked for any more.
    pub WskAbortEvent: PFN_WSK_ABORT_EVENT,
}
layout!(WSK_CLIENT_LISTEN_DISPATCH {
    size: 24,
    align: 8,
    WskAcceptEvent: 0,
    WskInspectEvent: 8,
    WskAbortEvent: 16
});

/// The provider's table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_LISTEN_DISPATCH {
    /// What every socket can do.
    pub Basic: WSK_PROVIDER_BASIC_DISPATCH,
    /// Gives the socket its local address and starts listening.
    pub WskBind: PFN_WSK_BIND,
    /// Accepts a connection.
    pub WskAccept: PFN_WSK_ACCEPT,
    /// Decides on a connection that was left pending.
    pub WskInspectComplete: PFN_WSK_INSPECT_COMPLETE,
    /// The local address.
    pub WskGetLocalAddress: PFN_WSK_GET_LOCAL_ADDRESS,
}
layout!(WSK_PROVIDER_LISTEN_DISPATCH {
    size: 48, align: 8, Basic: 0, Basic.WskControlSocket: 0, Basic.WskCloseSocket: 8, WskBind: 16, WskAccept: 24,
    WskInspectComplete: 32, WskGetLocalAddress: 40,
});

/// Identifies a connection that is being decided on.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
pub struct WSK_INSPECT_ID {
    /// The provider's.
    pub Key: usize,
    /// The provider's.
    pub SerialNumber: u32,
    /// Padding that C leaves unnamed.
    pub _padding: u32,
}
layout!(WSK_INSPECT_ID { size: 16, align: 8, Key: 0, SerialNumber: 8 });

/// What becomes of a connection. Every number is a valid value: it comes from the other side.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Pod, Zeroable)]
pub struct WSK_INSPECT_ACTION(pub i32);
layout!(WSK_INSPECT_ACTION { size: 4, align: 4 });

/// [`WSK_INSPECT_ACTION`]: refuse it.
pub const WskInspectReject: WSK_INSPECT_ACTION = WSK_INSPECT_ACTION(0);
/// [`WSK_INSPECT_ACTION`]: accept it.
pub const WskInspectAccept: WSK_INSPECT_ACTION = WSK_INSPECT_ACTION(1);
/// [`WSK_INSPECT_ACTION`]: decide later, with `WskInspectComplete`.
pub const WskInspectPend: WSK_INSPECT_ACTION = WSK_INSPECT_ACTION(2);
/// [`WSK_INSPECT_ACTION`]: the first value that is none.
pub const WskInspectMax: WSK_INSPECT_ACTION = WSK_INSPECT_ACTION(3);

/// `WskAcceptEvent`: a connection was accepted.
///
/// * `SocketContext`: of `WskSocket`.
/// * `Flags`: `WSK_FLAG_AT_DISPATCH_LEVEL`.
/// * `LocalAddress`, `RemoteAddress`: its ends; valid during the call.
/// * `AcceptSocket`: its socket; null when the listening socket has died and should be closed.
/// * `AcceptSocketContext`, `AcceptSocketDispatch`: the client returns context and table of the new socket.
///
/// `STATUS_SUCCESS`, or `STATUS_REQUEST_NOT_ACCEPTED` to have the connection closed.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_ACCEPT_EVENT = Option<
    unsafe extern "C" fn(
        SocketContext: *mut c_void,
        Flags: u32,
        LocalAddress: PSOCKADDR,
        RemoteAddress: PSOCKADDR,
        AcceptSocket: *mut WSK_SOCKET,
        AcceptSocketContext: *mut *mut c_void,
        AcceptSocketDispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
    ) -> NTSTATUS,
>;

/// `WskInspectEvent`: a connection is asked for, on a socket with `SO_CONDITIONAL_ACCEPT`.
///
/// * `SocketContext`: of `WskSocket`.
/// * `LocalAddress`, `RemoteAddress`: its ends; valid during the call.
/// * `InspectID`: to be copied if the answer is [`WskInspectPend`]; null when the socket has died.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_INSPECT_EVENT = Option<
    unsafe extern "C" fn(
        SocketContext: *mut c_void,
        LocalAddress: PSOCKADDR,
        RemoteAddress: PSOCKADDR,
        InspectID: *mut WSK_INSPECT_ID,
    ) -> WSK_INSPECT_ACTION,
>;

/// `WskAbortEvent`: a connection that was left pending is not asked for any more. Returns `STATUS_SUCCESS`.
///
/// * `SocketContext`: of `WskSocket`.
/// * `InspectID`: the connection.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_ABORT_EVENT =
    Option<unsafe extern "C" fn(SocketContext: *mut c_void, InspectID: *mut WSK_INSPECT_ID) -> NTSTATUS>;

/// `WskAccept`: accepts a connection, before callbacks get it. `IoStatus.Information` is the new `WSK_SOCKET*`.
///
/// * `ListenSocket`: the socket, bound.
/// * `Flags`: 0.
/// * `AcceptSocketContext`, `AcceptSocketDispatch`: context and table of the new socket.
/// * `LocalAddress`, `RemoteAddress`: nonpaged room for its ends, or null.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_ACCEPT = Option<
    unsafe extern "C" fn(
        ListenSocket: *mut WSK_SOCKET,
        Flags: u32,
        AcceptSocketContext: *mut c_void,
        AcceptSocketDispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        LocalAddress: PSOCKADDR,
        RemoteAddress: PSOCKADDR,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskInspectComplete`: decides on a connection that was left pending.
///
/// * `ListenSocket`: the socket.
/// * `InspectID`: the connection.
/// * `Action`: [`WskInspectAccept`] or [`WskInspectReject`].
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_INSPECT_COMPLETE = Option<
    unsafe extern "C" fn(
        ListenSocket: *mut WSK_SOCKET,
        InspectID: *mut WSK_INSPECT_ID,
        Action: WSK_INSPECT_ACTION,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;
