//! The one address that a socket of the host is connected to.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE};

/// A socket's connection, if it has one. It stays: on Linux one that is dissolved would take the port with it, and sends
/// that wait could go to another address than they were made for.
#[derive(Debug, Default)]
pub(super) struct Connection {
    remote: OnceLock<SocketAddr>,
    refused: AtomicU64,
}

impl Connection {
    /// Connects to `remote` by `connect`, unless it is connected there.
    ///
    /// # Errors
    /// What `connect` says; STATUS_INVALID_DEVICE_STATE when it is connected elsewhere.
    pub(super) fn make(
        &self,
        remote: SocketAddr,
        connect: impl FnOnce() -> std::result::Result<(), NTSTATUS>,
    ) -> std::result::Result<(), NTSTATUS> {
        if self.remote.get().is_none() {
            connect()?;
        }
        if *self.remote.get_or_init(|| remote) == remote { Ok(()) } else { Err(STATUS_INVALID_DEVICE_STATE) }
    }

    /// Whether what is sent to `remote` needs no address, and errors are told that its host answered with.
    pub(super) fn leads_to(&self, remote: &SocketAddr) -> bool {
        self.remote.get() == Some(remote)
    }

    /// Calls `send`, which sends to `remote`, until it says something else than that nobody listened for an earlier
    /// datagram.
    pub(super) fn send<R>(&self, remote: &SocketAddr, mut send: impl FnMut() -> Result<R>) -> Result<R> {
        loop {
            match send() {
                Err(error) if is_answer(&error) && self.leads_to(remote) => self.note_refused(),
                result => return result,
            }
        }
    }

    pub(super) fn is_made(&self) -> bool {
        self.remote.get().is_some()
    }

    /// The remote host said once more that nobody listens.
    pub(super) fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has said so, as far as it was heard: a host keeps one answer until it is asked.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Whether a call failed because nobody listened for an earlier datagram.
pub(super) fn is_answer(error: &Error) -> bool {
    // The second is how Winsock says it.
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}
