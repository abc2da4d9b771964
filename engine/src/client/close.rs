//! Closing a socket that was opened by request: nobody inside, WskCloseSocket, every request ended, free.

// UNSAFETY: WskCloseSocket, and the block's own end.
#![expect(unsafe_code, reason = "the stage says who owns the block and whether the socket is still open")]

use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use core::time::Duration;

use crate::abi::nt::{IRP, KEVENT};
use crate::abi::status::{STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS};
use crate::abi::wsk::WSK_PROVIDER_BASIC_DISPATCH;
use crate::client::base::SocketBase;
use crate::closing::{ClosingLink, Outstanding};
use crate::deadline::Deadline;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::socket::CloseError;

/// How far a close has come.
///
/// | stage    | who is inside                                 | what comes next                               |
/// |----------|-----------------------------------------------|-----------------------------------------------|
/// | open     | callbacks, calls, retained data, requests     | `calls` closes                                |
/// | draining | those who entered before                      | the last of them signals `calls_drained`      |
/// | making   | the request that was to make the socket       | it ends, perhaps with a socket                |
/// | closing  | requests; the provider has the IRP            | its completion signals: all requests are over |
/// | ending   | completion routines of requests               | the last of them signals `pending_drained`    |
/// | closed   | nobody                                        | the block is freed                            |
/// | stuck    | the provider refused to close                 | nothing: the block stays, and is reported     |
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Open,
    Draining,
    Making,
    Closing,
    Ending,
    Stuck,
}

/// Closes the socket of a handle that is gone, waiting up to a deadline; what is left is on its registration's list.
///
/// # Safety
/// The caller owned the base, by a handle that is not used again.
pub(super) unsafe fn close<K: Kernel>(
    base: NonNull<SocketBase<K>>,
    deadline: Duration,
    passive: &Passive<'_>,
) -> Result<(), CloseError> {
    // SAFETY: the caller owns it.
    let registration = unsafe { base.as_ref() }.registration.clone();
    let deadline = Deadline::after(&registration.kernel, deadline);
    let link = link_of(base);
    // SAFETY: owned, and on no list.
    match unsafe { advance::<K>(link, deadline, passive) } {
        None => Ok(()),
        Some(outstanding) => {
            // SAFETY: not finished, hence alive, and on no list.
            unsafe { registration.closing.push(link) };
            Err(CloseError { outstanding })
        }
    }
}

/// Leaves a socket whose handle is gone to its registration's closing list. Any level up to DISPATCH_LEVEL.
///
/// # Safety
/// As for [`close`].
pub(super) unsafe fn leave_to_list<K: Kernel>(base: NonNull<SocketBase<K>>) {
    // SAFETY: the caller owns it.
    let registration = unsafe { base.as_ref() }.registration.clone();
    // SAFETY: owned, and on no list.
    unsafe { registration.closing.push(link_of(base)) };
}

fn link_of<K: Kernel>(base: NonNull<SocketBase<K>>) -> NonNull<ClosingLink> {
    // SAFETY: the link is a field of the base.
    unsafe { base.byte_add(offset_of!(SocketBase<K>, link)) }.cast()
}

/// Takes a close as far as it goes until `deadline`; frees the block and returns `None` when it is closed.
///
/// # Safety
/// `link` lies in a base of this type that the caller owns.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub(super) unsafe fn advance<K: Kernel>(
    link: NonNull<ClosingLink>,
    deadline: Deadline,
    passive: &Passive<'_>,
) -> Option<Outstanding> {
    // SAFETY: the link is a field of the base.
    let base = unsafe { link.byte_sub(offset_of!(SocketBase<K>, link)) }.cast::<SocketBase<K>>();
    // SAFETY: the caller's promise.
    let socket = unsafe { base.as_ref() };
    if !passive.holds(&socket.kernel) || !socket.step(deadline, passive) {
        return Some(socket.outstanding());
    }
    let registration = socket.registration.clone();
    let free = socket.free;
    // SAFETY: closed, and nobody else has the block.
    unsafe { free(base) };
    registration.sockets.fetch_sub(1, Ordering::Release);
    None
}

impl<K: Kernel> SocketBase<K> {
    /// Whether the socket is closed.
    fn step(&self, deadline: Deadline, passive: &Passive<'_>) -> bool {
        if self.is_at(Stage::Open) {
            self.go_to(Stage::Draining);
            if self.calls.close() {
                self.signal(&self.calls_drained);
            }
        }
        if self.is_at(Stage::Draining) {
            // The event and not the count: whoever drained it may not have let go of the socket before the signal.
            if !self.wait(&self.calls_drained, deadline) {
                return false;
            }
            if self.socket().is_null() {
                self.go_to(Stage::Making);
                self.end_requests();
            } else {
                self.issue();
            }
        }
        if self.is_at(Stage::Making) {
            if !self.wait(&self.pending_drained, deadline) {
                return false;
            }
            if self.socket().is_null() {
                return true;
            }
            self.issue();
        }
        if self.is_at(Stage::Closing) {
            if !self.close.wait(Some(deadline.remaining(&self.kernel)), passive) {
                return false;
            }
            let closed = self.close.completion().status.is_success();
            self.go_to(if closed { Stage::Ending } else { Stage::Stuck });
            if closed {
                self.end_requests();
            }
        }
        // The provider has ended every request; their routines may run a little longer.
        self.is_at(Stage::Ending) && self.wait(&self.pending_drained, deadline)
    }

    /// Lets no request begin; the last of those under way signals.
    fn end_requests(&self) {
        if self.pending.close() {
            self.signal(&self.pending_drained);
        }
    }

    /// Calls WskCloseSocket.
    fn issue(&self) {
        self.go_to(Stage::Closing);
        let socket = self.socket();
        // SAFETY: made, and not closed before.
        let table = unsafe { (*socket).Dispatch }.cast::<WSK_PROVIDER_BASIC_DISPATCH>();
        // SAFETY: every table begins with this one.
        let close = unsafe { (*table).WskCloseSocket };
        let call = |irp: *mut IRP| match close {
            // SAFETY: nobody is inside any function of the socket, and nothing lent is outstanding.
            Some(close) => unsafe { close(socket, irp) },
            None => STATUS_NOT_IMPLEMENTED,
        };
        // SAFETY: the one request of this operation, which stays in place until it is over.
        let _pending_or_over = unsafe { self.close.begin(call) };
    }

    fn wait(&self, event: &UnsafeCell<KEVENT>, deadline: Deadline) -> bool {
        let timeout = Some(deadline.remaining(&self.kernel));
        // SAFETY: initialised by `reset`, and alive as long as the block.
        unsafe { self.kernel.ke_wait_for_single_object(event.get(), timeout) == STATUS_SUCCESS }
    }

    fn outstanding(&self) -> Outstanding {
        Outstanding {
            inside: self.calls.inside().into(),
            sends: self.pending.inside().into(),
            closing: self.stage.load(Ordering::Relaxed) >= Stage::Closing as u8,
            request: self.is_at(Stage::Making),
        }
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Relaxed) == stage as u8
    }

    fn go_to(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}
