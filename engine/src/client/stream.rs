//! Stream sockets: made first, listening or connecting later (Windows 10 1703).

// UNSAFETY: WskSocket and WskListen with the block of the socket that is made.
#![expect(unsafe_code, reason = "the block stays in place until the handle's close is through")]

use core::marker::PhantomData;
use core::net::SocketAddr;

use crate::abi::sockaddr::SOCK_STREAM;
use crate::abi::status::{NTSTATUS, STATUS_SUCCESS};
use crate::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_CLIENT_STREAM_DISPATCH,
    WSK_FLAG_STREAM_SOCKET,
};
use crate::client::base::SocketBase;
use crate::client::builder::SocketBuilder;
use crate::client::connection::{Bound, ConnectionSocket, Unbound};
use crate::client::connection_events::Table;
use crate::client::connections::Connections;
use crate::client::control::{Controlled, sealed::HasBase};
use crate::client::finish::{Address, Opening, Ready};
use crate::client::handler::{ConnectionHandler, ListenHandler};
use crate::client::inside::{ABSENT, Call};
use crate::client::listen::ListenSocket;
use crate::client::listen_events::ListenTable;
use crate::kernel::Kernel;
use crate::registration::Provider;
use crate::request::{Buffer, Pending, RequestError};

/// A stream socket that is neither listening nor connected. What it is to become is in its type, because that is what its
/// events belong to: `R` is a [`ListenSocket`] or a [`ConnectionSocket`], [`Unbound`] or [`Bound`].
pub struct StreamSocket<R>(R);

/// A stream socket that is to listen.
pub type StreamListener<K, L, S> = StreamSocket<ListenSocket<K, L, S>>;

/// A stream socket that is to connect.
pub type StreamConnector<K, H, S> = StreamSocket<ConnectionSocket<K, H, S>>;

/// No events of connections: what a listening stream socket accepts has a table of its own.
const NO_CONNECTION: &WSK_CLIENT_CONNECTION_DISPATCH = &WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: None,
    WskDisconnectEvent: None,
    WskSendBacklogEvent: None,
};

/// No events of listening.
const NO_LISTEN: &WSK_CLIENT_LISTEN_DISPATCH =
    &WSK_CLIENT_LISTEN_DISPATCH { WskAcceptEvent: None, WskInspectEvent: None, WskAbortEvent: None };

struct ListenerTable<K, L>(PhantomData<(K, L)>);

impl<K: Kernel, L: ListenHandler<K>> ListenerTable<K, L> {
    const DISPATCH: &'static WSK_CLIENT_STREAM_DISPATCH =
        &WSK_CLIENT_STREAM_DISPATCH { Listen: ListenTable::<K, L>::DISPATCH, Connect: NO_CONNECTION };
}

struct ConnectorTable<K, H>(PhantomData<(K, H)>);

impl<K: Kernel, H: ConnectionHandler<K>> ConnectorTable<K, H> {
    const DISPATCH: &'static WSK_CLIENT_STREAM_DISPATCH =
        &WSK_CLIENT_STREAM_DISPATCH { Listen: NO_LISTEN, Connect: Table::<K, H>::DISPATCH };
}

impl SocketBuilder<'static> {
    /// Makes a stream socket that is to listen.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL: it takes memory.
    pub fn stream_listener<K: Kernel, L: ListenHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, L::Connection>,
        handler: L,
    ) -> Pending<K, Opening<StreamListener<K, L, Unbound>>> {
        let is_ipv6 = self.is_ipv6();
        let socket = ListenSocket::new(provider, connections, handler, WSK_FLAG_STREAM_SOCKET, is_ipv6);
        let Ok(socket) = socket else { return Pending::failed(RequestError::OutOfMemory) };
        let context = socket.block.as_ptr().cast();
        let table = core::ptr::from_ref(ListenerTable::<K, L>::DISPATCH).cast();
        let socket = StreamSocket(socket);
        // SAFETY: the table is of the category, and nothing is lent for long.
        unsafe { self.make(provider, socket, WSK_FLAG_STREAM_SOCKET, SOCK_STREAM, context, table) }
    }

    /// Makes a stream socket that is to connect.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn stream_connector<K: Kernel, H: ConnectionHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, H>,
        handler: H,
    ) -> Pending<K, Opening<StreamConnector<K, H, Unbound>>> {
        let Ok(block) = connections.take(handler, WSK_FLAG_STREAM_SOCKET, self.is_ipv6()) else {
            return Pending::failed(RequestError::NoConnection);
        };
        // SAFETY: taken just now.
        let socket = StreamSocket(unsafe { ConnectionSocket::over(block) });
        let table = core::ptr::from_ref(ConnectorTable::<K, H>::DISPATCH).cast();
        let context = block.as_ptr().cast();
        // SAFETY: the table is of the category, and nothing is lent for long.
        unsafe { self.make(provider, socket, WSK_FLAG_STREAM_SOCKET, SOCK_STREAM, context, table) }
    }
}

impl<K: Kernel, L: ListenHandler<K>> StreamListener<K, L, Unbound> {
    /// Binds it.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn bind(self, local: SocketAddr) -> Pending<K, Opening<StreamListener<K, L, Bound>>> {
        let block = self.0.block;
        let finish = Opening { call: "WskBind", socket: StreamSocket(self.0.become_state()) };
        // SAFETY: the handle in `finish` keeps the block.
        unsafe { block.as_ref() }.base.bind(local, finish)
    }
}

impl<K: Kernel, L: ListenHandler<K>> StreamListener<K, L, Bound> {
    /// Makes it listen for good (WskListen), and enables the accept event if its handler wants it.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn listen(self) -> Pending<K, Opening<ListenSocket<K, L>>> {
        let block = self.0.block;
        let finish = Opening { call: "WskListen", socket: self.0.become_state() };
        let call = |call: &Call<'_, K>| match call.listen() {
            // SAFETY: it takes nothing by address.
            Some(listen) => unsafe { listen(call.socket(), call.irp) },
            None => ABSENT,
        };
        // SAFETY: the handle in `finish` keeps the block.
        let base = unsafe { &block.as_ref().base };
        // SAFETY: one function.
        unsafe { base.request(finish, call) }
    }

    /// Where it is bound.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn local_address(&self) -> Pending<K, Address> {
        self.0.base().local_address()
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> StreamConnector<K, H, Unbound> {
    /// Binds it.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn bind(self, local: SocketAddr) -> Pending<K, Opening<StreamConnector<K, H, Bound>>> {
        let block = self.0.block;
        let finish = Opening { call: "WskBind", socket: StreamSocket(self.0.become_state()) };
        // SAFETY: the handle in `finish` keeps the block.
        unsafe { block.as_ref() }.base.bind(local, finish)
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> StreamConnector<K, H, Bound> {
    /// Makes it connect for good: see [`ConnectionSocket::connect`].
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn connect(self, remote: SocketAddr) -> Pending<K, Opening<ConnectionSocket<K, H>>> {
        self.0.connect(remote)
    }

    /// The same with the first bytes to send: see [`ConnectionSocket::connect_with`].
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn connect_with(
        self,
        remote: SocketAddr,
        data: Buffer<K>,
    ) -> Pending<K, Opening<ConnectionSocket<K, H>>> {
        self.0.connect_with(remote, data)
    }

    /// Where it is bound.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn local_address(&self) -> Pending<K, Address> {
        self.0.base().local_address()
    }
}

impl<R> Ready for StreamSocket<R> {
    fn ready(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }
}

impl<K: Kernel, R: HasBase<K>> HasBase<K> for StreamSocket<R> {
    #[expect(private_interfaces, reason = "sealed")]
    fn base(&self) -> &SocketBase<K> {
        self.0.base()
    }
}

impl<K: Kernel, R: Controlled<K>> Controlled<K> for StreamSocket<R> {}
