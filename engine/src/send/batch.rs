//! Sending: fill contexts, hand them over, forget them.

// UNSAFETY: writes contexts that the batch owns, and calls WSK with them.
#![expect(
    unsafe_code,
    reason = "a context is the batch's from the pool until the call, and the provider's from then on"
)]

use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use skua_pools::Slot;

use crate::abi::nt::io_set_completion_routine;
use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use crate::abi::wsk::WSK_BUF_LIST;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Dispatch;
use crate::receive::retained::Retained;
use crate::send::completion::{finish, give_back, send_complete};
use crate::send::context::{CallersBuffer, Loan, SendContext};
use crate::send::control::Control;
use crate::socket::block::SocketBlock;

/// Why a datagram was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket is stopping.
    #[error("the socket is closing: nothing more can be sent")]
    Closing,
    /// All send contexts are under way: wait for completions, or open with more `send_slots`.
    #[error("all send contexts are in use: wait for completions, or open with more send_slots")]
    NoSlot,
    /// The datagram is longer than `send_bytes`.
    #[error("{length} bytes do not fit the {limit} of a send context: open with more send_bytes")]
    Oversize {
        /// Bytes of the datagram.
        length: usize,
        /// `send_bytes`.
        limit: u32,
    },
    /// The source and the destination are not of one family, or not of the socket's.
    #[error("source and destination must be of the socket's family: an IPv6 socket also takes mapped IPv4")]
    Family,
    /// Network buffers are not what they say.
    #[error("a list has no buffer, or a buffer has less data than headers")]
    Malformed,
    /// The provider refused.
    #[error("the send failed with {0}")]
    Refused(NTSTATUS),
}

/// Datagrams to one destination that go out by one call.
///
/// # Invariants
/// It lives inside [`Dispatch::with`]. It has one place inside the socket's rundown. `first` to `last` are contexts it owns, linked by `next` and by their
/// list nodes.
pub struct SendBatch<'s, K: Kernel, H: Handler<K>> {
    block: &'s SocketBlock<K, H>,
    dispatch: &'s Dispatch<'s, K>,
    remote: SOCKADDR_INET,
    /// Whether `remote` is the socket's own.
    is_fixed: bool,
    control: Control,
    first: Option<NonNull<SendContext<K>>>,
    last: Option<NonNull<SendContext<K>>>,
    datagrams: u32,
}

impl<'s, K: Kernel, H: Handler<K>> SendBatch<'s, K, H> {
    /// An empty batch, in the place that [`SendBatch::enter`] took.
    pub(crate) fn new(
        block: &'s SocketBlock<K, H>,
        dispatch: &'s Dispatch<'s, K>,
        remote: SocketAddr,
    ) -> Self {
        let is_fixed = block.core.remote == Some(remote);
        let remote = SOCKADDR_INET::from(remote);
        let control = Control::EMPTY;
        Self { block, dispatch, remote, is_fixed, control, first: None, last: None, datagrams: 0 }
    }

    /// Enters the socket's rundown, for a batch that is made next: apart from it, so that a batch, which is large, is made
    /// where it stays.
    pub(crate) fn enter(block: &SocketBlock<K, H>, dispatch: &Dispatch<'_, K>) -> Result<(), SendError> {
        let stopping = block.core.stopping.load(Ordering::Relaxed);
        if stopping || !block.core.rundown.acquire(dispatch.processor(), 1) {
            return Err(SendError::Closing);
        }
        Ok(())
    }

    /// The control messages that go out with it.
    pub(crate) fn control(&mut self) -> &mut Control {
        &mut self.control
    }

    /// Adds a datagram: `fill` gets all of a context's bytes and returns how many of them the datagram has. Where the
    /// bytes were before, they still are: a generator need not write what has not changed.
    ///
    /// # Errors
    /// [`SendError::NoSlot`], [`SendError::Oversize`] if `fill` claims more than it was given.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline]
    pub fn push_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> Result<(), SendError> {
        let slot = self.take()?;
        let limit = self.block.engine.core.sends.as_ref().map_or(0, |sends| sends.data_bytes);
        // SAFETY: the context's data is `data_bytes` long and, with the slot, this batch's alone.
        let data = unsafe { core::slice::from_raw_parts_mut(slot.data().as_ptr(), limit as usize) };
        let length = fill(data);
        if length > limit as usize {
            return Err(SendError::Oversize { length, limit });
        }
        self.append(slot.into_raw(), length);
        Ok(())
    }

    /// Adds a copy of `payload`.
    ///
    /// # Errors
    /// As for [`SendBatch::push_with`].
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline]
    pub fn push(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.push_with(|data| {
            if let Some(data) = data.get_mut(..payload.len()) {
                data.copy_from_slice(payload);
            }
            payload.len()
        })
    }

    /// Sends a datagram on that a handler kept: its own memory where the engine was opened with `send_lent` and the
    /// datagram is lent, without a copy, and given back when the send completes; else a copy, and it is given back at once.
    ///
    /// # Errors
    /// As for [`SendBatch::push_with`]; the datagram is given back then.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline(never)]
    pub fn push_retained(&mut self, retained: Retained<K>) -> Result<(), SendError> {
        let lent = retained.buffer().filter(|_| self.block.engine.core.send_lent);
        let Some(buffer) = lent else {
            let payload = retained.payload();
            return self.push_with(|data| {
                payload.copy_to(data);
                payload.len()
            });
        };
        let slot = self.take()?;
        // SAFETY: the context came from the pool just now.
        unsafe { slot.borrow(buffer, Loan::Retained(retained)) };
        self.append(slot.into_raw(), buffer.Length);
        Ok(())
    }

    /// Adds memory of the caller's, which is sent as it is.
    ///
    /// # Errors
    /// [`SendError::NoSlot`]; [`SendError::Oversize`] beyond the 65,535 bytes of a datagram. The buffer is the caller's
    /// still, and its routine not called.
    ///
    /// # Safety
    /// The chain describes at least `buffer.Length` bytes of locked memory from `buffer.Offset` on, which lies in its first
    /// MDL, and stays as it is until `done` was called. `done` may be called with `context` on any thread.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    pub unsafe fn push_buffer(&mut self, buffer: CallersBuffer) -> Result<(), SendError> {
        let length = buffer.buffer.Length;
        if length > usize::from(u16::MAX) {
            return Err(SendError::Oversize { length, limit: u16::MAX.into() });
        }
        let slot = self.take()?;
        // SAFETY: the context came from the pool just now.
        unsafe { slot.borrow(buffer.buffer, Loan::Callers(buffer)) };
        self.append(slot.into_raw(), length);
        Ok(())
    }

    /// Makes a chain of network buffers, which nodes in them lead through, the whole batch.
    ///
    /// # Safety
    /// As for [`SendBatch::push_buffer`], for each buffer of the chain and for the nodes.
    pub(crate) unsafe fn push_nodes(
        &mut self,
        first: CallersBuffer,
        rest: *mut WSK_BUF_LIST,
        datagrams: u32,
    ) -> Result<(), SendError> {
        // SAFETY: the caller's promise.
        unsafe { self.push_buffer(first) }?;
        if let Some(context) = self.last {
            // SAFETY: this batch's until it is handed over.
            let node = unsafe { context.as_ref() }.node.get();
            // SAFETY: as above.
            unsafe { (*node).Next = rest };
        }
        self.datagrams = datagrams;
        Ok(())
    }

    /// Datagrams in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams as usize
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams == 0
    }

    /// Hands the batch to the provider: WskSendTo for one datagram, WskSendMessages for more. How many were handed over.
    ///
    /// # Errors
    /// [`SendError::Refused`]: none was accepted.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    // By reference and in a frame of its own: a batch is large, and handlers send from inside their callbacks.
    #[inline(never)]
    pub(crate) fn send(&mut self) -> Result<usize, SendError> {
        let Some(first) = self.first.take() else { return Ok(0) };
        let datagrams = self.datagrams;
        let processor = self.dispatch.processor();
        if !self.block.core.sends.acquire(processor, 1) {
            // Not before the close, which waits for this batch's place in the rundown.
            self.first = Some(first);
            return Err(SendError::Closing);
        }
        let core = &self.block.engine.core;
        match self.block.engine.shards.enter(self.dispatch) {
            Some(mut shard) => {
                shard.tally.issue_sends(u64::from(datagrams));
                shard.publish(core, processor);
            }
            None => {
                core.elsewhere.sends_issued.fetch_add(datagrams.into(), Ordering::Relaxed);
            }
        }
        // SAFETY: `first` and what it leads to is this batch's, and it does not look at it again.
        let status = unsafe { self.hand_over(first) };
        if status.is_success() { Ok(datagrams as usize) } else { Err(SendError::Refused(status)) }
    }

    /// A context from this processor's magazine.
    #[inline]
    fn take(&self) -> Result<Slot<'s, SendContext<K>, K>, SendError> {
        let block: &'s SocketBlock<K, H> = self.block;
        let sends = block.engine.core.sends.as_ref().ok_or(SendError::NoSlot)?;
        let mut shard = block.engine.shards.enter(self.dispatch);
        let slot = match shard.as_mut().and_then(|shard| shard.sends.as_mut()) {
            Some(magazine) => sends.pool.take(magazine),
            None => sends.pool.take_shared(),
        };
        slot.ok_or(SendError::NoSlot)
    }

    fn append(&mut self, context: NonNull<SendContext<K>>, length: usize) {
        // SAFETY: the context is this batch's: it came from the pool just now.
        let added = unsafe { context.as_ref() };
        let node = added.node.get();
        // SAFETY: as above.
        unsafe { (*node).Buffer.Length = length };
        // SAFETY: as above.
        unsafe { (*node).Next = null_mut() };
        // SAFETY: as above.
        unsafe { *added.next.get() = null_mut() };
        match self.last.replace(context) {
            None => self.first = Some(context),
            Some(before) => {
                // SAFETY: also this batch's.
                let before = unsafe { before.as_ref() };
                // SAFETY: as above.
                unsafe { (*before.node.get()).Next = node };
                // SAFETY: as above.
                unsafe { *before.next.get() = context.as_ptr() };
            }
        }
        self.datagrams += 1;
    }

    /// Gives the contexts to the provider. From the call on they are not the batch's: the completion may run inside it.
    ///
    /// # Safety
    /// `first` leads to all contexts of the batch, which it owns.
    unsafe fn hand_over(&mut self, first: NonNull<SendContext<K>>) -> NTSTATUS {
        let kernel = &self.block.core.kernel;
        // SAFETY: the batch's own until the call.
        let context = unsafe { first.as_ref() };
        // SAFETY: as above.
        unsafe { *context.remote.get() = self.remote };
        // SAFETY: as above.
        unsafe { *context.control.get() = self.control };
        // SAFETY: as above.
        unsafe { *context.socket.get() = core::ptr::from_ref(self.block).cast() };
        // SAFETY: as above.
        unsafe { *context.datagrams.get() = self.datagrams };
        let irp = context.irp();
        // SAFETY: initialised with the pool, and no request is under way on it.
        unsafe { kernel.io_reuse_irp(irp, STATUS_SUCCESS) };
        let routine = Some(send_complete::<K, H> as unsafe extern "C" fn(_, _, _) -> _);
        // SAFETY: the IRP has one stack location free.
        unsafe { io_set_completion_routine(irp, routine, first.as_ptr().cast(), true, true, true) };
        // SAFETY: as above: the area lives in the context.
        let (control, control_bytes) = unsafe { &mut *context.control.get() }.as_raw();
        let node = context.node.get();
        // A provider that knows the address needs none, and may have found the way there already.
        let remote = if self.is_fixed { null_mut() } else { context.remote.get().cast() };
        // SAFETY: a field of the context's node.
        let buffer = unsafe { &raw mut (*node).Buffer };
        let ticket = context.ticket.load(Ordering::Relaxed);
        let socket = self.block.core.socket();
        // SAFETY: inside the rundown the socket is open.
        let table = unsafe { self.block.core.dispatch() };
        let status = if self.datagrams == 1 {
            match table.WskSendTo {
                // SAFETY: everything the call is given lies in the context, which lives until the completion.
                Some(send) => unsafe { send(socket, buffer, 0, remote, control_bytes, control, irp) },
                None => STATUS_NOT_IMPLEMENTED,
            }
        } else {
            match table.WskSendMessages {
                // SAFETY: as above, for every node of the list.
                Some(send) => unsafe { send(socket, node, 0, remote, control_bytes, control, irp) },
                None => STATUS_NOT_IMPLEMENTED,
            }
        };
        // Providers are known that refuse what they do not implement without completing the IRP. The context may have
        // been completed and be another's by now: only an unchanged ticket, whose slot is still there to read, says that
        // it was not. The number wraps after 2^32 sends of one context inside this call.
        if matches!(status, STATUS_NOT_SUPPORTED | STATUS_NOT_IMPLEMENTED) {
            // SAFETY: pool slots keep their address and type for the engine's life.
            let held = unsafe { &first.as_ref().ticket };
            let taken =
                held.compare_exchange(ticket, ticket.wrapping_add(1), Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                // SAFETY: taken back: the provider never had it.
                unsafe { finish(self.block, first, status) };
            }
        }
        status
    }
}

impl<K: Kernel, H: Handler<K>> Drop for SendBatch<'_, K, H> {
    fn drop(&mut self) {
        if let Some(first) = self.first.take() {
            // SAFETY: not handed over, so still this batch's.
            unsafe { give_back(self.block, self.dispatch, first, STATUS_CANCELLED) };
        }
        self.block.core.leave(self.dispatch.processor());
    }
}
