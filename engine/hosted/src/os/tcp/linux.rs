//! Waiting for sockets on Linux: poll, with an eventfd to be woken by.

use std::io::{ErrorKind, Result};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{read, write};
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use socket2::{SockFilter, Socket};

use super::Interest;
use crate::os::linux::sockopt;
use crate::status;

/// Wakes the one thread that waits.
pub(super) struct Waker(OwnedFd);

impl Waker {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    pub(super) fn wake(&self) {
        // Full it is signalled already.
        let _ = write(&self.0, &1u64.to_ne_bytes());
    }

    /// Waits for the first wake or readiness. True when the first of `sockets` is broken. A socket without interest is not
    /// polled: a closed connection would be ready for ever.
    pub(super) fn wait(&self, sockets: &[(Arc<Socket>, Interest)]) -> bool {
        let mut entries = vec![PollFd::new(&self.0, PollFlags::IN)];
        let polled = sockets.iter().filter(|(_, interest)| *interest != Interest::NONE);
        entries.extend(polled.map(|(socket, interest)| PollFd::new(&**socket, flags(*interest))));
        // An error is looked for again by whoever waits.
        let _ = poll(&mut entries, None);
        let has_own = sockets.first().is_some_and(|(_, interest)| *interest != Interest::NONE);
        let broken = has_own && entries.get(1).is_some_and(|entry| is_broken(entry.revents()));
        let _ = read(&self.0, &mut [0u8; 8]);
        broken
    }
}

/// Whether the connection is broken or ended by the other side.
pub(super) fn has_hung_up(socket: &Socket) -> bool {
    let mut entries = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let _ = poll(&mut entries, Some(&now));
    let events = entries[0].revents();
    is_broken(events) || events.contains(PollFlags::RDHUP)
}

/// Whether a connect that was begun has ended, one way or the other.
pub(super) fn connect_has_ended(socket: &Socket) -> bool {
    let mut entries = [PollFd::new(socket, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let _ = poll(&mut entries, Some(&now));
    !entries[0].revents().is_empty()
}

/// Lets a connection fall silent: nothing that comes reaches the stack, which so acknowledges nothing, and closing tells the
/// other end nothing. Takes CAP_NET_ADMIN.
pub(super) fn silence(socket: &Socket) -> std::result::Result<(), NTSTATUS> {
    // In repair mode a connection is closed without a packet.
    let silenced = sockopt::set(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_REPAIR, 1_i32)
        .and_then(|()| socket.attach_filter(&[DROP_ALL]));
    silenced.map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => STATUS_NOT_SUPPORTED,
        _ => status::of_stream(&error),
    })
}

/// BPF_RET | BPF_K with no byte to keep: the whole of a filter's program.
const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);

/// Bytes that wait to be received.
pub(super) fn readable(socket: &Socket) -> std::result::Result<usize, NTSTATUS> {
    let bytes = rustix::io::ioctl_fionread(socket).map_err(|error| status::of_stream(&error.into()))?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn flags(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.read);
    flags.set(PollFlags::OUT, interest.write);
    flags.set(PollFlags::RDHUP, interest.hung_up);
    flags
}

fn is_broken(events: PollFlags) -> bool {
    events.intersects(PollFlags::ERR | PollFlags::HUP)
}
