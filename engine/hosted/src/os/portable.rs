//! What every host has: one datagram a system call, no control messages, no word of what was dropped.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_FILE_FORCED_CLOSED, STATUS_NOT_SUPPORTED};
use socket2::{SockRef, Socket};

use super::connection::Connection;
use super::{
    Family, Query, Received, Receiver, SendBatch, SendControl, Sent, Setting, Stack, StackEndpoint,
    StackSocket, Stopped, settings,
};
use crate::kernel::lock::hold;
use crate::receive::BlockRef;
use crate::status;

/// How often a receiver looks up when nothing comes in: closing does not wake a blocked receive on every host.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long a send may wait for room before it is left to the transmitter.
const SEND_WAIT: Duration = Duration::from_millis(1);

/// The sockets of this host.
pub(super) struct Portable;

impl Stack for Portable {
    fn open(&self, family: Family) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        PortableSocket::over(settings::open(family))
    }

    fn open_raw(&self, family: Family, protocol: u8) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        PortableSocket::over(settings::open_raw(family, protocol))
    }

    fn has_raw(&self) -> bool {
        true
    }

    fn tells_lost(&self) -> bool {
        false
    }
}

struct PortableSocket(Arc<Shared>);

impl PortableSocket {
    fn over(socket: std::io::Result<Socket>) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        let socket = socket.map_err(|error| status::of(&error))?;
        socket.set_write_timeout(Some(SEND_WAIT)).map_err(|error| status::of(&error))?;
        let shared = Shared {
            socket: Mutex::new(Some(Arc::new(socket))),
            ended: AtomicBool::new(false),
            connection: Connection::default(),
        };
        Ok(Box::new(Self(Arc::new(shared))))
    }
}

/// What a socket shares with its receiver.
struct Shared {
    /// `None` once it is closed.
    socket: Mutex<Option<Arc<Socket>>>,
    ended: AtomicBool,
    connection: Connection,
}

impl Shared {
    fn socket(&self) -> Result<Arc<Socket>, NTSTATUS> {
        hold(&self.socket).clone().ok_or(STATUS_FILE_FORCED_CLOSED)
    }
}

impl StackEndpoint for PortableSocket {
    fn set(&self, setting: &Setting) -> Result<(), NTSTATUS> {
        let socket = self.0.socket()?;
        settings::apply(SockRef::from(&*socket), setting).map_err(|error| status::of(&error))
    }

    fn query(&self, query: Query) -> Result<u32, NTSTATUS> {
        let Query::Buffer(which) = query else { return Err(STATUS_NOT_SUPPORTED) };
        let socket = self.0.socket()?;
        settings::buffer(SockRef::from(&*socket), which).map_err(|error| status::of(&error))
    }

    fn segments(&self) -> bool {
        false
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

impl StackSocket for PortableSocket {
    fn bind(&self, local: SocketAddr, _workers: u32, shared: bool) -> Result<SocketAddr, NTSTATUS> {
        let socket = self.0.socket()?;
        let bind = || {
            if shared {
                settings::share(&SockRef::from(&*socket))?;
            }
            settings::bind(&SockRef::from(&*socket), local)?;
            socket.set_read_timeout(Some(LOOK_UP))?;
            settings::local(SockRef::from(&*socket))
        };
        bind().map_err(|error| status::of(&error))
    }

    fn receiver(&self, _worker: u32, _batch: usize) -> Box<dyn Receiver> {
        Box::new(PortableReceiver { shared: Arc::clone(&self.0), block: None })
    }

    fn connect(&self, remote: SocketAddr) -> Result<(), NTSTATUS> {
        let socket = self.0.socket()?;
        self.0.connection.make(remote, || socket.connect(&remote.into()).map_err(|error| status::of(&error)))
    }

    fn refused(&self) -> u64 {
        self.0.connection.refused()
    }

    fn send(&self, batch: &SendBatch<'_>) -> Sent {
        let mut sent = 0;
        let stopped = batch.messages.iter().find_map(|message| {
            let stopped = self.send_one(batch, batch.parts_of(message)).err();
            sent += usize::from(stopped.is_none());
            stopped
        });
        Sent { messages: sent, stopped }
    }

    fn wait_writable(&self) {
        std::thread::sleep(SEND_WAIT);
    }

    fn end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }

    fn stop(&self) {
        self.end();
    }

    fn lost(&self) -> Option<u64> {
        None
    }
}

impl PortableSocket {
    fn send_one(&self, batch: &SendBatch<'_>, parts: &[std::io::IoSlice<'_>]) -> Result<(), Stopped> {
        if *batch.control != SendControl::default() {
            return Err(Stopped::Failed(STATUS_NOT_SUPPORTED));
        }
        let socket = self.0.socket().map_err(Stopped::Failed)?;
        let connection = &self.0.connection;
        // Not every host takes an address where it has one.
        let send = || match connection.leads_to(&batch.remote) {
            true => socket.send_vectored(parts),
            false => socket.send_to_vectored(parts, &batch.remote.into()),
        };
        match connection.send(&batch.remote, send) {
            Ok(_) => Ok(()),
            Err(error) if is_time_out(&error) => Err(Stopped::Full),
            Err(error) => Err(Stopped::Failed(status::of(&error))),
        }
    }
}

struct PortableReceiver {
    shared: Arc<Shared>,
    /// The block of slot 0, the only one that is ever filled.
    block: Option<BlockRef>,
}

impl Receiver for PortableReceiver {
    fn attach(&mut self, slot: usize, block: BlockRef) {
        if slot == 0 {
            self.block = Some(block);
        }
    }

    fn receive(&mut self, _slots: usize) -> Received {
        let (Some(block), Ok(socket)) = (self.block, self.shared.socket()) else { return Received::Dead };
        // Read before the receive: what is queued when the end is called for is returned first.
        let ended = self.shared.ended.load(Ordering::SeqCst);
        if ended && socket.set_nonblocking(true).is_err() {
            return Received::Dead;
        }
        match socket.recv_from_vectored(&mut block.payload()) {
            Ok((length, _, source)) => match source.as_socket() {
                Some(source) => {
                    block.set_source(source);
                    block.fill(length, 0, 0);
                    Received::Datagrams(1)
                }
                None => Received::Failed,
            },
            Err(error) if ended && is_time_out(&error) => Received::Ended,
            Err(error) if is_time_out(&error) => Received::Quiet,
            // An ICMP error of some earlier send, or a signal.
            Err(_) => Received::Failed,
        }
    }

    fn discard(&mut self) -> u64 {
        let Ok(socket) = self.shared.socket() else { return 0 };
        if socket.set_nonblocking(true).is_err() {
            return 0;
        }
        let mut discarded = 0;
        while !socket.recv_from(&mut []).is_err_and(|error| is_time_out(&error)) && discarded < DISCARD_LIMIT
        {
            discarded += 1;
        }
        discarded
    }
}

/// Errors are taken for datagrams here, so that a host that reports long ones as errors is drained too; but not for ever.
const DISCARD_LIMIT: u64 = 1 << 20;

fn is_time_out(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
