//! SIO_ADDRESS_LIST_CHANGE: requests that wait until the addresses of this host change.

// UNSAFETY: IoCancelIrp calls the cancel routine with a packet by address.
#![expect(unsafe_code, reason = "cancel routines are C functions")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use skua_engine::abi::nt::{DEVICE_OBJECT, IRP};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
};

use super::close::{Closable, Hold};
use super::handle::{context, of_cancelled};
use super::pending::{PendingQueue, Progress, Waiting};
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::os::Family;
use crate::request::Request;

/// How soon a change shows: the host is asked again and again while somebody waits.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A socket on which requests can wait for a change.
pub(crate) trait Watches: Closable {
    fn changes(&self) -> &AddressChanges;
}

/// The requests of one socket, and the thread that looks for them, which lives as long as one waits.
pub(crate) struct AddressChanges {
    waiting: PendingQueue<Watched>,
    has_watcher: AtomicBool,
    closed: Mutex<bool>,
    /// Closed, or a request less.
    left: Condvar,
}

/// What the addresses were when the client asked.
struct Watched {
    family: Family,
    addresses: Vec<SocketAddr>,
}

impl Progress for Watched {}

impl AddressChanges {
    /// Those of a socket of type `T`.
    pub(crate) fn of<T: Watches>() -> Self {
        Self {
            waiting: PendingQueue::new(usize::MAX, 0, Some(cancel::<T>)),
            has_watcher: AtomicBool::new(false),
            closed: Mutex::new(false),
            left: Condvar::new(),
        }
    }

    /// Takes no more, and completes all that wait with `status`.
    pub(crate) fn close(&self, kernel: &HostKernel, status: NTSTATUS) {
        *hold(&self.closed) = true;
        self.waiting.close(kernel, status);
        self.left.notify_all();
    }

    fn is_over(&self) -> bool {
        *hold(&self.closed) || self.waiting.is_empty()
    }

    /// Waits a while, or until a request has left.
    fn rest(&self) {
        let closed = hold(&self.closed);
        if !*closed {
            drop(self.left.wait_timeout(closed, LOOK_AGAIN).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Lets `request` wait for a change of the addresses of `family`.
pub(super) fn watch<T: Watches>(socket: &Arc<T>, family: Family, request: Request) -> NTSTATUS {
    let (kernel, changes) = (socket.kernel(), socket.changes());
    let Some(addresses) = kernel.stack().addresses(family) else {
        return request.complete(kernel, STATUS_NOT_SUPPORTED, 0);
    };
    let (Some(hold), Some(of_watcher)) = (Hold::new(socket), Hold::new(socket)) else {
        return request.complete(kernel, STATUS_INVALID_DEVICE_STATE, 0);
    };
    let waiting = Waiting { request, item: Watched { family, addresses }, hold };
    let status = match changes.waiting.submit(context(socket), waiting) {
        Ok(pending) => pending,
        Err((waiting, status)) => return waiting.refuse(kernel, status, 0),
    };
    if !changes.has_watcher.swap(true, Ordering::SeqCst) {
        let watched = Arc::clone(socket);
        let thread = std::thread::Builder::new().name("addresses".into()).spawn(move || {
            run(&*watched);
            drop(watched);
            drop(of_watcher);
        });
        if thread.is_err() {
            changes.has_watcher.store(false, Ordering::SeqCst);
            changes.waiting.close(kernel, STATUS_INSUFFICIENT_RESOURCES);
        }
    }
    status
}

/// Looks until nobody waits any more.
fn run<T: Watches>(socket: &T) {
    let changes = socket.changes();
    loop {
        while !changes.is_over() {
            complete_changed(socket);
            changes.rest();
        }
        changes.has_watcher.store(false, Ordering::SeqCst);
        // Somebody may have come between looking and leaving, and found a watcher.
        if changes.is_over() || changes.has_watcher.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}

/// Completes those for whom something has changed.
fn complete_changed<T: Watches>(socket: &T) {
    let kernel = socket.kernel();
    let now = |family| kernel.stack().addresses(family).unwrap_or_default();
    let has_changed = |watched: &Watched| now(watched.family) != watched.addresses;
    while let Some(waiting) = socket.changes().waiting.take_if(has_changed) {
        waiting.complete(kernel, STATUS_SUCCESS, 0);
    }
}

/// The cancel routine.
unsafe extern "C" fn cancel<T: Watches>(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that waits in a socket's queue.
    let socket = unsafe { of_cancelled::<T>(irp) };
    socket.changes().waiting.cancel(socket.kernel(), irp);
    socket.changes().left.notify_all();
}
