//! WskReceiveFromEvent: where datagrams come in.

// UNSAFETY: the provider calls this with addresses of its own; what they point at is lent until the return.
#![expect(unsafe_code, reason = "the callback's contract with WSK")]

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use skua_record::RecordFlags;

use crate::abi::cmsg::{MSG_BCAST, MSG_MCAST};
use crate::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use crate::abi::wsk::{WSK_DATAGRAM_INDICATION, WSK_FLAG_AT_DISPATCH_LEVEL};
use crate::engine::shard::Shard;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Dispatch;
use crate::reason::DropReason;
use crate::receive::batch::{Arrival, Marks};
use crate::receive::coalesced::datagrams;
use crate::receive::entry::{Facts, Scratch};
use crate::receive::gather::{Asked, gather, gather_with_facts};
use crate::receive::round;
use crate::socket::block::SocketBlock;
use crate::socket::core::SocketCore;

/// The event callback of every datagram socket of an `Engine<K, H>`.
///
/// It answers SUCCESS when it keeps nothing, and PENDING when the handler kept something: what it did not keep it has
/// then released itself. It never answers DATA_NOT_ACCEPTED: the transport would indicate the same datagrams again.
///
/// # Safety
/// `context` is the address of the [`SocketBlock`] given to WskSocket, whose WskCloseSocket has not completed; `list` is
/// null or a list that is lent until the return (WSK docs, PFN_WSK_RECEIVE_FROM_EVENT).
///
/// # IRQL
/// At most DISPATCH_LEVEL; at DISPATCH_LEVEL if `flags` has WSK_FLAG_AT_DISPATCH_LEVEL.
pub(crate) unsafe extern "C" fn receive_from_event<K: Kernel, H: Handler<K>>(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let block = unsafe { &*context.cast::<SocketBlock<K, H>>() };
    let socket = &block.core;
    if list.is_null() {
        // The socket has died. Only its close is left, which is not for a callback to wait for.
        let now = socket.kernel.ke_query_performance_counter();
        socket.died.store(now.max(1), Ordering::Release);
        return STATUS_SUCCESS;
    }
    let dispatch = if flags & WSK_FLAG_AT_DISPATCH_LEVEL != 0 {
        // SAFETY: the flag says so, and the provider does not lower the level before the callback returns.
        unsafe { Dispatch::assume(&socket.kernel) }
    } else {
        Dispatch::raise(&socket.kernel)
    };
    let processor = dispatch.processor();
    let core = &block.engine.core;
    let Some(mut shard) = block.engine.shards.enter(&dispatch) else {
        // SAFETY: the list is lent.
        core.elsewhere.nested.fetch_add(unsafe { count(socket, list) }, Ordering::Relaxed);
        return STATUS_SUCCESS;
    };
    if socket.stopping.load(Ordering::Relaxed) || !socket.rundown.acquire(processor, 1) {
        // SAFETY: the list is lent.
        let count = unsafe { count(socket, list) };
        shard.tally.indicated += count;
        shard.tally.refuse_many(DropReason::Closing, count);
        shard.publish(core, processor);
        return STATUS_SUCCESS;
    }
    // SAFETY: inside the rundown, with a list that is lent.
    let status = unsafe { rounds(block, &mut shard, processor, flags, list) };
    drop(shard);
    socket.leave(processor);
    status
}

/// Handles a list in rounds of up to [`BATCH`](crate::receive::entry::BATCH) datagrams.
///
/// # Safety
/// As for [`receive_from_event`], and the caller is inside the socket's rundown.
#[inline]
unsafe fn rounds<K: Kernel, H: Handler<K>>(
    block: &SocketBlock<K, H>,
    shard: &mut Shard<K, H>,
    processor: u32,
    flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    let socket = &block.core;
    let bound = socket.bound();
    let arrival = Arrival::new(&socket.kernel);
    let common = Facts::new(bound.address, list_flags(flags));
    let asked = socket.is_told.then_some(Asked { wanted: &socket.wanted, common });
    shard.scratch.share(common);
    let mut keeping = false;
    let mut next = list;
    loop {
        let Shard { scratch, tally, .. } = &mut *shard;
        // Everything before it in the list is consumed and still linked, unless something was kept.
        let begin = scratch.split.as_ref().map_or(next, |split| split.node().as_ptr());
        next = match &asked {
            // SAFETY: `next` is null or a node of the lent list.
            None => unsafe { gather(&socket.kernel, scratch, tally, next) },
            // SAFETY: as above.
            Some(asked) => unsafe { gather_with_facts(&socket.kernel, asked, scratch, tally, next) },
        };
        let Marks { kept, .. } = round::run(&block.engine, socket, shard, processor, bound.port, &arrival);
        if keeping || kept != 0 {
            let earlier = if keeping { begin } else { list };
            keeping = true;
            // SAFETY: from `earlier` to `begin` nothing was kept or given back.
            unsafe { release_up_to(socket, earlier, begin) };
            // SAFETY: of this round, `kept` is what was kept.
            unsafe { release_round(socket, &shard.scratch, kept) };
        }
        shard.publish(&block.engine.core, processor);
        if next.is_null() && shard.scratch.split.is_none() {
            break;
        }
    }
    if keeping { STATUS_PENDING } else { STATUS_SUCCESS }
}

fn list_flags(flags: u32) -> RecordFlags {
    let mut said = RecordFlags::empty();
    said.set(RecordFlags::BROADCAST, flags & MSG_BCAST != 0);
    said.set(RecordFlags::MULTICAST, flags & MSG_MCAST != 0);
    said
}

/// Datagrams in a list, the parts of coalesced buffers counted one each where they would have been taken apart.
///
/// # Safety
/// The list is lent.
#[cold]
unsafe fn count<K: Kernel>(socket: &SocketCore<K>, list: *mut WSK_DATAGRAM_INDICATION) -> u64 {
    let mut count = 0;
    let mut next = list;
    while let Some(node) = NonNull::new(next) {
        // SAFETY: a node of the lent list.
        let indication = unsafe { node.as_ref() };
        count += if socket.wanted.any() {
            // SAFETY: lent as well.
            unsafe { datagrams(indication) }
        } else {
            1
        };
        next = indication.Next;
    }
    count
}

/// Gives back the indications of a list from `node` to before `end`, one by one.
///
/// # Safety
/// They are linked as they came, and none was kept or given back.
#[cold]
unsafe fn release_up_to<K: Kernel>(
    socket: &SocketCore<K>,
    mut node: *mut WSK_DATAGRAM_INDICATION,
    end: *mut WSK_DATAGRAM_INDICATION,
) {
    while node != end
        && let Some(this) = NonNull::new(node)
    {
        // SAFETY: a node of the lent list, read before it is given back.
        node = unsafe { (*this.as_ptr()).Next };
        // SAFETY: the caller's promise.
        unsafe { release_alone(socket, this) };
    }
}

/// Gives back what is at its end with this round, less the entries that were kept.
///
/// # Safety
/// `kept` names what the handler kept of the round in the scratch; nothing else of it was given back.
#[cold]
unsafe fn release_round<K: Kernel>(socket: &SocketCore<K>, scratch: &Scratch, kept: u32) {
    let entries = scratch.entries().iter().enumerate();
    let done = entries.filter(|(index, entry)| kept & 1 << index == 0 && !entry.is_part());
    for (_, entry) in done {
        // SAFETY: gathered in this round, not kept, and no other entry's.
        unsafe { release_alone(socket, entry.node()) };
    }
    for node in &scratch.without {
        // SAFETY: as above.
        unsafe { release_alone(socket, node.0) };
    }
}

/// Gives one indication back, cut out of its list.
///
/// # Safety
/// It is the engine's to give back, and the caller is inside the rundown.
unsafe fn release_alone<K: Kernel>(socket: &SocketCore<K>, node: NonNull<WSK_DATAGRAM_INDICATION>) {
    // SAFETY: the caller's promise.
    unsafe { (*node.as_ptr()).Next = null_mut() };
    // SAFETY: the caller's promise, and it stands alone now.
    unsafe { socket.release(node) };
}
