//! Windows: Winsock, one datagram a call, with control messages.
//!
//! Winsock says nothing of what it dropped. Times of arrival are not asked for. What Wine 8 takes without doing it is
//! refused there: control messages of a send, and IPv4 multicast of one source, whose addresses it exchanges.

mod ancillary;
mod event;
pub(super) mod interfaces;
pub(super) mod options;
mod receive;
mod send;
mod wine;
pub(super) mod winsock;

use std::io::Result;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use skua_engine::abi::status::{NTSTATUS, STATUS_FILE_FORCED_CLOSED, STATUS_NOT_SUPPORTED};
use socket2::{SockRef, Socket};

use self::event::{Event, Wakes};
use self::receive::WindowsReceiver;
use self::winsock::ReceiveMessage;
use super::connection::Connection;
use super::{
    Family, Query, Receiver, SendBatch, Sent, Setting, Stack, StackEndpoint, StackSocket, Stopped, settings,
};
use crate::kernel::lock::hold;
use crate::receive::Wanted;
use crate::status;

/// The sockets of this host.
pub(super) struct Windows;

impl Stack for Windows {
    fn open(&self, family: Family) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        WindowsSocket::over(settings::open(family))
    }

    fn open_raw(&self, family: Family, protocol: u8) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        WindowsSocket::over(settings::open_raw(family, protocol))
    }

    fn has_raw(&self) -> bool {
        true
    }

    fn tells_lost(&self) -> bool {
        false
    }
}

struct WindowsSocket(Arc<Shared>);

impl WindowsSocket {
    fn over(socket: Result<Socket>) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        let shared = socket.and_then(Shared::of).map_err(|error| status::of(&error))?;
        Ok(Box::new(Self(Arc::new(shared))))
    }
}

/// What a socket shares with its receiver.
struct Shared {
    /// `None` once it is closed.
    socket: Mutex<Option<Arc<Socket>>>,
    receive: ReceiveMessage,
    can_segment: bool,
    connection: Connection,
    wanted: Wanted,
    /// Signalled by the stack when a datagram has come.
    arrived: Event,
    /// Set after [`Shared::ended`], for a receiver that waits.
    end: Event,
    ended: AtomicBool,
    stopped: AtomicBool,
}

impl Shared {
    fn of(socket: Socket) -> Result<Self> {
        let receive = ReceiveMessage::of(&socket)?;
        // An ICMP error of an earlier send is not the receiver's. Where it cannot be turned off it is passed over.
        let _ = winsock::ignore_port_unreachable(&socket);
        let arrived = Event::new(Wakes::One)?;
        // This makes the socket nonblocking too.
        winsock::signal_arrivals(&socket, &arrived)?;
        Ok(Self {
            // Wine sends no control messages.
            can_segment: options::can_segment(&socket) && !wine::is_wine(),
            connection: Connection::default(),
            socket: Mutex::new(Some(Arc::new(socket))),
            receive,
            wanted: Wanted::default(),
            arrived,
            end: Event::new(Wakes::All)?,
            ended: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        })
    }

    fn socket(&self) -> std::result::Result<Arc<Socket>, NTSTATUS> {
        hold(&self.socket).clone().ok_or(STATUS_FILE_FORCED_CLOSED)
    }
}

impl StackEndpoint for WindowsSocket {
    fn set(&self, setting: &Setting) -> std::result::Result<(), NTSTATUS> {
        let socket = self.0.socket()?;
        self.0.wanted.note(setting);
        options::apply(&socket, setting, self.0.wanted.get()).map_err(|error| status::of(&error))
    }

    fn query(&self, query: Query) -> std::result::Result<u32, NTSTATUS> {
        let Query::Buffer(which) = query else { return Err(STATUS_NOT_SUPPORTED) };
        let socket = self.0.socket()?;
        settings::buffer(SockRef::from(&*socket), which).map_err(|error| status::of(&error))
    }

    fn segments(&self) -> bool {
        self.0.can_segment
    }

    fn share_address(&self) {
        if let Ok(socket) = self.0.socket() {
            let _ = settings::share(&SockRef::from(&*socket));
        }
    }

    fn close(&self) {
        *hold(&self.0.socket) = None;
    }
}

impl WindowsSocket {
    /// Has Winsock tell where datagrams were sent to, whether or not the client wants to know.
    fn tell_delivery(&self, family: Family) -> std::result::Result<(), NTSTATUS> {
        let bit = match family {
            Family::V4 => Wanted::PACKET_INFO_V4,
            Family::V6 => Wanted::PACKET_INFO_V6,
        };
        self.set(&Setting::PacketInfo(family, self.0.wanted.get() & bit != 0))
    }
}

impl StackSocket for WindowsSocket {
    fn bind(
        &self,
        local: SocketAddr,
        _workers: u32,
        shared: bool,
    ) -> std::result::Result<SocketAddr, NTSTATUS> {
        let socket = self.0.socket()?;
        if local.ip().is_unspecified() {
            // Wine has no MSG_BCAST and MSG_MCAST but by the destination.
            self.0.wanted.want_delivery();
            self.tell_delivery(Family::V4)?;
            if local.is_ipv6() {
                self.tell_delivery(Family::V6)?;
            }
        }
        let bind = || {
            if shared {
                settings::share(&SockRef::from(&*socket))?;
            }
            settings::bind(&SockRef::from(&*socket), local)?;
            settings::local(SockRef::from(&*socket))
        };
        bind().map_err(|error| status::of(&error))
    }

    fn receiver(&self, _worker: u32, batch: usize) -> Box<dyn Receiver> {
        Box::new(WindowsReceiver::new(self.0.socket().ok(), Arc::clone(&self.0), batch))
    }

    fn connect(&self, remote: SocketAddr) -> std::result::Result<(), NTSTATUS> {
        let socket = self.0.socket()?;
        self.0.connection.make(remote, || socket.connect(&remote.into()).map_err(|error| status::of(&error)))
    }

    fn refused(&self) -> u64 {
        self.0.connection.refused()
    }

    fn send(&self, batch: &SendBatch<'_>) -> Sent {
        match self.0.socket() {
            Ok(socket) => send::send(&socket, batch, &self.0.connection),
            Err(status) => Sent { messages: 0, stopped: Some(Stopped::Failed(status)) },
        }
    }

    fn wait_writable(&self) {
        if let (Ok(socket), false) = (self.0.socket(), self.0.stopped.load(Ordering::SeqCst)) {
            winsock::wait_writable(&socket);
        }
    }

    fn end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
        self.0.end.set();
    }

    fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.end();
    }

    fn lost(&self) -> Option<u64> {
        None
    }
}
