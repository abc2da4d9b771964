//! The end of a send: what it used goes back.

// UNSAFETY: contexts come back from the provider by address.
#![expect(
    unsafe_code,
    reason = "a context is the provider's until its completion, and the engine's from then on"
)]

use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use skua_pools::Slot;

use crate::abi::nt::{DEVICE_OBJECT, IRP};
use crate::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED};
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Dispatch;
use crate::send::context::SendContext;
use crate::socket::block::SocketBlock;

/// The completion of a send: runs on any thread, at any level up to DISPATCH_LEVEL, possibly inside the call.
pub(super) unsafe extern "C" fn send_complete<K: Kernel, H: Handler<K>>(
    _device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    context: *mut c_void,
) -> NTSTATUS {
    let Some(first) = NonNull::new(context.cast::<SendContext<K>>()) else {
        return STATUS_MORE_PROCESSING_REQUIRED;
    };
    // SAFETY: the IRP's context is the send context it lies in, which is the provider's until here.
    let held = unsafe { first.as_ref() };
    held.ticket.fetch_add(1, Ordering::AcqRel);
    // SAFETY: the provider is done with the IRP.
    let status = unsafe { (*irp).IoStatus.Status };
    // SAFETY: written by `hand_over`, before the call.
    let block = unsafe { *held.socket.get() };
    // SAFETY: the block of the socket that sends, whose WskCloseSocket does not complete before this IRP has.
    let block = unsafe { &*block.cast::<SocketBlock<K, H>>() };
    // SAFETY: completed, so the contexts are the engine's again.
    unsafe { finish(block, first, status) };
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Counts a list that is over and gives its contexts back.
///
/// # Safety
/// The contexts from `first` on are the caller's.
pub(super) unsafe fn finish<K: Kernel, H: Handler<K>>(
    block: &SocketBlock<K, H>,
    first: NonNull<SendContext<K>>,
    status: NTSTATUS,
) {
    let succeeded = status.is_success();
    // SAFETY: the caller's promise.
    let context = unsafe { first.as_ref() };
    // SAFETY: the caller's promise.
    let datagrams = u64::from(unsafe { *context.datagrams.get() });
    let dispatch = Dispatch::raise(&block.core.kernel);
    let core = &block.engine.core;
    match block.engine.shards.enter(&dispatch) {
        Some(mut shard) => {
            shard.tally.end_sends(datagrams, succeeded);
            shard.publish(core, dispatch.processor());
        }
        None => {
            let elsewhere = &core.elsewhere;
            let counter = if succeeded { &elsewhere.sends_completed } else { &elsewhere.sends_failed };
            counter.fetch_add(datagrams, Ordering::Relaxed);
        }
    }
    // SAFETY: the caller's promise.
    unsafe { give_back(block, &dispatch, first, status) };
    // The last touch of the block: its close waits for this.
    block.core.end_send(dispatch.processor());
}

/// Puts contexts back into the pool, and what they borrowed back to whose it is.
///
/// # Safety
/// The contexts from `first` on are the caller's.
pub(super) unsafe fn give_back<K: Kernel, H: Handler<K>>(
    block: &SocketBlock<K, H>,
    dispatch: &Dispatch<'_, K>,
    first: NonNull<SendContext<K>>,
    status: NTSTATUS,
) {
    let Some(sends) = block.engine.core.sends.as_ref() else { return };
    // First and outside the shard: who is told that its memory is back may send again.
    let mut next = Some(first);
    while let Some(context) = next {
        // SAFETY: the caller's promise.
        let held = unsafe { context.as_ref() };
        // SAFETY: the caller's promise: nothing is under way.
        unsafe { held.settle(status) };
        // SAFETY: the caller's promise.
        next = NonNull::new(unsafe { *held.next.get() });
    }
    let mut shard = block.engine.shards.enter(dispatch);
    let mut next = Some(first);
    while let Some(context) = next {
        // SAFETY: the caller's promise.
        let held = unsafe { context.as_ref() };
        // SAFETY: the caller's promise; read before it is given back.
        next = NonNull::new(unsafe { *held.next.get() });
        // SAFETY: it came from this pool, and is given back once.
        let slot = unsafe { Slot::from_raw(&sends.pool, context) };
        match shard.as_mut().and_then(|shard| shard.sends.as_mut()) {
            Some(magazine) => sends.pool.put(slot, magazine),
            None => drop(slot),
        }
    }
}
