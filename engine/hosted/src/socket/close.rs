//! Closing a socket: nothing new comes in, what waits is cancelled, and whoever leaves last completes the close.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};

use super::handle;
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::kernel::registration::Client;
use crate::request::Request;

/// A socket whose close waits for others.
pub(crate) trait Closable: Send + Sync + 'static {
    fn kernel(&self) -> &HostKernel;

    fn client(&self) -> &Client;

    fn rundown(&self) -> &Rundown;

    /// Stops everything; what is under way lets go of the rundown by itself.
    fn begin_closing(&self);

    /// Nobody is inside any more: gives back what the host lent, and takes the socket out of the books.
    fn finish(&self);

    /// Whether the client still has indications, which it should have released before it closed.
    fn has_lent(&self) -> bool;
}

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
pub(crate) struct Hold(Arc<dyn Closable>);

impl Hold {
    /// `None` when the socket is closed.
    pub(crate) fn new<T: Closable>(socket: &Arc<T>) -> Option<Self> {
        let count = &socket.rundown().count;
        let more =
            count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count > 0).then_some(count + 1));
        more.ok()?;
        let socket = Arc::clone(socket);
        Some(Self(socket))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let socket = &self.0;
        if socket.rundown().count.fetch_sub(1, Ordering::SeqCst) == 1 {
            socket.finish();
            let request = hold(&socket.rundown().close).take();
            if let Some(request) = request {
                request.complete_later(socket.kernel(), STATUS_SUCCESS, 0);
            }
            let_go(socket);
        }
    }
}

/// WskCloseSocket. Completes at once when nobody else holds the socket, else when the last of them lets go.
pub(crate) fn close<T: Closable>(socket: &Arc<T>, request: Request) -> NTSTATUS {
    let socket: Arc<dyn Closable> = Arc::<T>::clone(socket);
    socket.begin_closing();
    let rundown = socket.rundown();
    if rundown.count.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        socket.finish();
        let status = request.complete(socket.kernel(), STATUS_SUCCESS, 0);
        let_go(&socket);
        return status;
    }
    request.mark_pending();
    *hold(&rundown.close) = Some(request);
    // The client's own.
    drop(Hold(Arc::clone(&socket)));
    STATUS_PENDING
}

/// Closes a socket that the client never got, or did not take.
pub(crate) fn discard<T: Closable>(socket: &Arc<T>) {
    socket.begin_closing();
    // The client's own.
    drop(Hold(Arc::<T>::clone(socket)));
}

/// The socket is closed and its IRP completed: deregistration need not wait for it any longer, and the client's
/// reference ends.
///
/// Indications that the client still has keep the socket and the memory they lie in: the client broke a rule, and
/// shall find its leak counted rather than its memory reused.
fn let_go(socket: &Arc<dyn Closable>) {
    socket.client().socket_closed();
    if !socket.has_lent() {
        handle::drop_client_reference(socket);
    }
}
