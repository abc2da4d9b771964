//! Datagram sockets.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{
    PFN_WSK_BIND, PFN_WSK_GET_LOCAL_ADDRESS, WSK_BUF, WSK_BUF_LIST, WSK_DATAGRAM_INDICATION,
    WSK_PROVIDER_BASIC_DISPATCH, WSK_SOCKET,
};
use crate::abi::cmsg::CMSGHDR;
use crate::abi::nt::IRP;
use crate::abi::sockaddr::PSOCKADDR;
use crate::abi::status::NTSTATUS;

/// The client's table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_CLIENT_DATAGRAM_DISPATCH {
    /// Datagrams have arrived.
    pub WskReceiveFromEvent: PFN_WSK_RECEIVE_FROM_EVENT,
}
layout!(WSK_CLIENT_DATAGRAM_DISPATCH { size: 8, align: 8, WskReceiveFromEvent: 0 });

/// The provider's table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_DATAGRAM_DISPATCH {
    /// What every socket can do.
    pub Basic: WSK_PROVIDER_BASIC_DISPATCH,
    /// Gives the socket its local address.
    pub WskBind: PFN_WSK_BIND,
    /// Sends a datagram.
    pub WskSendTo: PFN_WSK_SEND_TO,
    /// Receives a datagram.
    pub WskReceiveFrom: PFN_WSK_RECEIVE_FROM,
    /// Gives indications back.
    pub WskRelease: PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST,
    /// The local address.
    pub WskGetLocalAddress: PFN_WSK_GET_LOCAL_ADDRESS,
    /// Sends several datagrams. Windows 8 and later.
    pub WskSendMessages: PFN_WSK_SEND_MESSAGES,
}
layout!(WSK_PROVIDER_DATAGRAM_DISPATCH {
    size: 64, align: 8, Basic: 0, Basic.WskControlSocket: 0, Basic.WskCloseSocket: 8, WskBind: 16, WskSendTo: 24,
    WskReceiveFrom: 32, WskRelease: 40, WskGetLocalAddress: 48, WskSendMessages: 56,
});

/// `WskReceiveFromEvent`: datagrams have arrived.
///
/// * `SocketContext`: of `WskSocket`.
/// * `Flags`: `MSG_BCAST` or `MSG_MCAST` if it holds for the whole list, `WSK_FLAG_AT_DISPATCH_LEVEL`; others may
///   follow.
/// * `DataIndication`: the datagrams; null when the socket has died and should be closed.
///
/// `STATUS_SUCCESS`: consumed. `STATUS_PENDING`: retained, to be given back with `WskRelease`.
/// `STATUS_DATA_NOT_ACCEPTED`: not taken, and the callback disabled unless it was enabled statically. Nothing else
/// may be returned. Whether calls follow one another is not documented; msquic's kernel datapath keeps its state per
/// processor, which several calls at once require.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RECEIVE_FROM_EVENT = Option<
    unsafe extern "C" fn(
        SocketContext: *mut c_void,
        Flags: u32,
        DataIndication: *mut WSK_DATAGRAM_INDICATION,
    ) -> NTSTATUS,
>;

/// `WskSendTo`: sends one datagram. `IoStatus.Information` is the bytes sent.
///
/// * `Socket`: the socket, bound.
/// * `Buffer`: the datagram; its pages stay locked until the IRP completes.
/// * `Flags`: 0.
/// * `RemoteAddress`: where to; null if a default was set.
/// * `ControlInfoLength`, `ControlInfo`: bytes and messages of a control area, or 0 and null; valid until the IRP
///   completes.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_SEND_TO = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        RemoteAddress: PSOCKADDR,
        ControlInfoLength: u32,
        ControlInfo: *mut CMSGHDR,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskReceiveFrom`: receives one datagram, before callbacks get it. `IoStatus.Information` is the bytes received.
///
/// * `Socket`: the socket, bound.
/// * `Buffer`: where to; its pages stay locked until the IRP completes.
/// * `Flags`: 0.
/// * `RemoteAddress`: nonpaged room for where it came from, or null.
/// * `ControlLength`: in, bytes of room; out, bytes of the control area; or null.
/// * `ControlInfo`: that room, or null.
/// * `ControlFlags`: out, `MSG_` flags; or null.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RECEIVE_FROM = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        Buffer: *mut WSK_BUF,
        Flags: u32,
        RemoteAddress: PSOCKADDR,
        ControlLength: *mut u32,
        ControlInfo: *mut CMSGHDR,
        ControlFlags: *mut u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskRelease` of datagrams: gives retained indications back. `STATUS_SUCCESS` or `STATUS_INVALID_PARAMETER`.
///
/// * `Socket`: the socket.
/// * `DatagramIndication`: the list as it was indicated; or single nodes of it whose `Next` is null, in any order,
///   which is not documented but how WireGuard-NT releases.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        DatagramIndication: *mut WSK_DATAGRAM_INDICATION,
    ) -> NTSTATUS,
>;

/// `WskSendMessages`: sends several datagrams to one address, with one IRP. `IoStatus.Information` is the bytes sent,
/// of all. Windows 8 and later.
///
/// * `Socket`: the socket, bound.
/// * `BufferList`: the datagrams; nodes and pages stay as they are until the IRP completes.
/// * `Flags`: 0.
/// * `RemoteAddress`, `ControlInfoLength`, `ControlInfo`: as in [`PFN_WSK_SEND_TO`], for all datagrams.
/// * `Irp`: required.
///
/// # IRQL
/// Not documented; WireGuard-NT and ovpn-dco-win call it at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_SEND_MESSAGES = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        BufferList: *mut WSK_BUF_LIST,
        Flags: u32,
        RemoteAddress: PSOCKADDR,
        ControlInfoLength: u32,
        ControlInfo: *mut CMSGHDR,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;
