//! Sending, receiving and disconnecting.

// UNSAFETY: WSK calls with the request's own buffer.
#![expect(unsafe_code, reason = "buffer and IRP lie in one slot")]

use core::ptr::null_mut;

use crate::abi::wsk::{WSK_BUF, WSK_FLAG_ABORTIVE, WSK_FLAG_DRAIN, WSK_FLAG_NODELAY, WSK_FLAG_WAITALL};
use crate::client::base::SocketBase;
use crate::client::connection::ConnectionSocket;
use crate::client::control::sealed::HasBase;
use crate::client::finish::{Done, Moved};
use crate::client::handler::ConnectionHandler;
use crate::client::inside::{ABSENT, Call};
use crate::kernel::Kernel;
use crate::request::{Buffer, Finish, Pending, RequestError};

const SEND: Moved = Moved { call: "WskSend", received: false };
const RECEIVE: Moved = Moved { call: "WskReceive", received: true };

impl<K: Kernel, H: ConnectionHandler<K>> ConnectionSocket<K, H> {
    /// Sends the bytes of `data` (WskSend). They are sent in the order of the calls.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn send(&self, data: Buffer<K>) -> Pending<K, Moved> {
        self.base().send(data, 0)
    }

    /// As [`send`](Self::send), and does not hold the last of them back for more (WSK_FLAG_NODELAY).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn send_now(&self, data: Buffer<K>) -> Pending<K, Moved> {
        self.base().send(data, WSK_FLAG_NODELAY)
    }

    /// Receives into `room` what has come or comes next, as far as it fits (WskReceive). No bytes are the end of the
    /// stream. Requests are served in the order of the calls, before the receive event.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn receive(&self, room: Buffer<K>) -> Pending<K, Moved> {
        let bytes = room.capacity();
        self.base().receive(room, bytes, 0, RECEIVE)
    }

    /// Receives exactly `bytes`, or what came before the stream ended or the request was cancelled (WSK_FLAG_WAITALL).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn receive_all(&self, room: Buffer<K>, bytes: usize) -> Pending<K, Moved> {
        if bytes > room.capacity() {
            return Pending::failed(RequestError::TooLong { bytes });
        }
        self.base().receive(room, bytes, WSK_FLAG_WAITALL, RECEIVE)
    }

    /// Takes and forgets whatever comes until the other end disconnects (WSK_FLAG_DRAIN).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn drain(&self) -> Pending<K, Done> {
        self.receive_nothing(WSK_FLAG_DRAIN)
    }

    /// Lets the receive event be called again, after a handler took a part or nothing (a receive of no bytes).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn rearm(&self) -> Pending<K, Done> {
        self.receive_nothing(0)
    }

    /// Tells the other end that nothing more will be sent, after what was (WskDisconnect).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn disconnect(&self) -> Pending<K, Done> {
        self.base().disconnect(None, 0)
    }

    /// As [`disconnect`](Self::disconnect), after sending `data`.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn disconnect_with(&self, data: Buffer<K>) -> Pending<K, Done> {
        self.base().disconnect(Some(data), 0)
    }

    /// Resets the connection (WSK_FLAG_ABORTIVE).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn abort(&self) -> Pending<K, Done> {
        self.base().disconnect(None, WSK_FLAG_ABORTIVE)
    }

    fn receive_nothing(&self, flags: u32) -> Pending<K, Done> {
        match self.base().requests.take() {
            Some(room) => self.base().receive(room, 0, flags, Done("WskReceive")),
            None => Pending::failed(RequestError::NoSlot),
        }
    }
}

impl<K: Kernel> SocketBase<K> {
    fn send(&self, mut data: Buffer<K>, flags: u32) -> Pending<K, Moved> {
        let bytes = data.len();
        let buffer = data.describe(bytes);
        let call = |call: &Call<'_, K>| match call.send() {
            // SAFETY: the buffer lies in the slot.
            Some(send) => unsafe { send(call.socket(), buffer, flags, call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request_with(data, SEND, core::ptr::null(), call) }
    }

    fn receive<F: Finish<K>>(
        &self,
        mut room: Buffer<K>,
        bytes: usize,
        flags: u32,
        finish: F,
    ) -> Pending<K, F> {
        let buffer = room.describe(bytes);
        let call = |call: &Call<'_, K>| match call.receive() {
            // SAFETY: the buffer lies in the slot.
            Some(receive) => unsafe { receive(call.socket(), buffer, flags, call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request_with(room, finish, core::ptr::null(), call) }
    }

    fn disconnect(&self, data: Option<Buffer<K>>, flags: u32) -> Pending<K, Done> {
        let with_data = data.is_some();
        let Some(mut slot) = data.or_else(|| self.requests.take()) else {
            return Pending::failed(RequestError::NoSlot);
        };
        let bytes = slot.len();
        let buffer: *mut WSK_BUF = if with_data { slot.describe(bytes) } else { null_mut() };
        let call = |call: &Call<'_, K>| match call.disconnect() {
            // SAFETY: the buffer lies in the slot.
            Some(disconnect) => unsafe { disconnect(call.socket(), buffer, flags, call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request_with(slot, Done("WskDisconnect"), core::ptr::null(), call) }
    }
}
