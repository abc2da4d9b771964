//! Which callbacks are enabled, and what they are told.

use bytemuck::Zeroable;

use crate::abi::nt::GUID;

/// Enables or disables callbacks: the argument of `SO_WSK_EVENT_CALLBACK` for one socket, and of
/// `WSK_SET_STATIC_EVENT_CALLBACKS` for all that the client creates.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_EVENT_CALLBACK_CONTROL {
    /// Whose callbacks: [`NPI_WSK_INTERFACE_ID`](super::NPI_WSK_INTERFACE_ID), or an extension's.
    pub NpiId: *const GUID,
    /// Which: `WSK_EVENT_` flags, or exactly one of them with [`WSK_EVENT_DISABLE`].
    pub EventMask: u32,
}
layout!(WSK_EVENT_CALLBACK_CONTROL { size: 16, align: 8, NpiId: 0, EventMask: 8 });

/// Connection sockets: `WskSendBacklogEvent`.
pub const WSK_EVENT_SEND_BACKLOG: u32 = 0x0000_0010;
/// Connection sockets: `WskReceiveEvent`.
pub const WSK_EVENT_RECEIVE: u32 = 0x0000_0040;
/// Connection sockets: `WskDisconnectEvent`.
pub const WSK_EVENT_DISCONNECT: u32 = 0x0000_0080;
/// Datagram sockets: `WskReceiveFromEvent`.
pub const WSK_EVENT_RECEIVE_FROM: u32 = 0x0000_0100;
/// Listening sockets: `WskAcceptEvent`.
pub const WSK_EVENT_ACCEPT: u32 = 0x0000_0200;
/// With exactly one of the others: disable it.
pub const WSK_EVENT_DISABLE: u32 = 0x8000_0000;

/// Flag of `WskDisconnect` and `WskDisconnectEvent`: at once, what is under way is lost.
pub const WSK_FLAG_ABORTIVE: u32 = 0x1;
/// Flag of `WskReceiveEvent`: buffers are short, release soon.
pub const WSK_FLAG_RELEASE_ASAP: u32 = 0x2;
/// Flag of `WskReceiveEvent`: the list is a whole message of a message-oriented transport.
pub const WSK_FLAG_ENTIRE_MESSAGE: u32 = 0x4;
/// Flag of every callback: it is certainly at `DISPATCH_LEVEL`. Without it, it may be at any level up to there.
pub const WSK_FLAG_AT_DISPATCH_LEVEL: u32 = 0x8;

/// Flag of `WskSend`: do not delay small segments.
pub const WSK_FLAG_NODELAY: u32 = 0x2;
/// Flag of `WskReceive`: complete when the buffer is full. Not with [`WSK_FLAG_DRAIN`].
pub const WSK_FLAG_WAITALL: u32 = 0x2;
/// Flag of `WskReceive`: throw away what is received until the connection ends; the buffer is empty.
pub const WSK_FLAG_DRAIN: u32 = 0x4;
/// In Microsoft's header, without public documentation.
pub const WSK_FLAG_OOB: u32 = 0x1;
