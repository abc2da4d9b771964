//! WskAccept: requests that wait for a connection, and what becomes of one.

// UNSAFETY: writes the addresses that a client asked for.
#![expect(unsafe_code, reason = "the outputs of an accept are raw pointers")]

use std::net::SocketAddr;
use std::sync::Arc;

use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_INSPECT_ID;

use super::socket::StreamSocket;
use super::state::Stage;
use super::targets::Targets;
use crate::os::tcp::{Attempt, TcpSocket};
use crate::request::Request;
use crate::socket::close::{Hold, discard};
use crate::socket::handle::context;
use crate::socket::pending::{Progress, Waiting};

/// How a client wants a connection.
///
/// # Invariants
/// The addresses are null or have room for one of the socket's family until the request completes.
pub(super) struct AcceptRequest {
    pub(super) targets: Targets,
    pub(super) local: PSOCKADDR,
    pub(super) remote: PSOCKADDR,
}

// SAFETY: the client lent what the pointers lead to until the request completes, on whichever thread that is.
unsafe impl Send for AcceptRequest {}

impl Progress for AcceptRequest {}

/// A connection that nobody has taken.
pub(super) struct Incoming {
    pub(super) wire: TcpSocket,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// Given when it was inspected.
    pub(super) id: Option<WSK_INSPECT_ID>,
}

impl StreamSocket {
    /// WskAccept. Completes at once when a connection waits; else the next one is this request's, before the event's.
    pub(super) fn accept(self: &Arc<Self>, request: Request, item: AcceptRequest) -> NTSTATUS {
        let kernel = &self.kernel;
        match self.stage() {
            Stage::Listening => {}
            Stage::Ended(status) => return request.complete(kernel, status, 0),
            _ => return request.complete(kernel, STATUS_INVALID_DEVICE_STATE, 0),
        }
        if self.accepts.is_empty()
            && let Attempt::Done(incoming) = self.next_incoming()
        {
            return match self.hand_over(incoming, &item) {
                Ok(socket) => request.complete(kernel, STATUS_SUCCESS, socket),
                Err(status) => request.complete(kernel, status, 0),
            };
        }
        let Some(hold) = Hold::new(self) else {
            return request.complete(kernel, STATUS_INVALID_DEVICE_STATE, 0);
        };
        match self.accepts.submit(context(self), Waiting { request, item, hold }) {
            Ok(pending) => {
                self.wake();
                pending
            }
            Err((waiting, status)) => waiting.refuse(kernel, status, 0),
        }
    }

    /// A connection that nobody has taken and, if it is to be inspected, was.
    pub(super) fn next_incoming(&self) -> Attempt<Incoming> {
        if let Some(incoming) = self.inspections.take_ready() {
            return Attempt::Done(incoming);
        }
        if self.inspections.are_asked_for() {
            return Attempt::NotYet;
        }
        match self.wire().accept() {
            Attempt::Done((wire, local, remote)) => Attempt::Done(Incoming { wire, local, remote, id: None }),
            Attempt::NotYet => Attempt::NotYet,
            Attempt::Failed(status) => Attempt::Failed(status),
        }
    }

    /// Makes the socket that a WskAccept ends with, and returns the address of it.
    pub(super) fn hand_over(&self, incoming: Incoming, request: &AcceptRequest) -> Result<usize, NTSTATUS> {
        let Incoming { wire, local, remote, id } = incoming;
        let socket = Self::accepted(self, wire, [local, remote], id);
        // Defaults of the listening socket are for what its event accepts.
        if let Err(status) = socket.take_over(&request.targets, 0) {
            discard(&socket);
            return Err(status);
        }
        // SAFETY: the client lent room for an address of the socket's family, or gave null.
        unsafe { put_address(local, request.local) };
        // SAFETY: as above.
        unsafe { put_address(remote, request.remote) };
        Ok(socket.client_pointer().addr())
    }
}

/// # Safety
/// `to` is null or has room for an address of this family.
pub(super) unsafe fn put_address(address: SocketAddr, to: PSOCKADDR) {
    if to.is_null() {
        return;
    }
    let address = SOCKADDR_INET::from(address);
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy_nonoverlapping(address.as_ptr().cast::<u8>(), to.cast::<u8>(), address.len()) };
}
