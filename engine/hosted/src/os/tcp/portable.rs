//! Waiting for sockets where nothing better is at hand: looking again after a while.

use std::io::Result;
use std::mem::MaybeUninit;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use socket2::Socket;

use super::Interest;
use crate::kernel::lock::hold;
use crate::status;

/// How soon a socket that something is expected of is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Wakes the one thread that waits.
#[derive(Default)]
pub(super) struct Waker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Waker {
    pub(super) fn new() -> Result<Self> {
        Ok(Self::default())
    }

    pub(super) fn wake(&self) {
        *hold(&self.woken) = true;
        self.changed.notify_all();
    }

    /// Waits to be woken, or a while when there is a socket to look at. True when the first of `sockets` is broken, unless
    /// it is about to be read or written, which tells: looking takes the error away on some hosts.
    pub(super) fn wait(&self, sockets: &[(Arc<Socket>, Interest)]) -> bool {
        let looks = sockets.iter().any(|(_, interest)| *interest != Interest::NONE);
        let mut woken = hold(&self.woken);
        while !*woken {
            if looks {
                woken =
                    self.changed.wait_timeout(woken, LOOK_AGAIN).unwrap_or_else(PoisonError::into_inner).0;
                break;
            }
            woken = self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
        drop(woken);
        sockets.first().is_some_and(|(socket, interest)| {
            let is_idle = !interest.read && !interest.write;
            interest.broken
                && is_idle
                && socket
                    .peek(&mut [MaybeUninit::uninit(); 1])
                    .is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        })
    }
}

/// Whether the connection is broken or ended by the other side, as far as that shows before what is unread.
pub(super) fn has_hung_up(socket: &Socket) -> bool {
    match socket.peek(&mut [MaybeUninit::uninit(); 1]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// Whether a connect that was begun has ended, one way or the other.
#[cfg(windows)]
pub(super) fn connect_has_ended(socket: &Socket) -> bool {
    crate::os::windows::winsock::connect_has_ended(socket)
}

/// There is no portable way to tell.
#[cfg(not(windows))]
pub(super) fn connect_has_ended(_socket: &Socket) -> bool {
    false
}

/// There is no portable way to end a connection without a packet.
pub(super) fn silence(_socket: &Socket) -> std::result::Result<(), NTSTATUS> {
    Err(STATUS_NOT_SUPPORTED)
}

/// Bytes that wait to be received.
#[cfg(windows)]
pub(super) fn readable(socket: &Socket) -> std::result::Result<usize, NTSTATUS> {
    let bytes = crate::os::windows::winsock::readable(socket).map_err(|error| status::of_stream(&error))?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// The same where there is no call for it: what a look at all of it finds, or as much as is looked for.
#[cfg(not(windows))]
pub(super) fn readable(socket: &Socket) -> std::result::Result<usize, NTSTATUS> {
    match socket.peek(&mut vec![MaybeUninit::uninit(); MOST_LOOKED_FOR]) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(status::of_stream(&error)),
    }
}

/// More than a host buffers of a connection unless it is told to.
#[cfg(not(windows))]
const MOST_LOOKED_FOR: usize = 1 << 20;
