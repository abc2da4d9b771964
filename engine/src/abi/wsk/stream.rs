//! Stream sockets, which become listening or connection sockets by what is called on them. Windows 10 1703 and later.
// UNSAFETY: the client's table is declared shareable between threads.
#![expect(unsafe_code, reason = "a table of pointers to constant tables is Sync")]

use bytemuck::Zeroable;

use super::{
    PFN_WSK_ACCEPT, PFN_WSK_BIND, PFN_WSK_CONNECT, PFN_WSK_CONNECT_EX, PFN_WSK_DISCONNECT,
    PFN_WSK_GET_LOCAL_ADDRESS, PFN_WSK_GET_REMOTE_ADDRESS, PFN_WSK_RECEIVE, PFN_WSK_RECEIVE_EX,
    PFN_WSK_RELEASE_DATA_INDICATION_LIST, PFN_WSK_SEND, PFN_WSK_SEND_EX, WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH, WSK_PROVIDER_BASIC_DISPATCH, WSK_SOCKET,
};
use crate::abi::nt::IRP;
use crate::abi::status::NTSTATUS;

/// The client's table: the two tables it may need, by address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_CLIENT_STREAM_DISPATCH {
    /// Used once it listens; or null.
    pub Listen: *const WSK_CLIENT_LISTEN_DISPATCH,
    /// Used once it connects; or null.
    pub Connect: *const WSK_CLIENT_CONNECTION_DISPATCH,
}
layout!(WSK_CLIENT_STREAM_DISPATCH { size: 16, align: 8, Listen: 0, Connect: 8 });

// SAFETY: nothing is ever written through the two pointers, by client or provider: they lead to constant tables.
unsafe impl Send for WSK_CLIENT_STREAM_DISPATCH {}
// SAFETY: as for Send.
unsafe impl Sync for WSK_CLIENT_STREAM_DISPATCH {}

/// The provider's table. 104 bytes in Windows 10 1703, 120 later.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_STREAM_DISPATCH {
    /// What every socket can do.
    pub Basic: WSK_PROVIDER_BASIC_DISPATCH,
    /// Gives the socket its local address.
    pub WskBind: PFN_WSK_BIND,
    /// Accepts a connection.
    pub WskAccept: PFN_WSK_ACCEPT,
    /// Connects it, which makes it a connection socket.
    pub WskConnect: PFN_WSK_CONNECT,
    /// Starts listening, which makes it a listening socket.
    pub WskListen: PFN_WSK_LISTEN,
    /// Sends.
    pub WskSend: PFN_WSK_SEND,
    /// Receives.
    pub WskReceive: PFN_WSK_RECEIVE,
    /// Disconnects.
    pub WskDisconnect: PFN_WSK_DISCONNECT,
    /// Gives indications back.
    pub WskRelease: PFN_WSK_RELEASE_DATA_INDICATION_LIST,
    /// The local address.
    pub WskGetLocalAddress: PFN_WSK_GET_LOCAL_ADDRESS,
    /// The remote address.
    pub WskGetRemoteAddress: PFN_WSK_GET_REMOTE_ADDRESS,
    /// Connects and sends.
    pub WskConnectEx: PFN_WSK_CONNECT_EX,
    /// Sends with control messages. Reserved.
    pub WskSendEx: PFN_WSK_SEND_EX,
    /// Receives with control messages. Reserved.
    pub WskReceiveEx: PFN_WSK_RECEIVE_EX,
}
layout!(WSK_PROVIDER_STREAM_DISPATCH {
    size: 120, align: 8, Basic: 0, Basic.WskControlSocket: 0, Basic.WskCloseSocket: 8, WskBind: 16, WskAccept: 24,
    WskConnect: 32, WskListen: 40, WskSend: 48, WskReceive: 56, WskDisconnect: 64, WskRelease: 72,
    WskGetLocalAddress: 80, WskGetRemoteAddress: 88, WskConnectEx: 96, WskSendEx: 104, WskReceiveEx: 112,
});

/// `WskListen`: makes a bound stream socket listen.
///
/// * `Socket`: the socket.
/// * `Irp`: required.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_LISTEN = Option<unsafe extern "C" fn(Socket: *mut WSK_SOCKET, Irp: *mut IRP) -> NTSTATUS>;
