//! What every socket can do: be controlled and be closed. The other tables begin with this one.

use core::ffi::c_void;

use bytemuck::{Pod, Zeroable};

use crate::abi::nt::IRP;
use crate::abi::sockaddr::PSOCKADDR;
use crate::abi::status::NTSTATUS;

/// A socket: the public beginning of the provider's object, which ends when the socket is closed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_SOCKET {
    /// The provider's table of the socket's category, or of what a stream socket has become.
    pub Dispatch: *const c_void,
}
layout!(WSK_SOCKET { size: 8, align: 8, Dispatch: 0 });

/// The table of a basic socket, and the beginning of every other.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_BASIC_DISPATCH {
    /// Sets and gets options, and the other controls.
    pub WskControlSocket: PFN_WSK_CONTROL_SOCKET,
    /// Closes the socket.
    pub WskCloseSocket: PFN_WSK_CLOSE_SOCKET,
}
layout!(WSK_PROVIDER_BASIC_DISPATCH { size: 16, align: 8, WskControlSocket: 0, WskCloseSocket: 8 });

/// What [`PFN_WSK_CONTROL_SOCKET`] is asked for. Every number is a valid value: it comes from the other side.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Pod, Zeroable)]
pub struct WSK_CONTROL_SOCKET_TYPE(pub i32);
layout!(WSK_CONTROL_SOCKET_TYPE { size: 4, align: 4 });

/// [`WSK_CONTROL_SOCKET_TYPE`]: set an option.
pub const WskSetOption: WSK_CONTROL_SOCKET_TYPE = WSK_CONTROL_SOCKET_TYPE(0);
/// [`WSK_CONTROL_SOCKET_TYPE`]: get an option.
pub const WskGetOption: WSK_CONTROL_SOCKET_TYPE = WSK_CONTROL_SOCKET_TYPE(1);
/// [`WSK_CONTROL_SOCKET_TYPE`]: an I/O control.
pub const WskIoctl: WSK_CONTROL_SOCKET_TYPE = WSK_CONTROL_SOCKET_TYPE(2);
/// [`WSK_CONTROL_SOCKET_TYPE`]: the first value that is none.
pub const WskControlMax: WSK_CONTROL_SOCKET_TYPE = WSK_CONTROL_SOCKET_TYPE(3);

/// `WskControlSocket`: sets or gets an option, or does an I/O control.
///
/// * `Socket`: the socket.
/// * `RequestType`: which of the three.
/// * `ControlCode`: the option, `SO_` and the like, or the control, `SIO_`.
/// * `Level`: the option's level; 0 for a control.
/// * `InputSize`, `InputBuffer`: bytes passed; valid until the IRP completes, if there is one.
/// * `OutputSize`, `OutputBuffer`: room for what is returned; likewise.
/// * `OutputSizeReturned`: bytes returned, without an IRP and where the size is not known before; null otherwise.
/// * `Irp`: depends on the control; `IoStatus.Information` is the bytes returned.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below; `PASSIVE_LEVEL` for `SIO_ADDRESS_LIST_QUERY`, `_CHANGE` and `_SORT`.
pub type PFN_WSK_CONTROL_SOCKET = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        RequestType: WSK_CONTROL_SOCKET_TYPE,
        ControlCode: u32,
        Level: u32,
        InputSize: usize,
        InputBuffer: *mut c_void,
        OutputSize: usize,
        OutputBuffer: *mut c_void,
        OutputSizeReturned: *mut usize,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskCloseSocket`: cancels what is pending, waits for callbacks to return, and frees the socket. No other function
/// of the socket may be running or be called; retained indications must have been released.
///
/// * `Socket`: the socket; gone when the IRP completes.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_CLOSE_SOCKET =
    Option<unsafe extern "C" fn(Socket: *mut WSK_SOCKET, Irp: *mut IRP) -> NTSTATUS>;

/// `WskBind` of listening, datagram, connection and stream sockets: gives the socket its local address.
///
/// * `Socket`: the socket.
/// * `LocalAddress`: of the socket's family; wildcard address and port 0 are allowed.
/// * `Flags`: 0.
/// * `Irp`: required.
///
/// `STATUS_ADDRESS_ALREADY_EXISTS`: in use. `STATUS_ACCESS_DENIED`: it may not be shared.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_BIND = Option<
    unsafe extern "C" fn(
        Socket: *mut WSK_SOCKET,
        LocalAddress: PSOCKADDR,
        Flags: u32,
        Irp: *mut IRP,
    ) -> NTSTATUS,
>;

/// `WskGetLocalAddress` of listening, datagram, connection and stream sockets: the address that the socket is bound
/// to. `STATUS_INVALID_DEVICE_STATE`: it is not bound.
///
/// * `Socket`: the socket.
/// * `LocalAddress`: nonpaged room for an address of its family, until the IRP completes.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_GET_LOCAL_ADDRESS =
    Option<unsafe extern "C" fn(Socket: *mut WSK_SOCKET, LocalAddress: PSOCKADDR, Irp: *mut IRP) -> NTSTATUS>;

/// `WskGetRemoteAddress` of connection and stream sockets: the address at the other end.
/// `STATUS_INVALID_DEVICE_STATE`: it is not connected.
///
/// * `Socket`: the socket.
/// * `RemoteAddress`: nonpaged room for an address of its family, until the IRP completes.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_GET_REMOTE_ADDRESS = Option<
    unsafe extern "C" fn(Socket: *mut WSK_SOCKET, RemoteAddress: PSOCKADDR, Irp: *mut IRP) -> NTSTATUS,
>;
