//! Closing: stop, run down, WskCloseSocket, free.

// UNSAFETY: WskCloseSocket, and the block's own end.
#![expect(unsafe_code, reason = "the stage says who owns the block and whether the socket is still open")]

use core::cell::UnsafeCell;
use core::mem::{ManuallyDrop, offset_of};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;

use crate::abi::nt::{IRP, KEVENT};
use crate::abi::status::{STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS};
use crate::anchor::Anchor;
use crate::closing::{ClosingLink, Outstanding};
use crate::deadline::Deadline;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::socket::DatagramSocket;
use crate::socket::block::SocketBlock;
use crate::socket::core::SocketCore;

/// How far a close has come.
///
/// | stage    | who is inside                       | what comes next                                   |
/// |----------|-------------------------------------|---------------------------------------------------|
/// | open     | callbacks, sends, retained          | `stopping` is set, the rundown closes             |
/// | draining | those who entered before            | the last of them signals `drained`                |
/// |          | a WskSocket that was given up       | it ends, perhaps with a socket                    |
/// | closing  | nobody; the provider has the IRP    | its completion signals                            |
/// | ending   | completion routines of sends, and   | the last of them signals `sends_drained`,         |
/// |          | of a request that was given up      | the request's its own                             |
/// | closed   | nobody                              | the block is freed                                |
/// | stuck    | the provider refused to close       | nothing: the block stays, and is reported         |
#[derive(Default)]
pub(crate) struct Stage(AtomicU8);

const OPEN: u8 = 0;
const DRAINING: u8 = 1;
const CLOSING: u8 = 2;
const ENDING: u8 = 3;
const STUCK: u8 = 4;

/// The close did not finish within its deadline. Nothing is lost: the socket is on its registration's closing list, and
/// [`Registration::close`](crate::Registration::close) or [`reap`](crate::Registration::reap) sees it through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the socket has not finished closing: {outstanding}")]
pub struct CloseError {
    /// What it waits for.
    pub outstanding: Outstanding,
}

impl<K: Kernel, H: Handler<K>> DatagramSocket<K, H> {
    /// Counts what is indicated from now on as `closing`, and refuses sends. The socket stays bound.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn stop(&self) {
        self.core().stopping.store(true, Ordering::Relaxed);
    }

    /// Stops, waits for callbacks and retained datagrams, then closes. Sends under way are cancelled by the close.
    ///
    /// # Errors
    /// [`CloseError`] past the deadline: the caller is free, the socket closes when the last of them came back.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. Never from a handler: it would wait for itself.
    pub fn close(self, deadline: Duration, passive: &Passive<'_>) -> Result<(), CloseError> {
        let mut handle = ManuallyDrop::new(self);
        // SAFETY: taken once: the handle is not dropped.
        let block = unsafe { ManuallyDrop::take(&mut handle.block) };
        let deadline = Deadline::after(&block.core.kernel, deadline);
        let registration = block.registration.clone();
        let link = into_link(block);
        // SAFETY: the handle owned the block, which is on no list.
        match unsafe { advance::<K, H>(link, deadline, passive) } {
            None => Ok(()),
            Some(outstanding) => {
                // SAFETY: not finished, hence alive, and on no list.
                unsafe { registration.closing.push(link) };
                Err(CloseError { outstanding })
            }
        }
    }
}

impl<K: Kernel, H: Handler<K>> Drop for DatagramSocket<K, H> {
    /// Stops, and leaves the rest to the registration's closing list.
    fn drop(&mut self) {
        // SAFETY: taken once, by the drop.
        let block = unsafe { ManuallyDrop::take(&mut self.block) };
        block.core.stopping.store(true, Ordering::Relaxed);
        let registration = block.registration.clone();
        let link = into_link(block);
        // SAFETY: the handle owned the block, which is on no list.
        unsafe { registration.closing.push(link) };
    }
}

/// Gives the block to its link.
fn into_link<K: Kernel, H: Handler<K>>(block: Anchor<SocketBlock<K, H>, K>) -> NonNull<ClosingLink> {
    let value = block.into_value();
    let offset = offset_of!(SocketBlock<K, H>, link);
    // SAFETY: the link is a field of the block.
    unsafe { value.byte_add(offset) }.cast()
}

/// Takes a close as far as it goes until `deadline`; frees the block and returns `None` when it is closed.
///
/// # Safety
/// `link` lies in a block of these types that the caller owns.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub(super) unsafe fn advance<K: Kernel, H: Handler<K>>(
    link: NonNull<ClosingLink>,
    deadline: Deadline,
    passive: &Passive<'_>,
) -> Option<Outstanding> {
    let offset = offset_of!(SocketBlock<K, H>, link);
    // SAFETY: the link is a field of the block.
    let value = unsafe { link.byte_sub(offset) }.cast::<SocketBlock<K, H>>();
    // SAFETY: the caller's promise.
    let block = unsafe { value.as_ref() };
    if !passive.holds(&block.core.kernel) || !step(block, deadline, passive) {
        let outstanding = outstanding(block);
        return Some(outstanding);
    }
    block.registration.sockets.fetch_sub(1, Ordering::Release);
    // SAFETY: `into_link` gave up the anchor that this takes up again, and nobody else has the block.
    drop(unsafe { Anchor::<SocketBlock<K, H>, K>::from_value(value) });
    None
}

/// Whether the socket is closed.
fn step<K: Kernel, H: Handler<K>>(
    block: &SocketBlock<K, H>,
    deadline: Deadline,
    passive: &Passive<'_>,
) -> bool {
    let core = &block.core;
    let stage = &block.stage.0;
    if stage.load(Ordering::Relaxed) == OPEN {
        core.stopping.store(true, Ordering::Relaxed);
        stage.store(DRAINING, Ordering::Relaxed);
        if core.rundown.close() {
            core.signal(&core.drained);
        }
    }
    if stage.load(Ordering::Relaxed) == DRAINING {
        // The event and not the count: whoever drained it may not have let go of the socket before the signal.
        if !wait(core, &core.drained, deadline) {
            return false;
        }
        if core.socket().is_null() {
            if !core.control.is_over(deadline.remaining(&core.kernel), passive) {
                return false;
            }
            match core.control.socket() {
                // It had been given up, and succeeded all the same.
                Some(socket) => core.set_socket(socket),
                // It had failed: there is nothing to close.
                None => return true,
            }
        }
        stage.store(CLOSING, Ordering::Relaxed);
        issue(core);
    }
    if stage.load(Ordering::Relaxed) == CLOSING {
        if !core.close.wait(Some(deadline.remaining(&core.kernel)), passive) {
            return false;
        }
        let closed = core.close.completion().status.is_success();
        stage.store(if closed { ENDING } else { STUCK }, Ordering::Relaxed);
        if closed && core.sends.close() {
            core.signal(&core.sends_drained);
        }
    }
    // The provider ends every request when the socket closes; their routines may run a little longer.
    stage.load(Ordering::Relaxed) == ENDING
        && wait(core, &core.sends_drained, deadline)
        && core.control.is_over(deadline.remaining(&core.kernel), passive)
}

/// Calls WskCloseSocket.
fn issue<K: Kernel>(core: &SocketCore<K>) {
    let socket = core.socket();
    // SAFETY: created, and not closed before.
    let table = unsafe { core.dispatch() };
    let call = |irp: *mut IRP| match table.Basic.WskCloseSocket {
        // SAFETY: nobody is inside any function of the socket, and nothing lent is outstanding.
        Some(close) => unsafe { close(socket, irp) },
        None => STATUS_NOT_IMPLEMENTED,
    };
    // SAFETY: the one request of this operation, which stays in place until it is over.
    let _pending_or_over = unsafe { core.close.begin(call) };
}

fn wait<K: Kernel>(core: &SocketCore<K>, event: &UnsafeCell<KEVENT>, deadline: Deadline) -> bool {
    let timeout = Some(deadline.remaining(&core.kernel));
    // SAFETY: initialised when the block was made, and alive as long as the block.
    unsafe { core.kernel.ke_wait_for_single_object(event.get(), timeout) == STATUS_SUCCESS }
}

fn outstanding<K: Kernel, H: Handler<K>>(block: &SocketBlock<K, H>) -> Outstanding {
    Outstanding {
        inside: block.core.rundown.outstanding(),
        sends: block.core.sends.outstanding(),
        closing: block.stage.0.load(Ordering::Relaxed) >= CLOSING,
        request: block.core.control.is_out(),
    }
}
