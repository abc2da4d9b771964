//! WskSend and WskDisconnect: at once if the socket buffer has room, else by the pump, in the order of the calls.
//!
//! A send completes when the host's stack has taken all of it, which copies it. Windows keeps the client's pages until the
//! other end has acknowledged them.

// UNSAFETY: gathers the client's buffers for the stack.
#![expect(unsafe_code, reason = "the stack reads the client's buffers in place")]

use std::io::IoSlice;
use std::sync::Arc;

use arrayvec::ArrayVec;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_BUF, WSK_FLAG_ABORTIVE, WSK_FLAG_NODELAY};

use super::receive::check_buffer;
use super::socket::StreamSocket;
use crate::buffer::{PIECES, pieces_behind};
use crate::kernel::lock::hold;
use crate::os::tcp::Attempt;
use crate::request::Request;
use crate::socket::close::Hold;
use crate::socket::handle::context;
use crate::socket::pending::{PendingQueue, Progress, Waiting};

/// Data on its way out, and how far it came.
pub(super) struct StreamSend {
    /// A copy: the header is the client's again when the call returns.
    pub(super) buffer: WSK_BUF,
    pub(super) flags: u32,
    /// Bytes that the stack has taken.
    pub(super) sent: usize,
}

// SAFETY: the client lent the buffer until the request completes, on whichever thread that is.
unsafe impl Send for StreamSend {}

impl Progress for StreamSend {
    /// What the stack has taken cannot be had back.
    fn bytes(&self) -> usize {
        self.sent
    }
}

/// The end of what is sent, behind last data.
pub(super) struct DisconnectRequest(pub(super) StreamSend);

impl Progress for DisconnectRequest {}

/// How far the pump came with what waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing waits.
    Idle,
    /// The socket buffer is full.
    Full,
    /// Every send is held back by [`HostKernel::set_congested`](crate::HostKernel::set_congested).
    Congested,
    /// The connection is broken.
    Failed(NTSTATUS),
}

impl StreamSocket {
    /// WskSend. The only flag is NODELAY.
    pub(super) fn send(self: &Arc<Self>, request: Request, buffer: Option<WSK_BUF>, flags: u32) -> NTSTATUS {
        let kernel = &self.kernel;
        let check = || {
            self.require_connected()?;
            let buffer = buffer.ok_or(STATUS_INVALID_PARAMETER)?;
            if flags & !WSK_FLAG_NODELAY != 0 {
                return Err(STATUS_NOT_SUPPORTED);
            }
            check_buffer(kernel, &buffer)?;
            Ok(buffer)
        };
        let mut item = match check() {
            Ok(buffer) => StreamSend { buffer, flags, sent: 0 },
            Err(status) => return request.complete(kernel, status, 0),
        };
        let Some(held) = Hold::new(self) else {
            return request.complete(kernel, STATUS_INVALID_DEVICE_STATE, 0);
        };
        let outlet = hold(&self.outlet);
        if self.state().disconnecting {
            drop(outlet);
            return Waiting { request, item, hold: held }.refuse(kernel, STATUS_INVALID_DEVICE_STATE, 0);
        }
        // Behind those that wait, so that the order holds.
        let over = if self.sends.is_empty() { self.attempt(&mut item) } else { None };
        if let Some(status) = over {
            drop(outlet);
            let sent = item.sent;
            return Waiting { request, item, hold: held }.refuse(kernel, status, sent);
        }
        let submitted = self.sends.submit(context(self), Waiting { request, item, hold: held });
        drop(outlet);
        match submitted {
            Ok(pending) => {
                self.wire().wake();
                pending
            }
            Err((waiting, status)) => {
                let sent = waiting.item.sent;
                waiting.refuse(kernel, status, sent)
            }
        }
    }

    /// WskDisconnect. Abortive, it takes no data, resets the connection and completes at once; what waits ends with
    /// STATUS_CONNECTION_ABORTED. Otherwise it follows what was sent, and completes when the stack has it all.
    pub(super) fn disconnect(
        self: &Arc<Self>,
        request: Request,
        buffer: Option<WSK_BUF>,
        flags: u32,
    ) -> NTSTATUS {
        let kernel = &self.kernel;
        let check = || {
            self.require_connected()?;
            match flags {
                0 => {}
                WSK_FLAG_ABORTIVE if buffer.is_none() => return Ok(()),
                WSK_FLAG_ABORTIVE => return Err(STATUS_INVALID_PARAMETER),
                _ => return Err(STATUS_NOT_SUPPORTED),
            }
            if let Some(buffer) = &buffer {
                check_buffer(kernel, buffer)?;
            }
            // Under the lock, so that no send comes behind it.
            let _outlet = hold(&self.outlet);
            let mut state = self.state();
            if std::mem::replace(&mut state.disconnecting, true) {
                Err(STATUS_INVALID_DEVICE_STATE)
            } else {
                Ok(())
            }
        };
        if let Err(status) = check() {
            return request.complete(kernel, status, 0);
        }
        if flags == WSK_FLAG_ABORTIVE {
            self.abort(STATUS_CONNECTION_ABORTED);
            return request.complete(kernel, STATUS_SUCCESS, 0);
        }
        let Some(held) = Hold::new(self) else {
            return request.complete(kernel, STATUS_INVALID_DEVICE_STATE, 0);
        };
        let buffer = buffer.unwrap_or(WSK_BUF { Mdl: std::ptr::null_mut(), Offset: 0, Length: 0 });
        let item = DisconnectRequest(StreamSend { buffer, flags: 0, sent: 0 });
        match self.disconnects.submit(context(self), Waiting { request, item, hold: held }) {
            Ok(pending) => {
                self.wire().wake();
                pending
            }
            Err((waiting, status)) => {
                // Cancelled before it began, it has not disconnected.
                self.state().disconnecting = false;
                waiting.refuse(kernel, status, 0)
            }
        }
    }

    /// Sends what waits. The pump's.
    pub(super) fn transmit(self: &Arc<Self>) -> Sending {
        let sends = self.drive(&self.sends, |socket, send| socket.attempt(send));
        if sends != Sending::Idle {
            return sends;
        }
        self.drive(&self.disconnects, |socket, DisconnectRequest(last)| {
            let status = socket.attempt(last)?;
            if !status.is_success() {
                return Some(status);
            }
            match socket.wire().end_sending() {
                Attempt::Failed(status) => Some(socket.reason(status)),
                _ => {
                    socket.state().ended_sending = true;
                    Some(STATUS_SUCCESS)
                }
            }
        })
    }

    fn drive<T: Progress>(
        self: &Arc<Self>,
        queue: &PendingQueue<T>,
        attempt: impl Fn(&Self, &mut T) -> Option<NTSTATUS>,
    ) -> Sending {
        loop {
            let outlet = hold(&self.outlet);
            if self.kernel.is_congested() && !queue.is_empty() {
                return Sending::Congested;
            }
            let Some(mut waiting) = queue.take() else { return Sending::Idle };
            let Some(status) = attempt(self, &mut waiting.item) else {
                let restored = queue.restore(context(self), waiting);
                drop(outlet);
                let Err((waiting, status)) = restored else { return Sending::Full };
                let bytes = waiting.item.bytes();
                waiting.complete(&self.kernel, status, bytes);
                continue;
            };
            drop(outlet);
            let bytes = waiting.item.bytes();
            waiting.complete(&self.kernel, status, bytes);
            if !status.is_success() {
                return Sending::Failed(status);
            }
        }
    }

    /// Sends until all of it is taken, which is how the request ends; `None` when the socket buffer is full.
    fn attempt(&self, send: &mut StreamSend) -> Option<NTSTATUS> {
        if self.kernel.is_congested() {
            return None;
        }
        loop {
            // SAFETY: the client lent the buffer until the request completes.
            let pieces = match unsafe { pieces_behind(&self.kernel, &send.buffer, send.sent) } {
                Ok(pieces) if pieces.is_empty() => return Some(STATUS_SUCCESS),
                Ok(pieces) => pieces,
                Err(status) => return Some(status),
            };
            let mut parts: ArrayVec<IoSlice<'_>, PIECES> = ArrayVec::new();
            for piece in &pieces {
                // SAFETY: live for its length and the provider's to read while the request lasts.
                parts.push(IoSlice::new(unsafe { std::slice::from_raw_parts(piece.at, piece.bytes) }));
            }
            match self.wire().send(&parts, send.flags & WSK_FLAG_NODELAY != 0) {
                Attempt::Done(bytes) => send.sent += bytes,
                Attempt::NotYet => return None,
                Attempt::Failed(status) => return Some(self.reason(status)),
            }
        }
    }
}
