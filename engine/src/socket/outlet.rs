//! A socket in a handler's hands: sent through from inside callbacks, taken back before it is closed.

// UNSAFETY: lends what lies in a cell to those inside a rundown.
#![expect(
    unsafe_code,
    reason = "the cell is written before the mark and emptied after the rundown has drained"
)]

use ::core::cell::UnsafeCell;
use ::core::sync::atomic::{AtomicU8, Ordering};
use ::core::time::Duration;

use skua_pools::{OutOfMemory, Released, Rundown, RundownError, Tag};

use crate::abi::nt::KEVENT;
use crate::abi::status::STATUS_SUCCESS;
use crate::abi::zeroed;
use crate::anchor::Anchor;
use crate::deadline::Deadline;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::{Dispatch, Passive};
use crate::socket::DatagramSocket;

const TAG: Tag = Tag::new(b"SkOu");

/// A place for a socket that a [`Handler`] sends through from inside its callbacks.
///
/// A handler is made before its engine and the engine before its sockets, so a handler that sends has outlets, and sockets are
/// put into them once they are open:
///
/// 1. [`Outlet::new`], for the handler that [`Engine::open`](crate::Engine::open) is given.
/// 2. [`Outlet::connect`] with an open socket.
/// 3. [`Outlet::with`], in the handler.
/// 4. [`Outlet::take`], which turns the handler away, waits until it is out, and gives the socket back to be closed.
///
/// A socket that is left in an outlet keeps its engine's memory, and the registration cannot be closed: step 4 comes first in
/// a teardown.
pub struct Outlet<K: Kernel, H: Handler<K>> {
    block: Anchor<OutletBlock<K, H>, K>,
}

/// # Invariants
/// `socket` is written by whoever took `stage` from EMPTY to CONNECTING, read inside `rundown` while `stage` is CONNECTED,
/// and emptied by whoever took `stage` from CONNECTED to TAKEN after `rundown` had drained.
struct OutletBlock<K: Kernel, H: Handler<K>> {
    kernel: K,
    stage: AtomicU8,
    socket: UnsafeCell<Option<DatagramSocket<K, H>>>,
    rundown: Rundown<K>,
    /// Signalled by whoever leaves last after the rundown was closed.
    drained: UnsafeCell<KEVENT>,
}

const EMPTY: u8 = 0;
const CONNECTING: u8 = 1;
const CONNECTED: u8 = 2;
const TAKEN: u8 = 3;

// SAFETY: the cell's use is guarded as its invariants say, the event is the kernel's to guard.
unsafe impl<K: Kernel, H: Handler<K>> Sync for OutletBlock<K, H> {}
// SAFETY: nothing belongs to a thread.
unsafe impl<K: Kernel, H: Handler<K>> Send for OutletBlock<K, H> {}

impl<K: Kernel, H: Handler<K>> Outlet<K, H> {
    /// An outlet without a socket.
    ///
    /// # Errors
    /// Nonpaged pool is exhausted.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(kernel: &K, _passive: &Passive<'_>) -> Result<Self, OutOfMemory> {
        let rundown = match Rundown::new(kernel.clone(), TAG, kernel.ke_query_maximum_processor_count()) {
            Ok(rundown) => rundown,
            Err(RundownError::OutOfMemory(error)) => return Err(error),
            // A kernel without a processor: there is none.
            Err(_) => return Err(OutOfMemory { bytes: 0, tag: TAG }),
        };
        let block = OutletBlock {
            kernel: kernel.clone(),
            stage: AtomicU8::new(EMPTY),
            socket: UnsafeCell::new(None),
            rundown,
            drained: UnsafeCell::new(zeroed()),
        };
        let block = Anchor::new(kernel, TAG, block)?;
        // SAFETY: the event lies where it stays, and nobody waits on it yet.
        unsafe { kernel.ke_initialize_event(block.drained.get(), false) };
        Ok(Self { block })
    }

    /// Puts a socket in, once in the outlet's life.
    ///
    /// # Errors
    /// The socket, if there is or was another, or [`Outlet::take`] was called.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn connect(&self, socket: DatagramSocket<K, H>) -> Result<(), DatagramSocket<K, H>> {
        let stage = &self.block.stage;
        if stage.compare_exchange(EMPTY, CONNECTING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(socket);
        }
        // SAFETY: the exchange made the cell this call's.
        unsafe { *self.block.socket.get() = Some(socket) };
        stage.store(CONNECTED, Ordering::Release);
        Ok(())
    }

    /// Lends the socket to `work`; `None` before it was put in and after it was asked back.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; `work` runs at DISPATCH_LEVEL.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&DatagramSocket<K, H>) -> R) -> Option<R> {
        let block = &*self.block;
        Dispatch::with(&block.kernel, |dispatch| {
            let processor = dispatch.processor();
            if !block.rundown.acquire(processor, 1) {
                return None;
            }
            let result = (block.stage.load(Ordering::Acquire) == CONNECTED)
                // SAFETY: written before the mark, and emptied only when nobody is inside.
                .then(|| unsafe { &*block.socket.get() })
                .and_then(Option::as_ref)
                .map(work);
            if block.rundown.release(processor, 1) == Released::Last {
                block.signal();
            }
            result
        })
    }

    /// Turns everybody away from now on, waits until nobody is inside, and gives the socket back: `None` if none was put in, or
    /// it was given back already.
    ///
    /// # Errors
    /// How many are inside at the deadline. Nobody gets in any more, and it can be called again.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. Never from a handler: it would wait for itself.
    pub fn take(
        &self,
        deadline: Duration,
        passive: &Passive<'_>,
    ) -> Result<Option<DatagramSocket<K, H>>, OutletBusy> {
        let block = &*self.block;
        let kernel = &block.kernel;
        if block.rundown.close() {
            block.signal();
        }
        let remaining =
            if passive.holds(kernel) { Deadline::after(kernel, deadline).remaining(kernel) } else { 0 };
        // SAFETY: initialised by `new`; the block is this value's.
        let status = unsafe { kernel.ke_wait_for_single_object(block.drained.get(), Some(remaining)) };
        if status != STATUS_SUCCESS {
            return Err(OutletBusy { inside: block.rundown.outstanding() });
        }
        let stage = &block.stage;
        // An outlet that was never connected stays so.
        let _was_empty = stage.compare_exchange(EMPTY, TAKEN, Ordering::Relaxed, Ordering::Relaxed);
        match stage.compare_exchange(CONNECTED, TAKEN, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {}
            // Its socket is being put in at this moment, and must not stay there.
            Err(CONNECTING) => return Err(OutletBusy { inside: 1 }),
            Err(_) => return Ok(None),
        }
        // SAFETY: nobody is inside, nobody enters, and the exchange made the cell this call's.
        Ok(unsafe { &mut *block.socket.get() }.take())
    }
}

impl<K: Kernel, H: Handler<K>> OutletBlock<K, H> {
    #[cold]
    fn signal(&self) {
        // SAFETY: initialised by `new`; the block lives as long as the outlet that the caller borrows.
        unsafe { self.kernel.ke_set_event(self.drained.get()) };
    }
}

/// Somebody is still inside an outlet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{inside} calls are inside the outlet: take again")]
pub struct OutletBusy {
    /// How many.
    pub inside: u64,
}
