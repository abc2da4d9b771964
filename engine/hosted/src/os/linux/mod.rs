//! Linux: batches of datagrams by recvmmsg and sendmmsg, control messages, and what the stack dropped.

mod address;
mod ancillary;
mod descriptor;
mod drops;
mod errors;
pub(super) mod interfaces;
mod meminfo;
pub(super) mod options;
pub(super) mod packet_ring;
mod receive;
mod segments;
mod send;
pub(super) mod sockopt;

use std::io::Result;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use socket2::Socket;

use self::descriptor::Descriptor;
use self::drops::Drops;
use self::receive::LinuxReceiver;
use super::connection::Connection;
use super::{Family, Query, Receiver, SendBatch, Sent, Setting, Stack, StackEndpoint, StackSocket, settings};
use crate::kernel::lock::hold;
use crate::receive::Wanted;
use crate::status;

/// The sockets of this host.
pub(super) struct Linux;

impl Stack for Linux {
    fn open(&self, family: Family) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        LinuxSocket::over(family, settings::open(family))
    }

    fn open_raw(&self, family: Family, protocol: u8) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        LinuxSocket::over(family, settings::open_raw(family, protocol))
    }

    fn has_raw(&self) -> bool {
        true
    }

    fn tells_lost(&self) -> bool {
        true
    }
}

/// One socket: a file descriptor for each worker.
struct LinuxSocket(Arc<Shared>);

impl LinuxSocket {
    fn over(family: Family, first: Result<Socket>) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        let first = Descriptor::new(first.map_err(|error| status::of(&error))?);
        Ok(Box::new(Self(Arc::new(Self::shared(family, first)))))
    }

    fn shared(family: Family, first: Descriptor) -> Shared {
        Shared {
            family,
            can_segment: options::can_segment(&first),
            connection: Connection::default(),
            answers_come: AtomicBool::new(false),
            has_checksum: AtomicBool::new(true),
            first,
            more: OnceLock::new(),
            wanted: Wanted::default(),
            applied: Mutex::new(Some(Vec::new())),
            state: Mutex::new(State::Open(Drops::default())),
        }
    }
}

/// What a socket shares with its receivers.
struct Shared {
    family: Family,
    /// The first worker's, and that of all sends.
    first: Descriptor,
    /// The other workers'. Set by bind.
    more: OnceLock<Box<[Descriptor]>>,
    can_segment: bool,
    /// The first descriptor's.
    connection: Connection,
    /// Whether the last batch met an answer that nobody listens. Written and read by senders.
    answers_come: AtomicBool,
    /// Without one the kernel does not segment.
    has_checksum: AtomicBool,
    wanted: Wanted,
    /// Settings so far, for the descriptors that bind makes; `None` once it has made them.
    applied: Mutex<Option<Vec<Setting>>>,
    /// Held while descriptors are closed, and by those that use them without keeping the socket from being closed. A
    /// system call of theirs that overlapped the close would keep the port taken after it, or reach whatever gets the
    /// descriptor's number next.
    state: Mutex<State>,
}

enum State {
    Open(Drops),
    /// What was dropped until the close.
    Closed(Option<u64>),
}

impl Shared {
    fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.first).chain(self.more.get().into_iter().flatten())
    }

    fn descriptor(&self, worker: u32) -> &Descriptor {
        self.descriptors().nth(worker as usize).unwrap_or(&self.first)
    }

    /// A multicast group is joined by one descriptor only: each that joins gets every datagram of the group.
    fn set(&self, setting: &Setting) -> Result<()> {
        let mut applied = hold(&self.applied);
        self.wanted.note(setting);
        options::apply(self.first.as_fd(), setting, self.wanted.get())?;
        match setting {
            Setting::Join(_) | Setting::Leave(_) | Setting::Block(_) | Setting::Unblock(_) => return Ok(()),
            Setting::NoChecksum(on) => self.has_checksum.store(!on, Ordering::Relaxed),
            _ => {}
        }
        for descriptor in self.descriptors().skip(1) {
            options::apply(descriptor.as_fd(), setting, self.wanted.get())?;
        }
        if let Some(applied) = &mut *applied {
            applied.push(*setting);
        }
        Ok(())
    }

    /// The first descriptor is bound alone, so that a port in use is refused. Only then does SO_REUSEPORT let the others
    /// share its address, among which Linux spreads senders by a hash. Other processes of the same user that set
    /// SO_REUSEPORT could join them from then on.
    ///
    /// The others are made before anything is bound: when there is no room for them, the address stays free.
    fn bind(&self, local: SocketAddr, workers: u32, shared: bool) -> Result<SocketAddr> {
        if local.ip().is_unspecified() || local.ip().is_multicast() {
            self.tell_delivery()?;
        }
        let mut applied = hold(&self.applied);
        let settings = applied.as_deref().unwrap_or_default();
        let more: Result<Box<[Descriptor]>> = (1..workers).map(|_| self.another(settings)).collect();
        let more = more?;
        if shared {
            settings::share(&self.first.sock())?;
        }
        settings::bind(&self.first.sock(), local)?;
        match self.bind_more(&more) {
            Ok(bound) => {
                let _ = self.more.set(more);
                *applied = None;
                Ok(bound)
            }
            Err(error) => {
                // A socket cannot be unbound, so another takes its number.
                drop(more);
                self.first.replace(&self.another(settings)?)?;
                Err(error)
            }
        }
    }

    /// Binds `more` to the address that the first descriptor has.
    fn bind_more(&self, more: &[Descriptor]) -> Result<SocketAddr> {
        let bound = settings::local(self.first.sock())?;
        if !more.is_empty() {
            self.first.sock().set_reuse_port(true)?;
        }
        for descriptor in more {
            descriptor.sock().set_reuse_port(true)?;
            descriptor.sock().bind(&bound.into())?;
        }
        Ok(bound)
    }

    /// A descriptor that is like the first one before it is bound.
    fn another(&self, settings: &[Setting]) -> Result<Descriptor> {
        let descriptor = Descriptor::new(settings::open(self.family)?);
        for setting in settings {
            options::apply(descriptor.as_fd(), setting, self.wanted.get())?;
        }
        Ok(descriptor)
    }

    /// Has the kernel tell where datagrams were sent to, whether or not the client wants to know: MSG_BCAST and MSG_MCAST
    /// come from that. Only a socket without an address of its own receives others than unicast ones.
    fn tell_delivery(&self) -> Result<()> {
        self.wanted.want_delivery();
        let v4 = Setting::PacketInfo(Family::V4, self.wanted.get() & Wanted::PACKET_INFO_V4 != 0);
        if self.family == Family::V4 {
            return self.set(&v4);
        }
        // A raw socket of IPv6 knows nothing of IPv4.
        let _ = self.set(&v4);
        self.set(&Setting::PacketInfo(Family::V6, self.wanted.get() & Wanted::PACKET_INFO_V6 != 0))
    }
}

impl StackEndpoint for LinuxSocket {
    fn set(&self, setting: &Setting) -> std::result::Result<(), NTSTATUS> {
        self.0.set(setting).map_err(|error| status::of(&error))
    }

    fn query(&self, query: Query) -> std::result::Result<u32, NTSTATUS> {
        match query {
            Query::Buffer(which) => {
                settings::buffer(self.0.first.sock(), which).map_err(|error| status::of(&error))
            }
            _ => Err(STATUS_NOT_SUPPORTED),
        }
    }

    fn segments(&self) -> bool {
        self.0.can_segment && self.0.has_checksum.load(Ordering::Relaxed)
    }

    fn share_address(&self) {
        let state = hold(&self.0.state);
        if matches!(*state, State::Open(_)) {
            let _ = settings::share(&self.0.first.sock());
        }
    }

    fn close(&self) {
        let mut state = hold(&self.0.state);
        if let State::Open(drops) = &mut *state {
            *state = State::Closed(drops.sample(self.0.descriptors()));
            self.0.descriptors().for_each(Descriptor::close);
        }
    }
}

impl StackSocket for LinuxSocket {
    fn bind(
        &self,
        local: SocketAddr,
        workers: u32,
        shared: bool,
    ) -> std::result::Result<SocketAddr, NTSTATUS> {
        self.0.bind(local, workers, shared).map_err(|error| status::of(&error))
    }

    fn receiver(&self, worker: u32, batch: usize) -> Box<dyn Receiver> {
        Box::new(LinuxReceiver::new(Arc::clone(&self.0), worker, batch))
    }

    /// A wildcard address becomes the one that the route has.
    fn connect(&self, remote: SocketAddr) -> std::result::Result<(), NTSTATUS> {
        let shared = &self.0;
        let connect = || shared.first.sock().connect(&remote.into()).map_err(|error| status::of(&error));
        shared.connection.make(remote, connect)
    }

    fn refused(&self) -> u64 {
        self.0.connection.refused()
    }

    fn send(&self, batch: &SendBatch<'_>) -> Sent {
        send::send(&self.0, batch)
    }

    fn most_segments(&self) -> usize {
        segments::most()
    }

    fn wait_writable(&self) {
        self.0.first.wait_writable();
    }

    fn end(&self) {
        let state = hold(&self.0.state);
        if matches!(*state, State::Open(_)) {
            self.0.descriptors().for_each(Descriptor::end_receiving);
        }
    }

    fn stop(&self) {
        self.end();
        self.0.first.end_sending();
    }

    fn lost(&self) -> Option<u64> {
        match &mut *hold(&self.0.state) {
            State::Open(drops) => drops.sample(self.0.descriptors()),
            State::Closed(lost) => *lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_that_fails_behind_the_first_descriptor_frees_the_address() {
        let first = settings::open(Family::V4).unwrap();
        let shared = LinuxSocket::shared(Family::V4, Descriptor::new(first));
        shared.set(&Setting::Broadcast(true)).unwrap();
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        shared.first.sock().bind(&local.into()).unwrap();
        let bound = settings::local(shared.first.sock()).unwrap();
        // One that is bound already cannot be bound again.
        let other = Descriptor::new(settings::open(Family::V4).unwrap());
        other.sock().bind(&local.into()).unwrap();
        assert!(shared.bind_more(&[other]).is_err());
        let settings = hold(&shared.applied).clone().unwrap();
        shared.first.replace(&shared.another(&settings).unwrap()).unwrap();
        assert!(std::net::UdpSocket::bind(bound).is_ok());
        assert!(shared.first.sock().broadcast().unwrap(), "what was set is set again");
        assert_eq!(settings::local(shared.first.sock()).unwrap().port(), 0);
    }
}
