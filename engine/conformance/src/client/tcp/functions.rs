//! The functions of a socket over TCP, which stand at different places in the three tables.

use skua_engine::Kernel;
use skua_engine::abi::wsk::{
    PFN_WSK_ACCEPT, PFN_WSK_BIND, PFN_WSK_CONNECT, PFN_WSK_CONNECT_EX, PFN_WSK_DISCONNECT,
    PFN_WSK_GET_LOCAL_ADDRESS, PFN_WSK_GET_REMOTE_ADDRESS, PFN_WSK_RECEIVE, PFN_WSK_SEND,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH, WSK_PROVIDER_STREAM_DISPATCH,
};

use super::socket::{Kind, StreamSocket};

impl<'c, K: Kernel> StreamSocket<'c, K> {
    /// How many functions of a stream socket's table are there.
    pub(crate) fn stream_functions(&self) -> usize {
        let table = self.stream();
        [
            table.Basic.WskControlSocket.is_some(),
            table.Basic.WskCloseSocket.is_some(),
            table.WskBind.is_some(),
            table.WskAccept.is_some(),
            table.WskConnect.is_some(),
            table.WskListen.is_some(),
            table.WskSend.is_some(),
            table.WskReceive.is_some(),
            table.WskDisconnect.is_some(),
            table.WskRelease.is_some(),
            table.WskGetLocalAddress.is_some(),
            table.WskGetRemoteAddress.is_some(),
            table.WskConnectEx.is_some(),
            table.WskSendEx.is_some(),
            table.WskReceiveEx.is_some(),
        ]
        .into_iter()
        .filter(|there| *there)
        .count()
    }

    pub(super) fn listening(&self) -> &'c WSK_PROVIDER_LISTEN_DISPATCH {
        self.table()
    }

    fn connection(&self) -> &'c WSK_PROVIDER_CONNECTION_DISPATCH {
        self.table()
    }

    pub(super) fn stream(&self) -> &'c WSK_PROVIDER_STREAM_DISPATCH {
        self.table()
    }

    pub(super) fn bind_function(&self) -> PFN_WSK_BIND {
        match self.kind {
            Kind::Listen => self.listening().WskBind,
            Kind::Connection => self.connection().WskBind,
            Kind::Stream => self.stream().WskBind,
        }
    }

    pub(super) fn accept_function(&self) -> PFN_WSK_ACCEPT {
        match self.kind {
            Kind::Listen => self.listening().WskAccept,
            Kind::Connection => None,
            Kind::Stream => self.stream().WskAccept,
        }
    }

    pub(super) fn connect_function(&self) -> PFN_WSK_CONNECT {
        match self.kind {
            Kind::Listen => None,
            Kind::Connection => self.connection().WskConnect,
            Kind::Stream => self.stream().WskConnect,
        }
    }

    pub(super) fn connect_ex_function(&self) -> PFN_WSK_CONNECT_EX {
        match self.kind {
            Kind::Listen => None,
            Kind::Connection => self.connection().WskConnectEx,
            Kind::Stream => self.stream().WskConnectEx,
        }
    }

    pub(super) fn send_function(&self) -> PFN_WSK_SEND {
        match self.kind {
            Kind::Listen => None,
            Kind::Connection => self.connection().WskSend,
            Kind::Stream => self.stream().WskSend,
        }
    }

    pub(super) fn receive_function(&self) -> PFN_WSK_RECEIVE {
        match self.kind {
            Kind::Listen => None,
            Kind::Connection => self.connection().WskReceive,
            Kind::Stream => self.stream().WskReceive,
        }
    }

    pub(super) fn disconnect_function(&self) -> PFN_WSK_DISCONNECT {
        match self.kind {
            Kind::Listen => None,
            Kind::Connection => self.connection().WskDisconnect,
            Kind::Stream => self.stream().WskDisconnect,
        }
    }

    pub(super) fn local_function(&self) -> PFN_WSK_GET_LOCAL_ADDRESS {
        match self.kind {
            Kind::Listen => self.listening().WskGetLocalAddress,
            Kind::Connection => self.connection().WskGetLocalAddress,
            Kind::Stream => self.stream().WskGetLocalAddress,
        }
    }

    pub(super) fn remote_function(&self) -> PFN_WSK_GET_REMOTE_ADDRESS {
        match self.kind {
            Kind::Listen => None,
            Kind::Connection => self.connection().WskGetRemoteAddress,
            Kind::Stream => self.stream().WskGetRemoteAddress,
        }
    }
}
