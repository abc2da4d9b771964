//! A file descriptor that is closed before the value that holds it is gone, and the calls that socket2 has not.

// UNSAFETY: borrows a raw descriptor, and passes an entry to a system call by address.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io::{Error, ErrorKind, Result};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use socket2::{SockFilter, SockRef, Socket};

use super::sockopt;

/// What [`Descriptor::raw`] is after it was closed. No system call takes it.
const CLOSED: RawFd = -1;

/// A UDP socket of the host.
///
/// # Invariants
/// The number is this value's open descriptor, or [`CLOSED`] after `close`, which comes when nobody uses it any more.
pub(super) struct Descriptor(AtomicI32);

impl Descriptor {
    pub(super) fn new(socket: Socket) -> Self {
        Self(AtomicI32::new(socket.into_raw_fd()))
    }

    pub(super) fn raw(&self) -> RawFd {
        self.0.load(Ordering::Relaxed)
    }

    /// For the calls of socket2.
    pub(super) fn sock(&self) -> SockRef<'_> {
        SockRef::from(self)
    }

    /// getsockopt of so many words. An error too when the kernel has fewer.
    pub(super) fn words<const N: usize>(&self, level: i32, option: i32) -> Result<[u32; N]> {
        if self.raw() == CLOSED {
            return Err(ErrorKind::NotConnected.into());
        }
        sockopt::words(self.as_fd(), level, option)
    }

    /// Turns every later datagram away, which the stack counts as dropped, and lets receivers see the end behind what is
    /// queued: shutdown works on an unconnected UDP socket, although it answers ENOTCONN.
    pub(super) fn end_receiving(&self) {
        let drop_all = SockFilter::new(RETURN_CONSTANT, 0, 0, 0);
        // Where filters are forbidden the end still comes, only less sharply.
        let _ = self.sock().attach_filter(&[drop_all]);
        let _ = self.sock().shutdown(Shutdown::Read);
    }

    /// With the receiving end ended too, polling returns from now on.
    pub(super) fn end_sending(&self) {
        let _ = self.sock().shutdown(Shutdown::Write);
    }

    /// Waits until there is a datagram or an error to receive, or receiving was ended.
    pub(super) fn wait_readable(&self) {
        self.wait(libc::POLLIN);
    }

    /// Waits until there is room in the send buffer, or sending was ended.
    pub(super) fn wait_writable(&self) {
        self.wait(libc::POLLOUT);
    }

    fn wait(&self, events: libc::c_short) {
        let mut entry = libc::pollfd { fd: self.raw(), events, revents: 0 };
        // SAFETY: one entry. An error says at least that waiting is over.
        unsafe { libc::poll(&raw mut entry, 1, -1) };
    }

    /// Becomes another descriptor of what `other` is one of, with the number it has; what it was is closed.
    pub(super) fn replace(&self, other: &Self) -> Result<()> {
        // SAFETY: two open descriptors.
        let result = unsafe { libc::dup3(other.raw(), self.raw(), libc::O_CLOEXEC) };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }

    pub(super) fn close(&self) {
        let raw = self.0.swap(CLOSED, Ordering::Relaxed);
        if raw != CLOSED {
            // SAFETY: this value's own, and given away here.
            drop(unsafe { OwnedFd::from_raw_fd(raw) });
        }
    }
}

/// BPF_RET | BPF_K: the classic filter instruction that keeps as many bytes of a packet as its operand says.
const RETURN_CONSTANT: u16 = 0x06;

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let raw = self.raw();
        assert!(raw != CLOSED, "a socket of the host was used after it was closed");
        // SAFETY: open, and closed only when nobody uses it any more.
        unsafe { BorrowedFd::borrow_raw(raw) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.close();
    }
}
