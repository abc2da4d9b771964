//! TCP below the provider: one socket below each WSK socket that listens or connects, of this host or in memory.

mod host;
mod options;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod waker;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod waker;

use std::io::IoSlice;
use std::net::SocketAddr;

use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use socket2::MaybeUninitSlice;

use self::host::{HostSocket, HostWatched};
use super::{Family, Query, Setting, StackEndpoint};
use crate::loopback::tcp::{MemorySocket, MemoryWatched};

/// Connections that are kept until somebody accepts them.
pub(crate) const BACKLOG: i32 = 1024;

/// A TCP socket. Methods can be called at the same time from any thread.
pub(crate) enum TcpSocket {
    Host(HostSocket),
    Memory(MemorySocket),
}

/// A socket that is waited for along with another.
pub(crate) enum Watched {
    Host(HostWatched),
    Memory(MemoryWatched),
}

/// What a thread waits for at a socket, besides being woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// That the connection is broken, which the other two notice too.
    pub(crate) broken: bool,
    /// That the other end sends nothing more.
    pub(crate) hung_up: bool,
}

impl Interest {
    /// Nothing but being woken.
    pub(crate) const NONE: Self = Self { read: false, write: false, broken: false, hung_up: false };
}

/// How far a call came that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt<T> {
    Done(T),
    /// Nothing yet.
    NotYet,
    Failed(NTSTATUS),
}

impl<T> Attempt<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Done(value) => Attempt::Done(map(value)),
            Self::NotYet => Attempt::NotYet,
            Self::Failed(status) => Attempt::Failed(status),
        }
    }
}

/// Calls the same method of either.
macro_rules! either {
    ($socket:expr, $either:ident => $call:expr) => {
        match $socket {
            TcpSocket::Host($either) => $call,
            TcpSocket::Memory($either) => $call,
        }
    };
}

impl TcpSocket {
    /// A socket of this host that is not bound. A listening one may take an address over that closed connections still
    /// use, as it may on Windows.
    pub(crate) fn open(family: Family, listens: bool) -> Result<Self, NTSTATUS> {
        HostSocket::open(family, listens).map(Self::Host)
    }

    /// Binds as [`StackSocket::bind`](super::StackSocket::bind) does.
    pub(crate) fn bind(&self, local: SocketAddr, shared: bool) -> Result<SocketAddr, NTSTATUS> {
        either!(self, socket => socket.bind(local, shared))
    }

    pub(crate) fn listen(&self) -> Result<(), NTSTATUS> {
        either!(self, socket => socket.listen())
    }

    /// Takes a connection that has come: its socket, its own address and that of the other end.
    pub(crate) fn accept(&self) -> Attempt<(Self, SocketAddr, SocketAddr)> {
        match self {
            Self::Host(socket) => {
                socket.accept().map(|(accepted, local, remote)| (Self::Host(accepted), local, remote))
            }
            Self::Memory(socket) => {
                socket.accept().map(|(accepted, local, remote)| (Self::Memory(accepted), local, remote))
            }
        }
    }

    /// Begins to connect, or says that it is done already.
    pub(crate) fn connect(&self, remote: SocketAddr) -> Attempt<()> {
        either!(self, socket => socket.connect(remote))
    }

    /// Whether what [`TcpSocket::connect`] began is done.
    pub(crate) fn connected(&self) -> Attempt<()> {
        either!(self, socket => socket.connected())
    }

    /// The address that it has now; connecting replaces the wildcard.
    pub(crate) fn local(&self) -> Result<SocketAddr, NTSTATUS> {
        either!(self, socket => socket.local())
    }

    /// Sends as much as there is room for. With `push` nothing of it is delayed.
    pub(crate) fn send(&self, parts: &[IoSlice<'_>], push: bool) -> Attempt<usize> {
        match self {
            Self::Host(socket) => socket.send(parts, push),
            Self::Memory(socket) => socket.send(parts),
        }
    }

    /// Receives what has come; 0 bytes are the end of the stream.
    pub(crate) fn receive(&self, parts: &mut [MaybeUninitSlice<'_>]) -> Attempt<usize> {
        either!(self, socket => socket.receive(parts))
    }

    /// Whether there is something to receive, or with `Done(false)` the end of the stream.
    pub(crate) fn peek(&self) -> Attempt<bool> {
        either!(self, socket => socket.peek())
    }

    /// Bytes that can be received.
    pub(crate) fn readable(&self) -> Result<usize, NTSTATUS> {
        either!(self, socket => socket.readable())
    }

    /// Sends nothing more, and says so to the other end behind what was sent.
    pub(crate) fn end_sending(&self) -> Attempt<()> {
        either!(self, socket => socket.end_sending())
    }

    /// Resets the connection, and closes.
    pub(crate) fn abort(&self) {
        either!(self, socket => socket.abort());
    }

    /// Lets the connection fall silent: not even its end is told to the other. Where the host can.
    pub(crate) fn silence(&self) -> Result<(), NTSTATUS> {
        match self {
            Self::Host(socket) => socket.silence(),
            Self::Memory(_) => Err(STATUS_NOT_SUPPORTED),
        }
    }

    /// The connection is broken or the other end has said that it sends nothing more, read or not.
    pub(crate) fn has_hung_up(&self) -> bool {
        either!(self, socket => socket.has_hung_up())
    }

    /// Waits until one of the `interest` comes about, one of the `others` has hung up, or [`TcpSocket::wake`] was called
    /// since the last wait. True when the connection is broken. The others are of the same stack.
    pub(crate) fn wait(&self, interest: Interest, others: &[Watched]) -> bool {
        match self {
            Self::Host(socket) => {
                let others: Vec<&HostWatched> = others
                    .iter()
                    .filter_map(|other| if let Watched::Host(other) = other { Some(other) } else { None })
                    .collect();
                socket.wait(interest, &others)
            }
            Self::Memory(socket) => {
                let others = others
                    .iter()
                    .filter_map(|other| if let Watched::Memory(other) = other { Some(other) } else { None });
                socket.wait(interest, others)
            }
        }
    }

    /// For another socket's [`TcpSocket::wait`].
    pub(crate) fn watched(&self) -> Option<Watched> {
        match self {
            Self::Host(socket) => socket.watched().map(Watched::Host),
            Self::Memory(socket) => socket.watched().map(Watched::Memory),
        }
    }

    /// Lets a thread that waits return, or the next that will.
    pub(crate) fn wake(&self) {
        either!(self, socket => socket.wake());
    }
}

impl StackEndpoint for TcpSocket {
    fn set(&self, setting: &Setting) -> Result<(), NTSTATUS> {
        either!(self, socket => socket.set(setting))
    }

    fn query(&self, query: Query) -> Result<u32, NTSTATUS> {
        either!(self, socket => socket.query(query))
    }

    fn segments(&self) -> bool {
        false
    }

    fn share_address(&self) {
        either!(self, socket => socket.share_address());
    }

    fn close(&self) {
        either!(self, socket => socket.close());
    }
}
