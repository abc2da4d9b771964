//! What an embedder writes for sockets over TCP: the code that their events call.

use core::net::SocketAddr;

use crate::client::connection::ConnectionSocket;
use crate::client::indication::{Indication, Verdict};
use crate::client::inspect::{InspectId, Inspection};
use crate::client::listen_events::{Acceptance, Arriving};
use crate::kernel::Kernel;

/// The events of a connection that its handler wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionEvents {
    /// [`ConnectionHandler::receive`], for data that no request waits for.
    pub receive: bool,
    /// [`ConnectionHandler::disconnect`].
    pub disconnect: bool,
    /// [`ConnectionHandler::send_backlog`].
    pub send_backlog: bool,
}

/// How the other end left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndOfStream {
    /// It sends nothing more; what it sent before has come.
    Graceful,
    /// The connection is broken.
    Abortive,
}

/// What one connection's events do. Each connection has a handler of its own, dropped when it is closed.
///
/// Events of one connection may come on any processor; those of receiving come one at a time. The code must not wait,
/// allocate, panic, or use more than about 1 KiB of stack. It may make requests of the connection.
pub trait ConnectionHandler<K: Kernel>: Send + Sync + Sized + 'static {
    /// The events that it wants. Enabled when the connection is there.
    const EVENTS: ConnectionEvents;

    /// Data has come. The verdict says what becomes of it.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn receive<'a>(&self, _socket: &ConnectionSocket<K, Self>, data: Indication<'a, K>) -> Verdict<'a> {
        data.refuse()
    }

    /// The other end sends nothing more.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn disconnect(&self, _socket: &ConnectionSocket<K, Self>, _how: EndOfStream) {}

    /// How many bytes it is best to have under way has changed.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn send_backlog(&self, _socket: &ConnectionSocket<K, Self>, _bytes: usize) {}

    /// The provider has said that the socket is dead: only its close is left, which is not for a callback to wait for.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn died(&self, _socket: &ConnectionSocket<K, Self>) {}
}

/// What a listening socket's events do. The same rules as for [`ConnectionHandler`].
pub trait ListenHandler<K: Kernel>: Send + Sync + 'static {
    /// The handler of each connection that is accepted.
    type Connection: ConnectionHandler<K>;

    /// [`ListenHandler::accept`] is called for connections that no [`accept`](crate::ListenSocket::accept) waits for.
    const ACCEPTS: bool;

    /// [`ListenHandler::inspect`] decides on connections before they are accepted (SO_CONDITIONAL_ACCEPT). Not for stream
    /// sockets.
    const INSPECTS: bool = false;

    /// A connection has come: [accept](Arriving::accept) or [refuse](Arriving::refuse) it.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn accept<'a>(&self, arriving: Arriving<'a, K, Self::Connection>) -> Acceptance<'a> {
        arriving.refuse()
    }

    /// Somebody wants to connect.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn inspect(&self, _local: SocketAddr, _remote: SocketAddr, _id: InspectId) -> Inspection {
        Inspection::Accept
    }

    /// Who wanted to connect and was left [pending](Inspection::Pend) does not want to any more.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn abort(&self, _id: InspectId) {}

    /// The provider has said that the socket is dead: only its close is left.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn died(&self) {}
}

/// No events: data and connections are asked for by requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoHandler;

impl<K: Kernel> ConnectionHandler<K> for NoHandler {
    const EVENTS: ConnectionEvents =
        ConnectionEvents { receive: false, disconnect: false, send_backlog: false };
}

impl<K: Kernel> ListenHandler<K> for NoHandler {
    type Connection = Self;
    const ACCEPTS: bool = false;
}
