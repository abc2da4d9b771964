//! Requests that wait, oldest first, and can be cancelled meanwhile.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use skua_engine::abi::nt::{DRIVER_CANCEL, IRP};
use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_PENDING};

use super::close::Hold;
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::request::Request;

/// A request that waits.
pub(crate) struct Waiting<T> {
    pub(crate) request: Request,
    /// What it asks for.
    pub(crate) item: T,
    /// Keeps the socket from closing before it is completed.
    pub(crate) hold: Hold,
}

impl<T> Waiting<T> {
    /// Completes it before the call that took it returns, which returns the status too.
    pub(crate) fn refuse(self, kernel: &HostKernel, status: NTSTATUS, information: usize) -> NTSTATUS {
        let status = self.request.complete(kernel, status, information);
        drop(self.hold);
        status
    }

    /// Completes it at DISPATCH_LEVEL and lets go of the socket.
    pub(crate) fn complete(self, kernel: &HostKernel, status: NTSTATUS, information: usize) {
        self.request.complete_later(kernel, status, information);
        drop(self.hold);
    }
}

/// What a request has achieved when it ends before its time.
pub(crate) trait Progress {
    /// `IoStatus.Information` of one that is cancelled.
    fn bytes(&self) -> usize {
        0
    }
}

/// Requests of one kind.
///
/// # Invariants
/// An entry whose cancel routine was taken by IoCancelIrp stays until that routine removes it; any other can be taken by
/// whoever serves the queue.
pub(crate) struct PendingQueue<T> {
    entries: Mutex<Entries<T>>,
    /// How many there are, for those who only want to know that.
    length: AtomicUsize,
    limit: usize,
    routine: DRIVER_CANCEL,
}

struct Entries<T> {
    waiting: VecDeque<Waiting<T>>,
    /// What requests end with since the queue was closed.
    closed: Option<NTSTATUS>,
}

impl<T: Progress> PendingQueue<T> {
    /// A queue of at most `limit` requests with memory for `room`; `routine` calls [`PendingQueue::cancel`].
    pub(crate) fn new(limit: usize, room: usize, routine: DRIVER_CANCEL) -> Self {
        let entries = Entries { waiting: VecDeque::with_capacity(room.min(limit)), closed: None };
        Self { entries: Mutex::new(entries), length: AtomicUsize::new(0), limit, routine }
    }

    /// Takes the memory for as many as may wait, so that none is taken when they do.
    pub(crate) fn reserve(&self) {
        let mut entries = hold(&self.entries);
        let more = self.limit - entries.waiting.len();
        entries.waiting.reserve_exact(more);
    }

    pub(crate) fn len(&self) -> usize {
        self.length.load(Ordering::SeqCst)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets a request wait, for which the call that took it returns STATUS_PENDING; or gives it back, to be completed with
    /// the status that comes with it. `context` is for the routine.
    pub(crate) fn submit(
        &self,
        context: *mut c_void,
        waiting: Waiting<T>,
    ) -> Result<NTSTATUS, (Waiting<T>, NTSTATUS)> {
        let mut entries = hold(&self.entries);
        if let Some(status) = entries.closed {
            return Err((waiting, status));
        }
        if entries.waiting.len() >= self.limit {
            return Err((waiting, STATUS_INSUFFICIENT_RESOURCES));
        }
        // From here on the cancel routine may run; it waits for the lock, and then finds the entry.
        if !waiting.request.arm(self.routine, context) {
            return Err((waiting, STATUS_CANCELLED));
        }
        waiting.request.mark_pending();
        entries.waiting.push_back(waiting);
        self.length.fetch_add(1, Ordering::SeqCst);
        Ok(STATUS_PENDING)
    }

    /// Takes the oldest that is not being cancelled.
    pub(crate) fn take(&self) -> Option<Waiting<T>> {
        if self.is_empty() {
            return None;
        }
        let mut entries = hold(&self.entries);
        let position = entries.waiting.iter().position(|waiting| waiting.request.disarm())?;
        let taken = entries.waiting.remove(position)?;
        self.length.fetch_sub(1, Ordering::SeqCst);
        Some(taken)
    }

    /// Takes the oldest that is not being cancelled and that `wanted` says yes to.
    pub(crate) fn take_if(&self, wanted: impl Fn(&T) -> bool) -> Option<Waiting<T>> {
        let mut entries = hold(&self.entries);
        let mut waiting = entries.waiting.iter();
        let position = waiting.position(|waiting| wanted(&waiting.item) && waiting.request.disarm())?;
        let taken = entries.waiting.remove(position)?;
        self.length.fetch_sub(1, Ordering::SeqCst);
        Some(taken)
    }

    /// Puts back what was taken, as the oldest. Completes it when it was cancelled meanwhile.
    pub(crate) fn put_back(&self, kernel: &HostKernel, context: *mut c_void, waiting: Waiting<T>) {
        if let Err((waiting, status)) = self.restore(context, waiting) {
            let bytes = waiting.item.bytes();
            waiting.complete(kernel, status, bytes);
        }
    }

    /// As [`PendingQueue::put_back`], for callers that hold a lock: gives back what is to be completed, with its status.
    pub(crate) fn restore(
        &self,
        context: *mut c_void,
        waiting: Waiting<T>,
    ) -> Result<(), (Waiting<T>, NTSTATUS)> {
        let mut entries = hold(&self.entries);
        if let Some(status) = entries.closed {
            return Err((waiting, status));
        }
        if !waiting.request.arm(self.routine, context) {
            return Err((waiting, STATUS_CANCELLED));
        }
        entries.waiting.push_front(waiting);
        self.length.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Removes and completes `irp`: what the cancel routine does.
    pub(crate) fn cancel(&self, kernel: &HostKernel, irp: *mut IRP) {
        let mut entries = hold(&self.entries);
        let position = entries.waiting.iter().position(|waiting| waiting.request.is(irp));
        let Some(waiting) = position.and_then(|position| entries.waiting.remove(position)) else { return };
        self.length.fetch_sub(1, Ordering::SeqCst);
        drop(entries);
        let bytes = waiting.item.bytes();
        waiting.complete(kernel, STATUS_CANCELLED, bytes);
    }

    /// Takes no more, and completes all that wait with `status`.
    pub(crate) fn close(&self, kernel: &HostKernel, status: NTSTATUS) {
        hold(&self.entries).closed.get_or_insert(status);
        while let Some(waiting) = self.take() {
            let bytes = waiting.item.bytes();
            waiting.complete(kernel, status, bytes);
        }
    }
}
