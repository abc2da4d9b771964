//! Closing a socket: nothing new comes in, what waits is cancelled, and whoever leaves last completes the close.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};

use super::datagram::DatagramSocket;
use crate::kernel::lock::hold;
use crate::request::Request;

/// Who keeps a socket from being closed: the client until it closes it, its threads, its pending requests, callbacks from
/// other threads.
///
/// # Invariants
/// `count` starts at 1 for the client and never rises from 0.
pub(crate) struct Rundown {
    count: AtomicUsize,
    /// The request of WskCloseSocket.
    close: Mutex<Option<Request>>,
}

impl Default for Rundown {
    fn default() -> Self {
        Self { count: AtomicUsize::new(1), close: Mutex::new(None) }
    }
}

/// Keeps a socket from being closed, and from being freed.
pub(crate) struct Hold(Arc<DatagramSocket>);

impl Hold {
    /// `None` when the socket is closed.
    pub(crate) fn new(socket: &Arc<DatagramSocket>) -> Option<Self> {
        let count = &socket.rundown.count;
        let more =
            count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count > 0).then_some(count + 1));
        more.ok().map(|_| Self(Arc::clone(socket)))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let socket = &self.0;
        if socket.rundown.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            socket.finish();
            let request = hold(&socket.rundown.close).take();
            if let Some(request) = request {
                request.complete_later(&socket.kernel, STATUS_SUCCESS, 0);
            }
            socket.let_go();
        }
    }
}

impl DatagramSocket {
    /// WskCloseSocket. Completes at once when nobody else holds the socket, else when the last of them lets go.
    pub(super) fn close(self: &Arc<Self>, request: Request) -> NTSTATUS {
        self.begin_closing();
        let count = &self.rundown.count;
        if count.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.finish();
            let status = request.complete(&self.kernel, STATUS_SUCCESS, 0);
            self.let_go();
            return status;
        }
        request.mark_pending();
        *hold(&self.rundown.close) = Some(request);
        // The client's own.
        drop(Hold(Arc::clone(self)));
        STATUS_PENDING
    }

    /// The socket is closed and its IRP completed: deregistration need not wait for it any longer, and the client's
    /// reference ends.
    ///
    /// Indications that the client still has keep the socket and the memory they lie in: the client broke a rule, and
    /// shall find its leak counted rather than its memory reused.
    fn let_go(self: &Arc<Self>) {
        self.client().socket_closed();
        if !self.has_lent() {
            self.drop_client_reference();
        }
    }
}
