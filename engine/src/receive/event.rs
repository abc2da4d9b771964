//! WskReceiveFromEvent: where datagrams come in.

// UNSAFETY: the provider calls this with addresses of its own; what they point at is lent until the return.
#![expect(unsafe_code, reason = "the callback's contract with WSK")]

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use skua_record::RecordFlags;

use crate::abi::cmsg::{MSG_BCAST, MSG_MCAST};
use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use crate::abi::wsk::{WSK_DATAGRAM_INDICATION, WSK_FLAG_AT_DISPATCH_LEVEL};
use crate::address::{Address, Endpoint};
use crate::engine::shard::{Node, Shard};
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Dispatch;
use crate::reason::DropReason;
use crate::receive::ancillary::Ancillary;
use crate::receive::batch::{BATCH, Entry};
use crate::receive::payload::Payload;
use crate::receive::round;
use crate::socket::block::SocketBlock;
use crate::socket::core::SocketCore;
use crate::socket::options::{Info, Wanted};

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
        core.elsewhere.nested.fetch_add(unsafe { count(list) }, Ordering::Relaxed);
        return STATUS_SUCCESS;
    };
    if socket.stopping.load(Ordering::Relaxed) || !socket.rundown.acquire(processor, 1) {
        // SAFETY: the list is lent.
        let count = unsafe { count(list) };
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

/// Handles a list in rounds of up to [`BATCH`] indications.
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
    let arrival = Arrival {
        time: socket.kernel.ke_query_performance_counter(),
        flags: list_flags(flags),
        local: bound.address,
        wanted: socket.wanted.any().then_some(&socket.wanted),
    };
    // Indications of earlier rounds, all consumed and still linked, from `list` on.
    let mut consumed = 0_u64;
    let mut keeping = false;
    let mut next = list;
    while !next.is_null() {
        // SAFETY: `next` is a node of the lent list.
        next = unsafe { gather(&arrival, &socket.kernel, shard, next) };
        let marks = round::run(&block.engine, socket, shard, processor, bound.port, arrival.time);
        let kept = marks.kept;
        if kept != 0 && !keeping {
            keeping = true;
            // SAFETY: nothing of the earlier rounds was kept or released.
            unsafe { release_first(socket, list, consumed) };
        }
        if keeping {
            for (position, node) in shard.nodes.iter().enumerate().filter(|(at, _)| kept & (1 << at) == 0) {
                debug_assert!(position < BATCH);
                // SAFETY: gathered in this round and not kept.
                unsafe { release_alone(socket, node.0) };
            }
        }
        consumed += shard.nodes.len() as u64;
        shard.publish(&block.engine.core, processor);
    }
    if keeping { STATUS_PENDING } else { STATUS_SUCCESS }
}

/// What all datagrams of a list have in common.
struct Arrival<'a> {
    time: u64,
    flags: RecordFlags,
    local: Address,
    wanted: Option<&'a Wanted>,
}

/// Fills the shard's scratch from `next` on; where the list goes on.
///
/// # Safety
/// `next` is a node of a lent list.
#[inline]
unsafe fn gather<K: Kernel, H: Handler<K>>(
    arrival: &Arrival<'_>,
    kernel: &K,
    shard: &mut Shard<K, H>,
    mut next: *mut WSK_DATAGRAM_INDICATION,
) -> *mut WSK_DATAGRAM_INDICATION {
    shard.nodes.clear();
    shard.entries.clear();
    while let Some(node) = NonNull::new(next) {
        let position = shard.nodes.len();
        if shard.nodes.try_push(Node(node)).is_err() {
            break;
        }
        // SAFETY: the caller's promise. Read once: a node that the handler keeps may be gone before the round ends.
        let indication = unsafe { node.read() };
        next = indication.Next;
        shard.tally.indicated += 1;
        #[expect(clippy::cast_possible_truncation, reason = "below BATCH")]
        let position = position as u8;
        // SAFETY: the indication is lent.
        match unsafe { entry(arrival, kernel, node, &indication, position, &mut shard.tally.without_info) } {
            // There is an entry for every node at the most.
            Ok(entry) => drop(shard.entries.try_push(entry)),
            Err(reason) => shard.tally.refuse(reason),
        }
    }
    next
}

/// Reads one indication.
///
/// # Safety
/// `indication` is a copy of the lent one at `node`.
#[inline]
unsafe fn entry<K: Kernel>(
    arrival: &Arrival<'_>,
    kernel: &K,
    node: NonNull<WSK_DATAGRAM_INDICATION>,
    indication: &WSK_DATAGRAM_INDICATION,
    position: u8,
    without_info: &mut u64,
) -> Result<Entry, DropReason> {
    // SAFETY: the address is part of the lent indication, and of the socket's family.
    let remote = unsafe { SOCKADDR_INET::read(indication.RemoteAddress) }.ok_or(DropReason::Malformed)?;
    // SAFETY: the buffer is part of the lent indication.
    let payload = unsafe { Payload::of(kernel, &indication.Buffer) }?;
    let mut entry = Entry {
        node,
        payload,
        remote: endpoint(&remote),
        local: arrival.local,
        interface: 0,
        time: arrival.time,
        position,
        type_of_service: 0,
        hop_limit: 0,
        flags: arrival.flags,
    };
    if let Some(wanted) = arrival.wanted {
        // SAFETY: the control data is part of the lent indication.
        let said = unsafe { Ancillary::read(indication.ControlInfo, indication.ControlInfoLength) };
        let said = said.map_err(|_| DropReason::Malformed)?;
        describe(&mut entry, &said, wanted, without_info)?;
    }
    Ok(entry)
}

/// Takes over what the control messages said, and notices what they did not.
#[inline]
fn describe(
    entry: &mut Entry,
    said: &Ancillary,
    wanted: &Wanted,
    without_info: &mut u64,
) -> Result<(), DropReason> {
    let missing = [
        (wanted.packet_info, said.destination.is_none()),
        (wanted.type_of_service, said.type_of_service.is_none()),
        (wanted.hop_limit, said.hop_limit.is_none()),
        (wanted.timestamp, said.time.is_none()),
    ];
    if missing.contains(&(Info::Required, true)) {
        return Err(DropReason::MissingInfo);
    }
    *without_info += u64::from(missing.contains(&(Info::Wanted, true)));
    if let Some((local, interface)) = said.destination {
        entry.local = local;
        entry.interface = interface;
    }
    entry.type_of_service = said.type_of_service.unwrap_or_default();
    entry.hop_limit = said.hop_limit.unwrap_or_default();
    entry.time = said.time.unwrap_or(entry.time);
    if said.coalesced.is_some() {
        entry.flags |= RecordFlags::COALESCED;
    }
    Ok(())
}

#[inline]
fn endpoint(address: &SOCKADDR_INET) -> Endpoint {
    match address.ipv4() {
        Some(v4) => {
            let octets = v4.sin_addr.S_addr.to_ne_bytes();
            Endpoint { address: Address::from_ipv4(octets), scope: 0, port: u16::from_be(v4.sin_port) }
        }
        None => address.to_socket_addr().map(Endpoint::from).unwrap_or_default(),
    }
}

fn list_flags(flags: u32) -> RecordFlags {
    let mut said = RecordFlags::empty();
    said.set(RecordFlags::BROADCAST, flags & MSG_BCAST != 0);
    said.set(RecordFlags::MULTICAST, flags & MSG_MCAST != 0);
    said
}

/// Datagrams in a list.
///
/// # Safety
/// The list is lent.
#[cold]
unsafe fn count(list: *mut WSK_DATAGRAM_INDICATION) -> u64 {
    let mut count = 0;
    let mut next = list;
    while let Some(node) = NonNull::new(next) {
        count += 1;
        // SAFETY: a node of the lent list.
        next = unsafe { (*node.as_ptr()).Next };
    }
    count
}

/// Gives back the first `count` indications of a list, one by one.
///
/// # Safety
/// They are linked as they came, and none was kept or given back.
#[cold]
unsafe fn release_first<K: Kernel>(socket: &SocketCore<K>, list: *mut WSK_DATAGRAM_INDICATION, count: u64) {
    let mut next = list;
    for _ in 0..count {
        let Some(node) = NonNull::new(next) else { return };
        // SAFETY: a node of the lent list, read before it is given back.
        next = unsafe { (*node.as_ptr()).Next };
        // SAFETY: the caller's promise.
        unsafe { release_alone(socket, node) };
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
