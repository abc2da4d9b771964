//! TCP in memory: connections are a pair of buffers, and nothing is lost, delayed or reordered.
//!
//! A connect is answered at once: refused where nobody listens, or where too many wait to be accepted.

mod link;
mod ports;

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use skua_engine::abi::status::{
    NTSTATUS, STATUS_CONNECTION_REFUSED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE,
};
use socket2::MaybeUninitSlice;

use self::link::{Bell, End};
pub(crate) use self::ports::Ports;
use self::ports::{Arrived, Listener};
use crate::kernel::lock::hold;
use crate::os::tcp::{Attempt, Interest};
use crate::os::{Buffer, Family, Query, Setting};
use crate::receive::{mapped, unmapped};

/// The most that a connection buffers in one direction, and the least. Who asks for more or less gets these.
const LARGEST: usize = 64 << 20;
const SMALLEST: usize = 256;

/// What Windows' and Linux' loopback carry in one packet, and what is left of that for data.
const MTU: u32 = 65_535;
const SEGMENT: u32 = 65_483;

/// A socket over TCP in memory.
pub(crate) struct MemorySocket {
    ports: Arc<Ports>,
    family: Family,
    only_v6: AtomicBool,
    /// What it buffers of what is sent to it; of what it sends, the other end decides.
    room: AtomicUsize,
    bell: Arc<Bell>,
    state: Mutex<State>,
}

struct State {
    local: Option<SocketAddr>,
    role: Role,
}

enum Role {
    Idle,
    Listening(Arc<Listener>),
    Connected(End),
    Closed,
}

/// A connection that is watched by another socket.
pub(crate) struct MemoryWatched(End);

impl MemorySocket {
    pub(crate) fn open(ports: &Arc<Ports>, family: Family, room: u32) -> Self {
        Self::of(ports, family, room as usize, None, Role::Idle)
    }

    fn of(ports: &Arc<Ports>, family: Family, room: usize, local: Option<SocketAddr>, role: Role) -> Self {
        let bell = Arc::new(Bell::default());
        if let Role::Connected(end) = &role {
            end.tell(&bell);
        }
        Self {
            ports: Arc::clone(ports),
            family,
            only_v6: AtomicBool::new(true),
            room: room.clamp(SMALLEST, LARGEST).into(),
            bell,
            state: Mutex::new(State { local, role }),
        }
    }

    /// Others may have the address too: who may is decided above.
    pub(crate) fn bind(&self, local: SocketAddr, _shared: bool) -> Result<SocketAddr, NTSTATUS> {
        let serves_both = self.family == Family::V6 && !self.only_v6.load(Ordering::Relaxed);
        let bound = self.ports.bind(local, serves_both, &self.bell)?;
        hold(&self.state).local = Some(bound);
        Ok(bound)
    }

    pub(crate) fn listen(&self) -> Result<(), NTSTATUS> {
        let mut state = hold(&self.state);
        match state.role {
            Role::Idle => {
                state.role = Role::Listening(self.ports.listen(&self.bell));
                Ok(())
            }
            _ => Err(STATUS_INVALID_DEVICE_STATE),
        }
    }

    pub(crate) fn accept(&self) -> Attempt<(Self, SocketAddr, SocketAddr)> {
        let listener = match &hold(&self.state).role {
            Role::Listening(listener) => Arc::clone(listener),
            _ => return Attempt::Failed(STATUS_FILE_FORCED_CLOSED),
        };
        let Some(Arrived { end, local, remote }) = listener.take() else { return Attempt::NotYet };
        let [local, remote] = [local, remote].map(|address| self.as_seen(address));
        let room = self.room.load(Ordering::Relaxed);
        let accepted = Self::of(&self.ports, self.family, room, Some(local), Role::Connected(end));
        // The listening socket may have been told another since the connection was made.
        accepted.with_end(|end| end.set_room(room));
        Attempt::Done((accepted, local, remote))
    }

    pub(crate) fn connect(&self, remote: SocketAddr) -> Attempt<()> {
        let mut state = hold(&self.state);
        let Some(bound) = state.local else { return Attempt::Failed(STATUS_INVALID_DEVICE_STATE) };
        if matches!(state.role, Role::Closed) {
            return Attempt::Failed(STATUS_FILE_FORCED_CLOSED);
        }
        let Some(listener) = self.ports.find(remote) else {
            return Attempt::Failed(STATUS_CONNECTION_REFUSED);
        };
        let [near, far] = End::pair([self.room.load(Ordering::Relaxed); 2]);
        near.tell(&self.bell);
        // All addresses are this network's, so the other end's serves as well as any.
        let ip = if bound.ip().is_unspecified() { remote.ip() } else { bound.ip() };
        let local = SocketAddr::new(ip, bound.port());
        // From the other side.
        if !listener.offer(Arrived { end: far, local: remote, remote: local }) {
            return Attempt::Failed(STATUS_CONNECTION_REFUSED);
        }
        state.local = Some(local);
        state.role = Role::Connected(near);
        Attempt::Done(())
    }

    pub(crate) fn connected(&self) -> Attempt<()> {
        match self.with_end(End::is_reset) {
            Some(false) => Attempt::Done(()),
            _ => Attempt::Failed(STATUS_CONNECTION_REFUSED),
        }
    }

    pub(crate) fn local(&self) -> Result<SocketAddr, NTSTATUS> {
        hold(&self.state).local.ok_or(STATUS_INVALID_DEVICE_STATE)
    }

    pub(crate) fn send(&self, parts: &[IoSlice<'_>]) -> Attempt<usize> {
        self.attempt(|end| end.send(parts))
    }

    pub(crate) fn receive(&self, parts: &mut [MaybeUninitSlice<'_>]) -> Attempt<usize> {
        self.attempt(|end| end.receive(parts))
    }

    pub(crate) fn peek(&self) -> Attempt<bool> {
        self.attempt(End::peek)
    }

    pub(crate) fn readable(&self) -> Result<usize, NTSTATUS> {
        self.with_end(End::readable).ok_or(STATUS_FILE_FORCED_CLOSED)
    }

    pub(crate) fn end_sending(&self) -> Attempt<()> {
        self.attempt(|end| {
            end.end_sending();
            Attempt::Done(())
        })
    }

    /// Resets the connection, and closes.
    pub(crate) fn abort(&self) {
        self.with_end(End::reset);
        self.close();
        self.bell.ring();
    }

    pub(crate) fn has_hung_up(&self) -> bool {
        self.with_end(End::has_hung_up).unwrap_or(true)
    }

    /// Waits for anything to happen here or at one of the `others`. True when the connection is broken and of `interest`.
    pub(crate) fn wait<'a>(
        &self,
        interest: Interest,
        others: impl Iterator<Item = &'a MemoryWatched>,
    ) -> bool {
        for MemoryWatched(end) in others {
            end.tell(&self.bell);
            // Before anybody was told of it.
            if end.has_hung_up() {
                self.bell.ring();
            }
        }
        self.bell.wait();
        interest != Interest::NONE && self.with_end(End::is_reset).unwrap_or(false)
    }

    pub(crate) fn watched(&self) -> Option<MemoryWatched> {
        self.with_end(End::clone).map(MemoryWatched)
    }

    pub(crate) fn wake(&self) {
        self.bell.ring();
    }

    /// Most settings have nothing to act on here.
    pub(crate) fn set(&self, setting: &Setting) -> Result<(), NTSTATUS> {
        match *setting {
            Setting::OnlyV6(on) => self.only_v6.store(on, Ordering::Relaxed),
            Setting::Buffer(Buffer::Receive, bytes) => {
                let room = (bytes as usize).clamp(SMALLEST, LARGEST);
                self.room.store(room, Ordering::Relaxed);
                self.with_end(|end| end.set_room(room));
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn query(&self, query: Query) -> Result<u32, NTSTATUS> {
        Ok(match query {
            Query::Buffer(_) => u32::try_from(self.room.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            Query::PathMtu(_) => MTU,
            Query::SegmentSize => SEGMENT,
        })
    }

    /// Nothing forbids it.
    #[expect(clippy::unused_self, reason = "the host's sockets have something to do")]
    pub(crate) fn share_address(&self) {}

    /// Gives the address back, and leaves the connection.
    pub(crate) fn close(&self) {
        let role = std::mem::replace(&mut hold(&self.state).role, Role::Closed);
        self.ports.unbind(&self.bell);
        if let Role::Connected(end) = role {
            end.leave();
        }
    }

    /// An address as a socket of this family sees it.
    fn as_seen(&self, address: SocketAddr) -> SocketAddr {
        let ip = match self.family {
            Family::V4 => unmapped(address.ip()),
            Family::V6 => IpAddr::V6(mapped(address.ip())),
        };
        SocketAddr::new(ip, address.port())
    }

    fn with_end<T>(&self, call: impl FnOnce(&End) -> T) -> Option<T> {
        let end = match &hold(&self.state).role {
            Role::Connected(end) => end.clone(),
            _ => return None,
        };
        Some(call(&end))
    }

    fn attempt<T>(&self, call: impl FnOnce(&End) -> Attempt<T>) -> Attempt<T> {
        self.with_end(call).unwrap_or(Attempt::Failed(STATUS_FILE_FORCED_CLOSED))
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        // A connection that nobody took, too.
        self.close();
    }
}
