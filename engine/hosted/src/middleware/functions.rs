//! The table of a socket of the provider below, whatever its category.

// UNSAFETY: reads the tables of the provider below.
#![expect(unsafe_code, reason = "tables are given by address")]

use std::ffi::c_void;

use skua_engine::abi::wsk::{
    PFN_WSK_ACCEPT, PFN_WSK_BIND, PFN_WSK_CLOSE_SOCKET, PFN_WSK_CONNECT, PFN_WSK_CONNECT_EX,
    PFN_WSK_CONTROL_SOCKET, PFN_WSK_DISCONNECT, PFN_WSK_GET_LOCAL_ADDRESS, PFN_WSK_GET_REMOTE_ADDRESS,
    PFN_WSK_INSPECT_COMPLETE, PFN_WSK_LISTEN, PFN_WSK_RECEIVE, PFN_WSK_RECEIVE_EX, PFN_WSK_RECEIVE_FROM,
    PFN_WSK_RELEASE_DATA_INDICATION_LIST, PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST, PFN_WSK_SEND,
    PFN_WSK_SEND_EX, PFN_WSK_SEND_MESSAGES, PFN_WSK_SEND_TO, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH,
    WSK_PROVIDER_STREAM_DISPATCH,
};

use super::Category;

/// What a socket's table has; what its category has not is missing.
#[derive(Default)]
pub(super) struct Functions {
    pub(super) control_socket: PFN_WSK_CONTROL_SOCKET,
    pub(super) close_socket: PFN_WSK_CLOSE_SOCKET,
    pub(super) bind: PFN_WSK_BIND,
    pub(super) get_local_address: PFN_WSK_GET_LOCAL_ADDRESS,
    pub(super) get_remote_address: PFN_WSK_GET_REMOTE_ADDRESS,
    pub(super) send_to: PFN_WSK_SEND_TO,
    pub(super) receive_from: PFN_WSK_RECEIVE_FROM,
    pub(super) release_datagrams: PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST,
    pub(super) send_messages: PFN_WSK_SEND_MESSAGES,
    pub(super) accept: PFN_WSK_ACCEPT,
    pub(super) inspect_complete: PFN_WSK_INSPECT_COMPLETE,
    pub(super) listen: PFN_WSK_LISTEN,
    pub(super) connect: PFN_WSK_CONNECT,
    pub(super) connect_ex: PFN_WSK_CONNECT_EX,
    pub(super) send: PFN_WSK_SEND,
    pub(super) receive: PFN_WSK_RECEIVE,
    pub(super) disconnect: PFN_WSK_DISCONNECT,
    pub(super) release_data: PFN_WSK_RELEASE_DATA_INDICATION_LIST,
    pub(super) send_ex: PFN_WSK_SEND_EX,
    pub(super) receive_ex: PFN_WSK_RECEIVE_EX,
}

impl Functions {
    /// # Safety
    /// `dispatch` is the table of an open socket of `category`.
    pub(super) unsafe fn of(category: Category, dispatch: *const c_void) -> Self {
        // SAFETY: every table begins with this one.
        let basic = unsafe { dispatch.cast::<WSK_PROVIDER_BASIC_DISPATCH>().read() };
        let basic = Self {
            control_socket: basic.WskControlSocket,
            close_socket: basic.WskCloseSocket,
            ..Self::default()
        };
        match category {
            Category::Basic => basic,
            Category::Listen => {
                // SAFETY: the category's table.
                let table = unsafe { dispatch.cast::<WSK_PROVIDER_LISTEN_DISPATCH>().read() };
                Self {
                    bind: table.WskBind,
                    get_local_address: table.WskGetLocalAddress,
                    accept: table.WskAccept,
                    inspect_complete: table.WskInspectComplete,
                    ..basic
                }
            }
            Category::Datagram => {
                // SAFETY: the category's table.
                let table = unsafe { dispatch.cast::<WSK_PROVIDER_DATAGRAM_DISPATCH>().read() };
                Self {
                    bind: table.WskBind,
                    get_local_address: table.WskGetLocalAddress,
                    send_to: table.WskSendTo,
                    receive_from: table.WskReceiveFrom,
                    release_datagrams: table.WskRelease,
                    send_messages: table.WskSendMessages,
                    ..basic
                }
            }
            Category::Connection => {
                // SAFETY: the category's table.
                let table = unsafe { dispatch.cast::<WSK_PROVIDER_CONNECTION_DISPATCH>().read() };
                Self {
                    bind: table.WskBind,
                    get_local_address: table.WskGetLocalAddress,
                    get_remote_address: table.WskGetRemoteAddress,
                    connect: table.WskConnect,
                    connect_ex: table.WskConnectEx,
                    send: table.WskSend,
                    receive: table.WskReceive,
                    disconnect: table.WskDisconnect,
                    release_data: table.WskRelease,
                    send_ex: table.WskSendEx,
                    receive_ex: table.WskReceiveEx,
                    ..basic
                }
            }
            Category::Stream => {
                // SAFETY: the category's table.
                let table = unsafe { dispatch.cast::<WSK_PROVIDER_STREAM_DISPATCH>().read() };
                Self {
                    bind: table.WskBind,
                    get_local_address: table.WskGetLocalAddress,
                    get_remote_address: table.WskGetRemoteAddress,
                    accept: table.WskAccept,
                    listen: table.WskListen,
                    connect: table.WskConnect,
                    connect_ex: table.WskConnectEx,
                    send: table.WskSend,
                    receive: table.WskReceive,
                    disconnect: table.WskDisconnect,
                    release_data: table.WskRelease,
                    send_ex: table.WskSendEx,
                    receive_ex: table.WskReceiveEx,
                    ..basic
                }
            }
        }
    }
}
