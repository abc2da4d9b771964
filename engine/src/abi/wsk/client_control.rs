//! Controls of the client as a whole: the codes of `WskControlClient` and what they take and return.

use bytemuck::{Pod, Zeroable};

use crate::abi::nt::GUID;
use crate::abi::sockaddr::ADDRESS_FAMILY;

/// Returns what can be created, [`WSK_TRANSPORT`]s. With no room, the size and `STATUS_BUFFER_OVERFLOW`. No IRP.
pub const WSK_TRANSPORT_LIST_QUERY: u32 = 2;
/// Completes when [`WSK_TRANSPORT_LIST_QUERY`] would return something else. IRP required.
pub const WSK_TRANSPORT_LIST_CHANGE: u32 = 3;
/// Takes the address of a security descriptor, returns that of a cached copy; both in variables of 8 bytes. No IRP.
pub const WSK_CACHE_SD: u32 = 4;
/// Takes a variable with the address of a cached security descriptor. No IRP.
pub const WSK_RELEASE_SD: u32 = 5;
/// Takes [`WSK_TDI_MAP_INFO`]. Before any socket. No IRP. Obsolete.
pub const WSK_TDI_DEVICENAME_MAPPING: u32 = 6;
/// Takes [`WSK_EVENT_CALLBACK_CONTROL`](super::WSK_EVENT_CALLBACK_CONTROL): enables callbacks on every socket from
/// then on, for good. Before any socket. No IRP.
pub const WSK_SET_STATIC_EVENT_CALLBACKS: u32 = 7;
/// Takes a `ULONG`, [`WSK_TDI_BEHAVIOR_BYPASS_TDI`]. Before any socket. No IRP.
pub const WSK_TDI_BEHAVIOR: u32 = 8;

/// [`WSK_TDI_BEHAVIOR`]: go around TDI filters, which WireGuard-NT found to be slower and to lose control messages.
pub const WSK_TDI_BEHAVIOR_BYPASS_TDI: u32 = 0x1;

/// One combination that `WskSocket` takes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
pub struct WSK_TRANSPORT {
    /// The version of WSK that the transport speaks.
    pub Version: u16,
    /// `SOCK_` type.
    pub SocketType: u16,
    /// `IPPROTO_` protocol.
    pub Protocol: u32,
    /// The address family; WireGuard-NT has seen `AF_UNSPEC` for a transport of both.
    pub AddressFamily: ADDRESS_FAMILY,
    /// Padding that C leaves unnamed.
    pub _padding: u16,
    /// Who provides it.
    pub ProviderId: GUID,
}
layout!(WSK_TRANSPORT {
    size: 28,
    align: 4,
    Version: 0,
    SocketType: 2,
    Protocol: 4,
    AddressFamily: 8,
    ProviderId: 12,
});

/// Which device serves sockets of one combination through TDI.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_TDI_MAP {
    /// `SOCK_` type.
    pub SocketType: u16,
    /// The address family.
    pub AddressFamily: ADDRESS_FAMILY,
    /// `IPPROTO_` protocol.
    pub Protocol: u32,
    /// Name of the device, UTF-16 ending in zero.
    pub TdiDeviceName: *const u16,
}
layout!(WSK_TDI_MAP { size: 16, align: 8, SocketType: 0, AddressFamily: 2, Protocol: 4, TdiDeviceName: 8 });

/// The argument of [`WSK_TDI_DEVICENAME_MAPPING`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_TDI_MAP_INFO {
    /// How many.
    pub ElementCount: u32,
    /// The first; the others follow.
    pub Map: *const WSK_TDI_MAP,
}
layout!(WSK_TDI_MAP_INFO { size: 16, align: 8, ElementCount: 0, Map: 8 });
