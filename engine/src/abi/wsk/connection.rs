//! Connection sockets.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{
    PFN_WSK_BIND, PFN_WSK_GET_LOCAL_ADDRESS, PFN_WSK_GET_REMOTE_ADDRESS, WSK_BUF, WSK_DATA_INDICATION,
    WSK_PROVIDER_BASIC_DISPATCH, WSK_SOCKET,
};
use crate::abi::cmsg::CMSGHDR;
use crate::abi::nt::IRP;
use crate::abi::sockaddr::PSOCKADDR;
use crate::abi::status::NTSTATUS;

/// The client's table. A callback that will not be enabled may be null.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_CLIENT_CONNECTION_DISPATCH {
    /// Data has arrived.
    pub WskReceiveEvent: PFN_WSK_RECEIVE_EVENT,
    /// The other end disconnected.
    pub WskDisconnectEvent: PFN_WSK_DISCONNECT_EVENT,
    /// How much should be under way has changed.
    pub WskSendBacklogEvent: PFN_WSK_SEND_BACKLOG_EVENT,
}
layout!(WSK_CLIENT_CONNECTION_DISPATCH {
    size: 24,
    align: 8,
    WskReceiveEvent: 0,
    WskDisconnectEvent: 8,
    WskSendBacklogEvent: 16,
});

/// The provider's table. 80 bytes before Windows 10 1703, 88 there, 104 later.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_CONNECTION_DISPATCH {
    /// What every socket can do.
    pub Basic: WSK_PROVIDER_BASIC_DISPATCH,
    /// Gives the socket its local address.
    pub WskBind: PFN_WSK_BIND,
    /// Connects it.
    pub WskConnect: PFN_WSK_CONNECT,
    /// The local address.
    pub WskGetLocalAddress: PFN_WSK_GET_LOCAL_ADDRESS,
    /// The remote address.
    pub WskGetRemoteAddress: PFN_WSK_GET_REMOTE_ADDRESS,
    /// Sends.
    pub WskSend: PFN_WSK_SEND,
    /// Receives.
    pub WskReceive: PFN_WSK_RECEIVE,
    /// Disconnects.
    pub WskDisconnect: PFN_WSK_DISCONNECT,
    /// Gives indications back.
    pub WskRelease: PFN_WSK_RELEASE_DATA_INDICATION_LIST,
    /// Connects and sends. Windows 10 1703 and later.
    pub WskConnectEx: PFN_WSK_CONNECT_EX,
    /// Sends with control messages. Reserved.
    pub WskSendEx: PFN_WSK_SEND_EX,
    /// Receives with control messages. Reserved.
    pub WskReceiveEx: PFN_WSK_RECEIVE_EX,
}
layout!(WSK_PROVIDER_CONNECTION_DISPATCH {
    size: 104, align: 8, Basic: 0, Basic.WskControlSocket: 0, Basic.WskCloseSocket: 8, WskBind: 16, WskConnect: 24,
    WskGetLocalAddress: 32, WskGetRemoteAddress: 40, WskSend: 48, WskReceive: 56, WskDisconnect: 64, WskRelease: 72,
    WskConnectEx: 80, WskSendEx: 88, WskReceiveEx: 96,
});

/// `WskReceiveEvent`: data has arrived. Calls for one socket follow one another.
///
/// * `SocketContext`: of `WskSocket` or `WskAccept`.
/// * `Flags`: `WSK_FLAG_RELEASE_ASAP`, `WSK_FLAG_ENTIRE_MESSAGE`, `WSK_FLAG_AT_DISPATCH_LEVEL`.
/// * `DataIndication`: the data; null when the socket has died and should be closed.
/// * `BytesIndicated`: bytes of all of it.
/// * `BytesAccepted`: out, fewer if not all was taken.
///
/// `STATUS_SUCCESS`: consumed. `STATUS_PENDING`: retained. `STATUS_DATA_NOT_ACCEPTED`: not taken.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RECEIVE_EVENT = Option<
    unsafe extern "C" fn(
        SocketContext: *mut c_void,
        Flags: u32,
        DataIndication: *mut WSK_DATA_INDICATION,
        BytesIndicated: usize,
        BytesAccepted: *mut usize,
    ) -> NTSTATUS,
>;

/// `WskDisconnectEvent`: the other end disconnected. Returns `STATUS_SUCCESS`.
///
/// * `SocketContext`: of `WskSocket` or `WskAccept`.
/// * `Flags`: `WSK_FLAG_ABORTIVE`, `WSK_FLAG_AT_DISPATCH_LEVEL`.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_DISCONNECT_EVENT =
    Option<unsafe extern "C" fn(SocketContext: *mut c_void, Flags: u32) -> NTSTATUS>;

/// `WskSendBacklogEvent`: how much should be under way has changed. Returns `STATUS_SUCCESS`.
///
/// * `SocketContext`: of `WskSocket` or `WskAccept`.
/// * `IdealBacklogSize`: bytes.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_SEND_BACKLOG_EVENT =
    Option<unsafe extern "C" fn(SocketContext: *mut c_void, IdealBacklogSize: usize) -> NTSTATUS>;

/// `WskConnect`: connects a bound socket.
///
/// * `Socket`: the socket.
/// * `RemoteAddress`: where to.
/// * `Flags`: 0.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_CONNECT = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        RemoteAddress: PSOCKADDR,
        Flags: u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskConnectEx`: connects a bound socket and sends the first data. Windows 10 1703 and later.
///
/// * `Socket`: the socket.
/// * `RemoteAddress`: where to.
/// * `Buffer`: 65535 bytes at most, or null.
/// * `Flags`: 0.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_CONNECT_EX = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        RemoteAddress: PSOCKADDR,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskSend`: sends. `IoStatus.Information` is the bytes sent.
///
/// * `Socket`: the socket, connected.
/// * `Buffer`: the data; its pages stay locked until the IRP completes.
/// * `Flags`: `WSK_FLAG_NODELAY`.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_SEND = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskReceive`: receives. `IoStatus.Information` is the bytes received.
///
/// * `Socket`: the socket, connected.
/// * `Buffer`: where to; its pages stay locked until the IRP completes. Empty, it enables callbacks again that
///   refused data.
/// * `Flags`: `WSK_FLAG_WAITALL` or `WSK_FLAG_DRAIN`.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RECEIVE = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskDisconnect`: disconnects.
///
/// * `Socket`: the socket, connected.
/// * `Buffer`: last data, or null.
/// * `Flags`: `WSK_FLAG_ABORTIVE`, without data.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_DISCONNECT = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskRelease` of data: gives retained indications back. `STATUS_SUCCESS` or `STATUS_INVALID_PARAMETER`.
///
/// * `Socket`: the socket.
/// * `DataIndication`: the list as it was indicated.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RELEASE_DATA_INDICATION_LIST = Option<
    unsafe extern "C" fn(Socket: *mut WSK_SOCKET, DataIndication: *mut WSK_DATA_INDICATION) -> NTSTATUS,
>;

/// `WskSendEx`: sends with control messages. Documented as reserved; the parameters are those that win-net-test
/// passes and virtio-win's `viosock` provider takes.
///
/// * `Socket`, `Buffer`, `Flags`: as in [`PFN_WSK_SEND`].
/// * `ControlInfoLength`, `ControlInfo`: bytes and messages of a control area, or 0 and null.
/// * `Irp`: required.
///
/// # IRQL
/// Not documented; taken to be that of `WskSend`.
pub type PFN_WSK_SEND_EX = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        ControlInfoLength: u32,
        ControlInfo: *mut CMSGHDR,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskReceiveEx`: receives with control messages. Documented as reserved; the parameters are those that win-net-test
/// passes and virtio-win's `viosock` provider takes.
///
/// * `Socket`, `Buffer`, `Flags`: as in [`PFN_WSK_RECEIVE`].
/// * `ControlInfoLength`: in, bytes of room; out, bytes of the control area; or null.
/// * `ControlInfo`: that room, or null.
/// * `ControlFlags`: reserved.
/// * `Irp`: required.
///
/// # IRQL
/// Not documented; taken to be that of `WskReceive`.
pub type PFN_WSK_RECEIVE_EX = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        ControlInfoLength: *mut u32,
        ControlInfo: *mut CMSGHDR,
        ControlFlags: *mut u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;
