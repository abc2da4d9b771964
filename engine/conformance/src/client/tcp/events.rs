//! The events of a socket over TCP: they do what their record says and note what they saw.

// UNSAFETY: events reach their record through the socket's context pointer, and read what they are lent.
#![expect(unsafe_code, reason = "callbacks take raw pointers")]

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering;

use skua_engine::Kernel;
use skua_engine::abi::nt::DISPATCH_LEVEL;
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_CLIENT_STREAM_DISPATCH,
    WSK_DATA_INDICATION, WSK_FLAG_AT_DISPATCH_LEVEL, WSK_INSPECT_ACTION, WSK_INSPECT_ID,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_SOCKET, WskInspectReject,
};

use super::super::buffer;
use super::super::handle::table_of;
use super::record::{Admit, Arrival, Inside, Inspected, Keep, StreamRecord, read_list};

/// The tables of a client's events.
pub(crate) struct Tables<K>(core::marker::PhantomData<K>);

impl<K: Kernel> Tables<K> {
    pub(crate) const LISTEN: &'static WSK_CLIENT_LISTEN_DISPATCH = &WSK_CLIENT_LISTEN_DISPATCH {
        WskAcceptEvent: Some(accept::<K>),
        WskInspectEvent: Some(inspect::<K>),
        WskAbortEvent: Some(abort::<K>),
    };
    pub(crate) const CONNECTION: &'static WSK_CLIENT_CONNECTION_DISPATCH = &WSK_CLIENT_CONNECTION_DISPATCH {
        WskReceiveEvent: Some(receive::<K>),
        WskDisconnectEvent: Some(disconnect::<K>),
        WskSendBacklogEvent: Some(backlog::<K>),
    };
    pub(crate) const STREAM: &'static WSK_CLIENT_STREAM_DISPATCH = &WSK_CLIENT_STREAM_DISPATCH {
        Listen: ptr::from_ref(Self::LISTEN),
        Connect: ptr::from_ref(Self::CONNECTION),
    };
}

/// Runs one event; `flags` are those that tell its level.
///
/// # Safety
/// `context` is that of a socket with a [`StreamRecord`], which outlives it.
unsafe fn run<K: Kernel, R>(
    context: *mut c_void,
    flags: u32,
    answer: impl FnOnce(&StreamRecord<K>, &K) -> R,
) -> Option<R> {
    // SAFETY: as the caller promises.
    let record = unsafe { context.cast::<StreamRecord<K>>().as_ref() }?;
    // SAFETY: written before the socket was made, and not changed since.
    let kernel = unsafe { &*record.kernel.get() }.clone()?;
    record.entered.fetch_add(1, Ordering::AcqRel);
    let irql = kernel.ke_get_current_irql();
    if irql > DISPATCH_LEVEL || (flags & WSK_FLAG_AT_DISPATCH_LEVEL != 0 && irql != DISPATCH_LEVEL) {
        record.wrong_levels.fetch_add(1, Ordering::AcqRel);
    }
    let hook = record.hook.swap(ptr::null_mut(), Ordering::AcqRel);
    if !hook.is_null() {
        // SAFETY: `StreamRecorder::inside` stored a function of this type.
        let hook = unsafe { core::mem::transmute::<*mut c_void, Inside<K>>(hook) };
        hook(record, record.hook_context.load(Ordering::Relaxed));
    }
    let answer = answer(record, &kernel);
    record.signal.change(&kernel, || {
        record.finished.fetch_add(1, Ordering::Release);
    });
    Some(answer)
}

unsafe extern "C" fn accept<K: Kernel>(
    context: *mut c_void,
    flags: u32,
    local: PSOCKADDR,
    remote: PSOCKADDR,
    socket: *mut WSK_SOCKET,
    accepted_context: *mut *mut c_void,
    accepted_table: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    let take = |record: &StreamRecord<K>, _: &K| {
        record.flags.fetch_or(flags, Ordering::AcqRel);
        if socket.is_null() {
            record.deaths.fetch_add(1, Ordering::AcqRel);
            return STATUS_SUCCESS;
        }
        let admit = record.admit.load(Ordering::SeqCst);
        if let Some(status) = record.other_answer() {
            record.refused.fetch_add(1, Ordering::AcqRel);
            return status;
        }
        let (mut offer, mut target) = (0, ptr::null_mut::<StreamRecord<K>>());
        if admit == Admit::Offered as u32 {
            for (index, place) in record.offers.iter().enumerate() {
                target = place.swap(ptr::null_mut(), Ordering::AcqRel);
                if !target.is_null() {
                    offer = index + 1;
                    break;
                }
            }
        }
        if target.is_null() && admit != Admit::Bare as u32 {
            record.refused.fetch_add(1, Ordering::AcqRel);
            return STATUS_REQUEST_NOT_ACCEPTED;
        }
        // SAFETY: null, or a record that was offered and not freed before the listening socket is closed.
        if let Some(target) = unsafe { target.as_ref() } {
            target.socket.store(socket, Ordering::Release);
        }
        // SAFETY: the provider gave room for the context.
        unsafe { accepted_context.write(target.cast()) };
        let table = if offer == 0 { ptr::null() } else { ptr::from_ref(Tables::<K>::CONNECTION) };
        // SAFETY: the provider gave room for the table.
        unsafe { accepted_table.write(table) };
        // SAFETY: an address of the family it names, or null.
        let local = unsafe { SOCKADDR_INET::read(local) }.unwrap_or(SOCKADDR_INET::UNSPEC);
        // SAFETY: as above.
        let remote = unsafe { SOCKADDR_INET::read(remote) }.unwrap_or(SOCKADDR_INET::UNSPEC);
        let arrival = Arrival { socket, local, remote, offer };
        record.arrivals.push(arrival);
        STATUS_SUCCESS
    };
    // SAFETY: the context is the socket's record.
    unsafe { run(context, flags, take) }.unwrap_or(STATUS_REQUEST_NOT_ACCEPTED)
}

unsafe extern "C" fn inspect<K: Kernel>(
    context: *mut c_void,
    local: PSOCKADDR,
    remote: PSOCKADDR,
    id: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION {
    let decide = |record: &StreamRecord<K>, _: &K| {
        // SAFETY: null, or an identity for the time of the call.
        let Some(id) = (unsafe { id.as_ref() }).copied() else {
            record.deaths.fetch_add(1, Ordering::AcqRel);
            return WskInspectReject;
        };
        // SAFETY: an address of the family it names, or null.
        let local = unsafe { SOCKADDR_INET::read(local) }.unwrap_or(SOCKADDR_INET::UNSPEC);
        // SAFETY: as above.
        let remote = unsafe { SOCKADDR_INET::read(remote) }.unwrap_or(SOCKADDR_INET::UNSPEC);
        record.inspections.push(Inspected { id, local, remote });
        WSK_INSPECT_ACTION(record.action.load(Ordering::SeqCst))
    };
    // SAFETY: the context is the socket's record.
    unsafe { run(context, 0, decide) }.unwrap_or(WskInspectReject)
}

unsafe extern "C" fn abort<K: Kernel>(context: *mut c_void, id: *mut WSK_INSPECT_ID) -> NTSTATUS {
    let note = |record: &StreamRecord<K>, _: &K| {
        // SAFETY: null, or an identity for the time of the call.
        if let Some(id) = unsafe { id.as_ref() } {
            record.aborts.push(*id);
        }
    };
    // SAFETY: the context is the socket's record.
    let _noted = unsafe { run(context, 0, note) };
    STATUS_SUCCESS
}

unsafe extern "C" fn receive<K: Kernel>(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATA_INDICATION,
    indicated: usize,
    accepted: *mut usize,
) -> NTSTATUS {
    let take = |record: &StreamRecord<K>, kernel: &K| {
        record.flags.fetch_or(flags, Ordering::AcqRel);
        if list.is_null() {
            record.deaths.fetch_add(1, Ordering::AcqRel);
            return STATUS_SUCCESS;
        }
        record.calls.fetch_add(1, Ordering::AcqRel);
        if let Some(status) = record.other_answer() {
            return status;
        }
        let budget = record.budget.load(Ordering::SeqCst);
        let keep = record.keep.load(Ordering::SeqCst);
        if budget == 0 {
            return STATUS_DATA_NOT_ACCEPTED;
        }
        let now = record.inside.fetch_add(1, Ordering::AcqRel) + 1;
        record.most_inside.fetch_max(now, Ordering::AcqRel);
        let take = if keep == Keep::Nothing as u32 { budget.min(indicated) } else { indicated };
        // SAFETY: lent to this call.
        unsafe { note(record, kernel, list, take, indicated) };
        record.inside.fetch_sub(1, Ordering::AcqRel);
        if budget != usize::MAX {
            record.budget.store(budget.saturating_sub(take), Ordering::SeqCst);
        }
        if keep == Keep::Nothing as u32 {
            if take < indicated {
                // SAFETY: the provider gave room for the count.
                unsafe { accepted.write(take) };
            }
            return STATUS_SUCCESS;
        }
        if keep == Keep::ReleaseInside as u32 {
            // SAFETY: a connection, which lives while its event runs.
            let _status = unsafe { release(record.socket(), list) };
        } else if let Some(slot) = record.retained.get(record.kept.fetch_add(1, Ordering::AcqRel)) {
            slot.store(list, Ordering::Release);
        }
        STATUS_PENDING
    };
    // SAFETY: the context is the socket's record.
    unsafe { run(context, flags, take) }.unwrap_or(STATUS_SUCCESS)
}

/// Remembers the first `take` bytes of a list.
///
/// # Safety
/// `list` is lent to the caller.
unsafe fn note<K: Kernel>(
    record: &StreamRecord<K>,
    kernel: &K,
    list: *mut WSK_DATA_INDICATION,
    take: usize,
    indicated: usize,
) {
    let (mut at, mut digest) = (record.taken.load(Ordering::Acquire), record.digest.load(Ordering::Acquire));
    let mut left = take;
    // SAFETY: as the caller promises.
    let held = unsafe {
        read_list(kernel, list, |byte| {
            if left > 0 {
                if let Some(place) = record.first.get(at) {
                    place.store(byte, Ordering::Release);
                }
                digest = buffer::digest_on(digest, byte);
                at += 1;
                left -= 1;
            }
        })
    };
    if held != indicated {
        record.miscounted.fetch_add(1, Ordering::AcqRel);
    }
    record.digest.store(digest, Ordering::Release);
    record.taken.store(at, Ordering::Release);
}

unsafe extern "C" fn disconnect<K: Kernel>(context: *mut c_void, flags: u32) -> NTSTATUS {
    let note = |record: &StreamRecord<K>, _: &K| {
        if record.disconnects.load(Ordering::Acquire) == 0 {
            record.disconnect_flags.store(flags, Ordering::Release);
            record.taken_before.store(record.taken.load(Ordering::Acquire), Ordering::Release);
        }
        record.disconnects.fetch_add(1, Ordering::AcqRel);
        record.other_answer().unwrap_or(STATUS_SUCCESS)
    };
    // SAFETY: the context is the socket's record.
    unsafe { run(context, flags, note) }.unwrap_or(STATUS_SUCCESS)
}

unsafe extern "C" fn backlog<K: Kernel>(context: *mut c_void, _ideal: usize) -> NTSTATUS {
    let note = |record: &StreamRecord<K>, _: &K| record.backlogs.fetch_add(1, Ordering::AcqRel);
    // SAFETY: the context is the socket's record.
    let _noted = unsafe { run(context, 0, note) };
    STATUS_SUCCESS
}

/// WskRelease of a connection.
///
/// # Safety
/// `socket` is a live connection socket.
pub(super) unsafe fn release(socket: *mut WSK_SOCKET, list: *mut WSK_DATA_INDICATION) -> NTSTATUS {
    // SAFETY: as the caller promises.
    let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(socket) };
    // SAFETY: a live socket; the list is what a check says.
    table.WskRelease.map_or(STATUS_DATA_NOT_ACCEPTED, |call| unsafe { call(socket, list) })
}
