//! Controls of one socket that only WSK has: options and I/O controls of `WskControlSocket`.

use core::ffi::c_void;

use bytemuck::Zeroable;

use crate::abi::nt::GUID;
use crate::abi::sockaddr::{IOC_IN, IOC_OUT, IOC_VOID};

/// Where WSK's own options of level `SOL_SOCKET` begin.
pub const WSK_SO_BASE: u32 = 0x4000;
/// Option: a variable with the address of a cached security descriptor. Set before bind; what is got must be
/// released.
pub const SO_WSK_SECURITY: u32 = WSK_SO_BASE + 1;
/// Option: [`WSK_EVENT_CALLBACK_CONTROL`](super::WSK_EVENT_CALLBACK_CONTROL). Enabling takes no IRP, disabling may.
pub const SO_WSK_EVENT_CALLBACK: u32 = WSK_SO_BASE + 2;

/// Part of a code: WSK's own.
pub const IOC_WSK: u32 = 0x0F00_0000;
/// Datagram sockets: takes the address that is sent to by default and alone received from; none clears it.
pub const SIO_WSK_SET_REMOTE_ADDRESS: u32 = IOC_IN | IOC_WSK | 1;
/// Takes [`WSK_EXTENSION_CONTROL_IN`], returns [`WSK_EXTENSION_CONTROL_OUT`]. No IRP.
pub const SIO_WSK_REGISTER_EXTENSION: u32 = IOC_IN | IOC_OUT | IOC_WSK | 2;
/// Connected sockets: returns the `SIZE_T` of bytes that should be under way.
pub const SIO_WSK_QUERY_IDEAL_SEND_BACKLOG: u32 = IOC_OUT | IOC_WSK | 3;
/// Connected sockets: returns the `SIZE_T` of bytes that wait to be received.
pub const SIO_WSK_QUERY_RECEIVE_BACKLOG: u32 = IOC_OUT | IOC_WSK | 4;
/// Accepted sockets: returns the [`WSK_INSPECT_ID`](super::WSK_INSPECT_ID) they were accepted under. No IRP.
pub const SIO_WSK_QUERY_INSPECT_ID: u32 = IOC_OUT | IOC_WSK | 5;
/// Datagram sockets: takes the address that is sent to by default; none clears it.
pub const SIO_WSK_SET_SENDTO_ADDRESS: u32 = IOC_IN | IOC_WSK | 6;
/// Connected sockets: sends nothing any more, not even when closed. Windows 8 and later. One public source gives
/// this number.
pub const SIO_WSK_SET_TCP_SILENT_MODE: u32 = IOC_VOID | IOC_WSK | 7;

/// The argument of [`SIO_WSK_REGISTER_EXTENSION`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_EXTENSION_CONTROL_IN {
    /// The extension.
    pub NpiId: *const GUID,
    /// Passed to the client's callbacks in the extension.
    pub ClientContext: *mut c_void,
    /// Those callbacks.
    pub ClientDispatch: *const c_void,
}
layout!(WSK_EXTENSION_CONTROL_IN { size: 24, align: 8, NpiId: 0, ClientContext: 8, ClientDispatch: 16 });

/// What [`SIO_WSK_REGISTER_EXTENSION`] returns.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_EXTENSION_CONTROL_OUT {
    /// To be passed to the provider's functions in the extension.
    pub ProviderContext: *mut c_void,
    /// Those functions.
    pub ProviderDispatch: *const c_void,
}
layout!(WSK_EXTENSION_CONTROL_OUT { size: 16, align: 8, ProviderContext: 0, ProviderDispatch: 8 });
