//! Sending: at once if the socket buffer has room, else by the transmitter, the one thread that waits for it.

// UNSAFETY: gathers the client's buffers for the stack.
#![expect(unsafe_code, reason = "the stack reads the client's buffers in place")]

use std::net::SocketAddr;
use std::sync::Arc;

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use super::gather::{Gathered, Left};
use super::messages::Messages;
use crate::os::{SendBatch, SendControl, Stopped};
use crate::request::Request;
use crate::socket::close::Hold;
use crate::socket::datagram::DatagramSocket;
use crate::socket::handle::context;
use crate::socket::pending::{Progress, Waiting};

/// A send, and how far it came. Address and control messages are copies: clients keep them on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendRequest {
    left: Left,
    remote: SocketAddr,
    control: SendControl,
    /// Bytes that the stack has taken.
    sent: usize,
}

/// One that is cancelled tells of nothing that it sent: datagrams are not counted on.
impl Progress for SendRequest {}

/// How an attempt ended.
enum Outcome {
    /// The request is over.
    Over(NTSTATUS),
    /// The socket buffer is full.
    Full,
}

impl DatagramSocket {
    /// WskSendTo and WskSendMessages. `remote` is `None` for the fixed address, `Some(None)` for one that is none.
    ///
    /// Datagrams go out in order. The first that fails ends the request with its status; those before it are sent, and
    /// their bytes counted, those behind it are not.
    pub(crate) fn send(
        self: &Arc<Self>,
        request: Request,
        messages: Messages,
        remote: Option<Option<SOCKADDR_INET>>,
        control: SendControl,
    ) -> NTSTATUS {
        let mut send = match self.destination(remote) {
            Ok(remote) => {
                let segment = control.segment.or_else(|| self.controls.options().segment());
                SendRequest { left: Left { messages, skip: 0, segment }, remote, control, sent: 0 }
            }
            Err(status) => return request.complete(&self.kernel, status, 0),
        };
        // Behind those that wait, so that the order holds.
        if self.sends.is_empty()
            && let Outcome::Over(status) = self.attempt(&mut send)
        {
            return request.complete(&self.kernel, status, send.sent);
        }
        let Some(hold) = Hold::new(self) else {
            return request.complete(&self.kernel, STATUS_INVALID_DEVICE_STATE, send.sent);
        };
        let waiting = Waiting { request, item: send, hold };
        match self.sends.submit(context(self), waiting) {
            Ok(pending) => {
                self.transmit_bell().ring();
                pending
            }
            Err((waiting, status)) => {
                let sent = waiting.item.sent;
                waiting.refuse(&self.kernel, status, sent)
            }
        }
    }

    fn destination(&self, remote: Option<Option<SOCKADDR_INET>>) -> Result<SocketAddr, NTSTATUS> {
        self.require_bound()?;
        let remote = match remote {
            Some(given) => {
                given.and_then(|address| address.to_socket_addr()).filter(|remote| self.takes(remote))
            }
            None => self.remote(),
        };
        let remote = remote.ok_or(STATUS_INVALID_PARAMETER)?;
        // A raw socket has no ports; Linux would take one for a protocol.
        Ok(if self.is_raw() { without_port(remote) } else { remote })
    }

    fn attempt(&self, send: &mut SendRequest) -> Outcome {
        if self.kernel.is_congested() {
            return Outcome::Full;
        }
        let stack_cuts = send.left.segment.is_some() && self.wire().segments();
        let segments = if stack_cuts { self.wire().most_segments() } else { 1 };
        loop {
            let mut gathered = Gathered::of(send.left);
            // SAFETY: the request is not completed before this returns.
            unsafe { gathered.collect(&self.kernel, segments) };
            if gathered.messages.is_empty() {
                return Outcome::Over(gathered.failed.unwrap_or(STATUS_SUCCESS));
            }
            // Stacks compare the size with the path even when there is nothing to cut.
            let is_cut = |segment: &u16| {
                stack_cuts && gathered.messages.iter().any(|message| message.bytes > usize::from(*segment))
            };
            let control = SendControl { segment: send.left.segment.filter(is_cut), ..send.control };
            let batch = SendBatch {
                messages: &gathered.messages,
                parts: &gathered.parts,
                remote: send.remote,
                control: &control,
            };
            let sent = self.wire().send(&batch);
            if sent.messages == gathered.messages.len() {
                send.sent += gathered.bytes;
                send.left = gathered.behind;
            } else {
                for message in &gathered.messages[..sent.messages] {
                    send.sent += message.bytes;
                    send.left.step(message);
                }
            }
            match sent.stopped {
                Some(Stopped::Full) => return Outcome::Full,
                Some(Stopped::Failed(status)) => return Outcome::Over(status),
                None if send.left.messages.first().is_none() => return Outcome::Over(STATUS_SUCCESS),
                None => {}
            }
        }
    }
}

fn without_port(mut remote: SocketAddr) -> SocketAddr {
    remote.set_port(0);
    remote
}

/// Sends what waits, until the socket closes.
pub(crate) fn transmit(socket: &Arc<DatagramSocket>) {
    let bell = socket.transmit_bell();
    while !socket.is_closing() {
        // Nothing is taken while no send can succeed: what is taken cannot be cancelled, and makes room for one more.
        let ready = || !socket.sends.is_empty() && !socket.kernel.is_congested();
        bell.wait(|| socket.is_closing() || ready());
        let Some(mut waiting) = socket.sends.take() else {
            // What is there is being cancelled.
            std::thread::yield_now();
            continue;
        };
        match socket.attempt(&mut waiting.item) {
            Outcome::Over(status) => {
                let sent = waiting.item.sent;
                waiting.complete(&socket.kernel, status, sent);
            }
            Outcome::Full => {
                socket.sends.put_back(&socket.kernel, context(socket), waiting);
                if !socket.kernel.is_congested() {
                    socket.wire().wait_writable();
                }
            }
        }
    }
}
