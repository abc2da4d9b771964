//! WskConnect, WskConnectEx and WskSocketConnect.

// UNSAFETY: the buffer of a connect belongs to the client.
#![expect(unsafe_code, reason = "buffers are lent across threads")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_BUF;

use super::receive::check_buffer;
use super::send::StreamSend;
use super::socket::StreamSocket;
use super::state::Stage;
use crate::request::Request;
use crate::socket::close::{Hold, discard};
use crate::socket::handle::context;
use crate::socket::pending::{Progress, Waiting};

/// The most that WskConnectEx takes to send.
const MOST_DATA: usize = 65_535;

/// What waits for a connection.
pub(super) struct ConnectRequest {
    /// To be sent first, of WskConnectEx.
    buffer: Option<WSK_BUF>,
}

// SAFETY: the client lent the buffer until the request completes, on whichever thread that is.
unsafe impl Send for ConnectRequest {}

impl Progress for ConnectRequest {}

/// WskSocketConnect behind the creation of `socket`: binds and connects it.
pub(crate) fn connect_new(
    socket: &Arc<StreamSocket>,
    request: Request,
    local: &SOCKADDR_INET,
    remote: Option<SOCKADDR_INET>,
) -> NTSTATUS {
    socket.is_unclaimed.store(true, Ordering::SeqCst);
    let result = match socket.bind(local) {
        Ok(()) => socket.begin_connect(request, remote, ConnectRequest { buffer: None }),
        Err(status) => Err((request, status)),
    };
    match result {
        Ok(pending) => pending,
        Err((request, status)) => {
            socket.give_up();
            request.complete(&socket.kernel, status, 0)
        }
    }
}

impl StreamSocket {
    /// WskConnect, and with a buffer WskConnectEx.
    ///
    /// A connect that failed may be tried again; a port that the stack chose may be another then. One that was cancelled leaves the socket good for closing only.
    pub(super) fn connect(
        self: &Arc<Self>,
        request: Request,
        remote: Option<SOCKADDR_INET>,
        buffer: Option<WSK_BUF>,
    ) -> NTSTATUS {
        let check = |buffer: &WSK_BUF| {
            if buffer.Length > MOST_DATA {
                return Err(STATUS_BUFFER_OVERFLOW);
            }
            check_buffer(&self.kernel, buffer)
        };
        if let Some(Err(status)) = buffer.as_ref().map(check) {
            return request.complete(&self.kernel, status, 0);
        }
        let buffer = buffer.filter(|buffer| buffer.Length > 0);
        match self.begin_connect(request, remote, ConnectRequest { buffer }) {
            Ok(pending) => pending,
            Err((request, status)) => request.complete(&self.kernel, status, 0),
        }
    }

    /// Lets the request wait for the pump; gives it back with what it ends with.
    fn begin_connect(
        self: &Arc<Self>,
        request: Request,
        remote: Option<SOCKADDR_INET>,
        item: ConnectRequest,
    ) -> Result<NTSTATUS, (Request, NTSTATUS)> {
        let remote = remote.and_then(|remote| remote.to_socket_addr()).filter(|remote| self.takes(remote));
        let Some(remote) = remote.filter(|remote| remote.port() != 0) else {
            return Err((request, STATUS_INVALID_PARAMETER));
        };
        if let Err(status) = self.claim_connect(remote) {
            return Err((request, status));
        }
        let Some(hold) = Hold::new(self) else { return Err((request, STATUS_INVALID_DEVICE_STATE)) };
        match self.connects.submit(context(self), Waiting { request, item, hold }) {
            Ok(pending) => {
                if self.start_pump().is_err() {
                    // The request has ended with that.
                    self.give_up();
                }
                Ok(pending)
            }
            Err((Waiting { request, .. }, status)) => {
                self.unclaim_connect();
                Err((request, status))
            }
        }
    }

    fn claim_connect(&self, remote: SocketAddr) -> Result<(), NTSTATUS> {
        self.require_alive()?;
        if !self.may_become(false) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let mut state = self.state();
        match state.stage {
            Stage::Bound => {
                state.stage = Stage::Connecting(remote);
                Ok(())
            }
            Stage::Ended(status) => Err(status),
            _ => Err(STATUS_INVALID_DEVICE_STATE),
        }
    }

    fn unclaim_connect(&self) {
        let mut state = self.state();
        if matches!(state.stage, Stage::Connecting(_)) {
            state.stage = Stage::Bound;
        }
    }

    /// The stack has connected. The pump's.
    pub(super) fn connect_done(self: &Arc<Self>, remote: SocketAddr) {
        // None when it is being cancelled, which ends the socket.
        let Some(waiting) = self.connects.take() else { return };
        let local = self.wire().local();
        let mut state = self.state();
        if matches!(state.stage, Stage::Connecting(_)) {
            state.stage = Stage::Connected;
            state.remote = Some(remote);
            state.local = local.ok().or(state.local);
        }
        drop(state);
        let Waiting { request, item, hold } = waiting;
        match item.buffer {
            Some(buffer) => {
                let send = Waiting { request, item: StreamSend { buffer, flags: 0, sent: 0 }, hold };
                self.sends.put_back(&self.kernel, context(self), send);
            }
            None => {
                let is_new = self.is_unclaimed.swap(false, Ordering::SeqCst);
                let information = if is_new { self.client_pointer().addr() } else { 0 };
                request.complete_later(&self.kernel, STATUS_SUCCESS, information);
                drop(hold);
            }
        }
    }

    /// The stack has not connected. The pump's.
    pub(super) fn connect_failed(self: &Arc<Self>, status: NTSTATUS) {
        let waiting = self.connects.take();
        self.unclaim_connect();
        let Some(waiting) = waiting else { return };
        self.give_up();
        waiting.complete(&self.kernel, status, 0);
    }

    /// What the cancel routine of a connect does. The pump drops the attempt.
    pub(super) fn cancel_connect(&self, irp: *mut IRP) {
        self.state().stage = Stage::Ended(STATUS_CANCELLED);
        self.wire().abort();
        self.connects.cancel(&self.kernel, irp);
        self.wire().wake();
    }

    /// Closes a socket of WskSocketConnect that came to nothing. The pump's, or without one of whoever found that out.
    pub(super) fn give_up(self: &Arc<Self>) {
        if self.is_unclaimed.swap(false, Ordering::SeqCst) {
            discard(self);
        }
    }
}
