//! TCP of this host: one nonblocking socket below each WSK socket that listens or connects, the same on every host but for
//! how a thread waits for it. Wine 8 ends a connection in order where it should be reset.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_FILE_FORCED_CLOSED};
use socket2::{Domain, MaybeUninitSlice, Protocol, SockRef, Socket, Type};

use super::waker::{self, Waker};
use super::{Attempt, BACKLOG, Interest, options};
use crate::kernel::lock::hold;
use crate::os::{Family, Query, Setting, settings};
use crate::status;

/// A TCP socket. Methods can be called at the same time from any thread.
pub(crate) struct HostSocket {
    /// `None` once it is closed or aborted. The host's socket goes with the last call on it.
    socket: Mutex<Option<Arc<Socket>>>,
    waker: Waker,
    family: Family,
    /// Whether the option TCP_NODELAY is on.
    no_delay: AtomicBool,
}

/// A socket that is waited for along with another. While this exists the host's socket stays open.
pub(crate) struct HostWatched(Arc<Socket>);

impl HostSocket {
    /// A socket that is not bound. A listening one may take an address over that closed connections still use, as it may
    /// on Windows.
    pub(super) fn open(family: Family, listens: bool) -> std::result::Result<Self, NTSTATUS> {
        let domain = match family {
            Family::V4 => Domain::IPV4,
            Family::V6 => Domain::IPV6,
        };
        let open = || {
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            if family == Family::V6 {
                socket.set_only_v6(true)?;
            }
            if listens && cfg!(unix) {
                socket.set_reuse_address(true)?;
            }
            Self::of(socket, family)
        };
        open().map_err(|error| status::of_stream(&error))
    }

    fn of(socket: Socket, family: Family) -> Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Mutex::new(Some(Arc::new(socket))),
            waker: Waker::new()?,
            family,
            no_delay: AtomicBool::new(false),
        })
    }

    pub(super) fn bind(&self, local: SocketAddr, shared: bool) -> std::result::Result<SocketAddr, NTSTATUS> {
        if shared {
            self.share_address();
        }
        self.with(|socket| {
            match socket.bind(&local.into()) {
                // Closed connections may be all that is there. A socket that is bound without this option is still in the
                // way.
                Err(error) if error.kind() == ErrorKind::AddrInUse && cfg!(unix) => {
                    socket.set_reuse_address(true)?;
                    socket.bind(&local.into())?;
                }
                result => result?,
            }
            settings::local(SockRef::from(socket))
        })
    }

    pub(super) fn listen(&self) -> std::result::Result<(), NTSTATUS> {
        self.with(|socket| socket.listen(BACKLOG))
    }

    /// Takes a connection that has come: its socket, its own address and that of the other end.
    pub(super) fn accept(&self) -> Attempt<(Self, SocketAddr, SocketAddr)> {
        self.attempt(|socket| {
            let (accepted, remote) = socket.accept()?;
            let local = settings::local(SockRef::from(&accepted))?;
            let remote = remote.as_socket().ok_or(ErrorKind::AddrNotAvailable)?;
            let accepted = Self::of(accepted, self.family)?;
            // The host's socket has inherited it.
            accepted.no_delay.store(self.no_delay.load(Ordering::SeqCst), Ordering::SeqCst);
            Ok((accepted, local, remote))
        })
    }

    /// Begins to connect, or says that it is done already.
    pub(super) fn connect(&self, remote: SocketAddr) -> Attempt<()> {
        self.attempt(|socket| {
            let connect = || match socket.connect(&remote.into()) {
                Err(error) if is_in_progress(&error) => Err(ErrorKind::WouldBlock.into()),
                result => result,
            };
            match connect() {
                // What Linux says of a socket whose last connect failed, once.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => connect(),
                result => result,
            }
        })
    }

    /// Whether what [`HostSocket::connect`] began is done.
    pub(super) fn connected(&self) -> Attempt<()> {
        self.attempt(|socket| {
            // Before the look at how it ended.
            let has_ended = waker::connect_has_ended(socket);
            match (socket.take_error()?, socket.peer_addr()) {
                (Some(error), _) => Err(error),
                (None, Ok(_)) => Ok(()),
                // Connected and reset since; Wine says so to whoever asked first, and that was not this.
                (None, Err(_)) if has_ended => Err(ErrorKind::ConnectionReset.into()),
                (None, Err(_)) => Err(ErrorKind::WouldBlock.into()),
            }
        })
    }

    /// The address that it has now; connecting replaces the wildcard.
    pub(super) fn local(&self) -> std::result::Result<SocketAddr, NTSTATUS> {
        self.with(|socket| settings::local(SockRef::from(socket)))
    }

    /// Sends as much as there is room for. With `push` nothing of it is delayed.
    pub(super) fn send(&self, parts: &[IoSlice<'_>], push: bool) -> Attempt<usize> {
        self.attempt(|socket| {
            let toggles = push && !self.no_delay.load(Ordering::SeqCst);
            if toggles {
                socket.set_tcp_nodelay(true)?;
            }
            let sent = socket.send_vectored(parts);
            if toggles {
                socket.set_tcp_nodelay(false)?;
            }
            sent
        })
    }

    /// Receives what has come; 0 bytes are the end of the stream.
    pub(super) fn receive(&self, parts: &mut [MaybeUninitSlice<'_>]) -> Attempt<usize> {
        self.attempt(|socket| socket.recv_vectored(parts).map(|(bytes, _)| bytes))
    }

    /// Whether there is something to receive, or with `Done(false)` the end of the stream.
    pub(super) fn peek(&self) -> Attempt<bool> {
        self.attempt(|socket| Ok(socket.peek(&mut [MaybeUninit::uninit(); 1])? > 0))
    }

    /// Bytes that can be received.
    pub(super) fn readable(&self) -> std::result::Result<usize, NTSTATUS> {
        let socket = self.socket()?;
        waker::readable(&socket)
    }

    /// Sends nothing more, and says so to the other end behind what was sent.
    pub(super) fn end_sending(&self) -> Attempt<()> {
        self.attempt(|socket| socket.shutdown(Shutdown::Write))
    }

    /// Resets the connection, and closes.
    pub(super) fn abort(&self) {
        if let Some(socket) = hold(&self.socket).take() {
            // Without time to linger, closing resets.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        self.waker.wake();
    }

    /// Lets the connection fall silent, for good.
    pub(super) fn silence(&self) -> std::result::Result<(), NTSTATUS> {
        self.socket().and_then(|socket| waker::silence(&socket))
    }

    /// The connection is broken or the other end has said that it sends nothing more, read or not.
    pub(super) fn has_hung_up(&self) -> bool {
        self.socket().map_or(true, |socket| waker::has_hung_up(&socket))
    }

    /// Waits until one of the `interest` comes about, one of the `others` has hung up, or [`HostSocket::wake`] was called
    /// since the last wait. True when the connection is broken.
    pub(super) fn wait(&self, interest: Interest, others: &[&HostWatched]) -> bool {
        let hung_up = Interest { hung_up: true, ..Interest::NONE };
        let own = self.socket().ok().map(|socket| (socket, interest));
        let has_own = own.is_some();
        let rest = others.iter().map(|HostWatched(other)| (Arc::clone(other), hung_up));
        let waited: Vec<(Arc<Socket>, Interest)> = own.into_iter().chain(rest).collect();
        self.waker.wait(&waited) && has_own
    }

    /// For another socket's [`HostSocket::wait`].
    pub(super) fn watched(&self) -> Option<HostWatched> {
        self.socket().ok().map(HostWatched)
    }

    /// Lets a thread that waits return, or the next that will.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    fn socket(&self) -> std::result::Result<Arc<Socket>, NTSTATUS> {
        hold(&self.socket).clone().ok_or(STATUS_FILE_FORCED_CLOSED)
    }

    fn with<T>(&self, call: impl FnOnce(&Socket) -> Result<T>) -> std::result::Result<T, NTSTATUS> {
        let socket = self.socket()?;
        call(&socket).map_err(|error| status::of_stream(&error))
    }

    fn attempt<T>(&self, mut call: impl FnMut(&Socket) -> Result<T>) -> Attempt<T> {
        let socket = match self.socket() {
            Ok(socket) => socket,
            Err(status) => return Attempt::Failed(status),
        };
        loop {
            return match call(&socket) {
                Ok(value) => Attempt::Done(value),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Attempt::NotYet,
                Err(error) => Attempt::Failed(status::of_stream(&error)),
            };
        }
    }
}

impl HostSocket {
    pub(super) fn set(&self, setting: &Setting) -> std::result::Result<(), NTSTATUS> {
        self.with(|socket| match *setting {
            Setting::ReuseAddress(on) => share_address(socket, on),
            Setting::KeepAlive(on) => socket.set_keepalive(on),
            Setting::OnlyV6(_) if self.family == Family::V4 => Err(ErrorKind::Unsupported.into()),
            Setting::NoDelay(on) => {
                self.no_delay.store(on, Ordering::SeqCst);
                socket.set_tcp_nodelay(on)
            }
            _ => options::apply(socket, setting),
        })
    }

    pub(super) fn query(&self, query: Query) -> std::result::Result<u32, NTSTATUS> {
        self.with(|socket| match query {
            Query::Buffer(which) => settings::buffer(SockRef::from(socket), which),
            _ => options::answer(socket, query),
        })
    }

    pub(super) fn share_address(&self) {
        let _ = self.with(|socket| {
            // On Linux what closed or accepted connections use can be shared by the one, what listens by the other.
            #[cfg(unix)]
            socket.set_reuse_address(true)?;
            share_address(socket, true)
        });
    }

    pub(super) fn close(&self) {
        *hold(&self.socket) = None;
    }
}

/// Lets sockets share an address at the same time, which on Unix is another option than that of this name.
fn share_address(socket: &Socket, on: bool) -> Result<()> {
    #[cfg(unix)]
    return socket.set_reuse_port(on);
    #[cfg(not(unix))]
    socket.set_reuse_address(on)
}

/// EINPROGRESS, which std has no kind for, of Linux and of the systems that come from BSD.
#[cfg(target_os = "linux")]
const IN_PROGRESS: i32 = libc::EINPROGRESS;
#[cfg(not(target_os = "linux"))]
const IN_PROGRESS: i32 = 36;

/// A connect that goes on; Winsock says so with WSAEWOULDBLOCK.
fn is_in_progress(error: &Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || (cfg!(unix) && error.raw_os_error() == Some(IN_PROGRESS))
}
