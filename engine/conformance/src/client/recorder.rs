//! A receive event of a datagram socket: it does what a check says and notes what it saw.

// UNSAFETY: the event reaches its recorder through the socket's context pointer, and reads what is indicated.
#![expect(unsafe_code, reason = "callbacks take raw pointers")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, wsa_cmsg_data, wsa_cmsg_firsthdr, wsa_cmsg_nxthdr};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_DATAGRAM_INDICATION, WSK_EVENT_DISABLE,
    WSK_EVENT_RECEIVE_FROM, WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET,
};

use super::Bench;
use super::buffer;
use super::handle::{self, table_of};
use super::memory::{Owned, Zeroed};
use super::request::Request;
use super::signal::Signal;
use crate::outcome::Outcome;

/// Datagrams that a recorder remembers; it counts more.
pub(crate) const ROOM: usize = 64;
/// First bytes that are remembered of each.
const PAYLOAD: usize = 64;
/// Bytes of control messages that are remembered of each.
const CONTROL: usize = 256;

/// What the event does with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Answer {
    /// Returns SUCCESS.
    Consume = 0,
    /// Keeps the list and returns PENDING.
    Retain = 1,
    /// Releases every node by itself, then returns PENDING.
    ReleaseInside = 2,
    /// Returns DATA_NOT_ACCEPTED, and remembers nothing.
    Refuse = 3,
    /// Returns what no receive event may, and remembers nothing.
    #[cfg(feature = "misuse")]
    Nonsense = 4,
}

/// What the event saw of one indication.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Seen {
    control: [u8; CONTROL],
    control_length: usize,
    payload: [u8; PAYLOAD],
    /// Bytes that could be read.
    pub(crate) length: usize,
    /// The length that the indication gave.
    pub(crate) said: usize,
    /// Of all bytes; see [`buffer::digest`].
    pub(crate) digest: u64,
    pub(crate) source: SOCKADDR_INET,
    pub(crate) flags: u32,
    /// The call that brought it, counted from 0.
    pub(crate) call: usize,
    pub(crate) processor: u32,
    pub(crate) irql: u8,
}

impl Seen {
    /// The first bytes.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload[..self.length.min(PAYLOAD)]
    }

    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.source.to_socket_addr()
    }

    /// Bytes of its control messages.
    pub(crate) fn control_length(&self) -> usize {
        self.control_length
    }

    /// The payload of a control message, if there is one of the kind; at most its first 24 bytes.
    pub(crate) fn control(&self, message: ControlMessage) -> Option<[u8; 24]> {
        // SAFETY: bytes of this value, aligned to 8 by its declaration.
        unsafe { find(self.control.as_ptr().cast(), self.control_length, message) }
    }

    /// As [`Seen::control`], a number.
    pub(crate) fn control_word(&self, message: ControlMessage) -> Option<u32> {
        let [a, b, c, d, ..] = self.control(message)?;
        Some(u32::from_ne_bytes([a, b, c, d]))
    }
}

/// The payload of the first message of a kind; at most its first 24 bytes, zeroes behind.
///
/// # Safety
/// `control` is null or readable for `length` bytes.
pub(crate) unsafe fn find(
    control: *const CMSGHDR,
    length: usize,
    message: ControlMessage,
) -> Option<[u8; 24]> {
    let control = control.cast_mut();
    let mut at = wsa_cmsg_firsthdr(control, length);
    while !at.is_null() {
        // SAFETY: a header within the area.
        let header = unsafe { at.read_unaligned() };
        let end = at.addr().wrapping_sub(control.addr()).saturating_add(header.cmsg_len);
        if header.message() == message && end <= length {
            let mut payload = [0; 24];
            let count = header.cmsg_len.saturating_sub(size_of::<CMSGHDR>()).min(payload.len());
            // SAFETY: the payload lies within the area.
            unsafe { ptr::copy_nonoverlapping(wsa_cmsg_data(at).cast(), payload.as_mut_ptr(), count) };
            return Some(payload);
        }
        // SAFETY: `at` came from these two functions.
        at = unsafe { wsa_cmsg_nxthdr(control, length, at) };
    }
    None
}

/// What the event does once, before it answers; it runs at the level of the callback.
type Inside<K> = fn(&Record<K>, context: *mut c_void);

/// What the callback shares with the check, at an address that stays.
pub(crate) struct Record<K> {
    kernel: UnsafeCell<Option<K>>,
    signal: Signal,
    socket: AtomicPtr<WSK_SOCKET>,
    answer: AtomicU32,
    /// Slots of `seen` that are given out, and that are written.
    given: AtomicUsize,
    written: AtomicUsize,
    calls: AtomicUsize,
    finished: AtomicUsize,
    deaths: AtomicUsize,
    inside: AtomicUsize,
    most_inside: AtomicUsize,
    retained: [AtomicPtr<WSK_DATAGRAM_INDICATION>; ROOM],
    kept: AtomicUsize,
    hook: AtomicPtr<c_void>,
    hook_context: AtomicPtr<c_void>,
    /// What a hook leaves for the check: the status that its call returned.
    note: AtomicU32,
    /// Whether the request of a hook was complete before the callback returned.
    early: AtomicBool,
    seen: [UnsafeCell<Seen>; ROOM],
}

// SAFETY: zeroes are a value of every field: `None` of a kernel is written before it is read.
unsafe impl<K> Zeroed for Record<K> {}

impl<K: Kernel> Record<K> {
    /// The socket that the event belongs to.
    pub(crate) fn socket(&self) -> *mut WSK_SOCKET {
        self.socket.load(Ordering::Acquire)
    }
}

/// The client's side of one datagram socket's receive event.
pub(crate) struct Recorder<'b, K: Kernel> {
    record: Owned<'b, Record<K>, K>,
}

impl<'b, K: Kernel> Recorder<'b, K> {
    /// The client's table.
    pub(crate) const DISPATCH: &'static WSK_CLIENT_DATAGRAM_DISPATCH =
        &WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(receive_from::<K>) };

    pub(crate) fn new(bench: &'b Bench<K>) -> Result<Self, Outcome> {
        let record = Owned::<Record<K>, K>::new(bench)?;
        // SAFETY: nobody else knows the record yet; zeroes may be no `Option<K>`, so nothing is dropped.
        unsafe { record.kernel.get().write(Some(bench.kernel().clone())) };
        record.signal.prepare(bench.kernel());
        Ok(Self { record })
    }

    /// The context of the socket.
    pub(crate) fn context(&self) -> *mut c_void {
        self.record.as_ptr().cast()
    }

    pub(crate) fn attach(&self, socket: *mut WSK_SOCKET) {
        self.record.socket.store(socket, Ordering::Release);
    }

    /// What the event does from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        self.record.answer.store(answer as u32, Ordering::SeqCst);
    }

    /// The next call begins to close its socket with `request`, which outlives the socket.
    pub(crate) fn close_inside(&self, request: &Request<'_, K>) {
        self.inside(
            |record, context| {
                // SAFETY: the request, which outlives the socket.
                let request = unsafe { &*context.cast::<Request<'_, K>>() };
                let returned = request.start(|irp| handle::close(record.socket(), irp));
                record.note.store(returned.to_bits(), Ordering::Release);
                record.early.store(request.is_complete(), Ordering::Release);
            },
            ptr::from_ref(request).cast_mut().cast(),
        );
    }

    /// The next call disables the event, without an IRP.
    pub(crate) fn disable_inside(&self) {
        self.inside(
            |record, _| {
                let (mask, interface) = (WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE, &NPI_WSK_INTERFACE_ID);
                let returned = handle::set_events(record.socket(), interface, mask, ptr::null_mut());
                record.note.store(returned.to_bits(), Ordering::Release);
            },
            ptr::null_mut(),
        );
    }

    /// The next call disables the event with `request`, which outlives the socket.
    pub(crate) fn disable_inside_with(&self, request: &Request<'_, K>) {
        self.inside(
            |record, context| {
                // SAFETY: the request, which outlives the socket.
                let request = unsafe { &*context.cast::<Request<'_, K>>() };
                let (mask, interface) = (WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE, &NPI_WSK_INTERFACE_ID);
                let returned = request.start(|irp| handle::set_events(record.socket(), interface, mask, irp));
                record.note.store(returned.to_bits(), Ordering::Release);
                record.early.store(request.is_complete(), Ordering::Release);
            },
            ptr::from_ref(request).cast_mut().cast(),
        );
    }

    /// Whether the request of a hook was complete before the callback returned.
    pub(crate) fn ended_early(&self) -> bool {
        self.record.early.load(Ordering::Acquire)
    }

    /// The next call does this before it answers.
    fn inside(&self, hook: Inside<K>, context: *mut c_void) {
        self.record.hook_context.store(context, Ordering::Relaxed);
        self.record.hook.store(hook as *mut c_void, Ordering::Release);
    }

    /// The status that a hook left.
    pub(crate) fn note(&self) -> NTSTATUS {
        NTSTATUS::from_bits(self.record.note.load(Ordering::Acquire))
    }

    /// Datagrams that were indicated and not refused.
    pub(crate) fn count(&self) -> usize {
        self.record.written.load(Ordering::Acquire)
    }

    /// Calls of the event that have returned, or are about to.
    pub(crate) fn calls(&self) -> usize {
        self.record.finished.load(Ordering::Acquire)
    }

    /// Calls with no list.
    pub(crate) fn deaths(&self) -> usize {
        self.record.deaths.load(Ordering::Acquire)
    }

    /// Waits until so many datagrams were indicated.
    pub(crate) fn wait_for(&self, count: usize) -> Result<(), Outcome> {
        self.wait("datagrams for the receive event", || self.count() >= count)
    }

    /// Waits until the event was called so often.
    pub(crate) fn wait_for_calls(&self, count: usize) -> Result<(), Outcome> {
        self.wait("calls of the receive event", || self.calls() >= count)
    }

    /// What has not come is no hang: nothing is out, and the check fails by what it compares.
    fn wait(&self, step: &'static str, condition: impl Fn() -> bool) -> Result<(), Outcome> {
        if self.record.signal.comes(self.record.bench(), condition) {
            return Ok(());
        }
        Err(Outcome::Broken {
            step,
            pair: crate::outcome::Pair { expected: "in time".into(), seen: self.count().into() },
        })
    }

    /// Whether no more datagrams than `count` come within a moment.
    pub(crate) fn stays_at(&self, count: usize) -> bool {
        self.record.signal.stays_away(self.record.bench(), || self.count() > count)
    }

    /// Whether the event is not called more often than `calls` times within a moment.
    pub(crate) fn is_quiet(&self, calls: usize) -> bool {
        self.record.signal.stays_away(self.record.bench(), || self.calls() > calls)
    }

    /// The `index`th datagram; waits until it is there.
    pub(crate) fn seen(&self, index: usize) -> Result<&Seen, Outcome> {
        self.wait_for(index + 1)?;
        let seen = self.record.seen.get(index).ok_or(Outcome::NotApplicable { why: "too many datagrams" })?;
        // SAFETY: as many are written as are given out once the event has returned, and none is written twice.
        Ok(unsafe { &*seen.get() })
    }

    /// The `index`th retained indication that was not taken yet, which the check releases then.
    pub(crate) fn take_retained(&self, index: usize) -> *mut WSK_DATAGRAM_INDICATION {
        let slot = self.record.retained.get(index);
        slot.map_or(ptr::null_mut(), |slot| slot.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// The digest of the bytes of an indication that is retained.
    pub(crate) fn read(&self, node: *mut WSK_DATAGRAM_INDICATION) -> u64 {
        let mut digest = buffer::digest([]);
        if !node.is_null() {
            let kernel = self.record.bench().kernel();
            // SAFETY: retained, so it is the client's.
            let described = unsafe { &(*node).Buffer };
            // SAFETY: as above, and so is what it describes.
            unsafe { buffer::read(kernel, described, |byte| digest = buffer::digest_on(digest, byte)) };
        }
        digest
    }

    /// What is retained is not released one by one any more.
    pub(crate) fn forget_retained(&self) {
        self.take_all_retained().for_each(drop);
    }

    /// Most callbacks that ran at once.
    pub(crate) fn most_inside(&self) -> usize {
        self.record.most_inside.load(Ordering::Relaxed)
    }

    /// Takes all that are retained.
    pub(crate) fn take_all_retained(&self) -> impl Iterator<Item = *mut WSK_DATAGRAM_INDICATION> {
        (0..ROOM).map(|index| self.take_retained(index)).filter(|node| !node.is_null())
    }
}

unsafe extern "C" fn receive_from<K: Kernel>(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the context is the socket's record, which outlives it.
    let record = unsafe { &*context.cast::<Record<K>>() };
    // SAFETY: written before the socket was made, and not changed since.
    let Some(kernel) = (unsafe { &*record.kernel.get() }).clone() else { return STATUS_SUCCESS };
    let call = record.calls.fetch_add(1, Ordering::Relaxed);
    let now = record.inside.fetch_add(1, Ordering::AcqRel) + 1;
    record.most_inside.fetch_max(now, Ordering::Relaxed);
    let hook = record.hook.swap(ptr::null_mut(), Ordering::AcqRel);
    if !hook.is_null() {
        // SAFETY: `Recorder::inside` stored a function of this type.
        let hook = unsafe { core::mem::transmute::<*mut c_void, Inside<K>>(hook) };
        hook(record, record.hook_context.load(Ordering::Relaxed));
    }
    let answer = record.answer.load(Ordering::SeqCst);
    let status = if list.is_null() {
        record.deaths.fetch_add(1, Ordering::Release);
        STATUS_SUCCESS
    } else if answer == Answer::Refuse as u32 {
        STATUS_DATA_NOT_ACCEPTED
    } else if answer > Answer::Refuse as u32 {
        STATUS_UNSUCCESSFUL
    } else {
        // SAFETY: lent to this callback.
        unsafe { note(record, &kernel, flags, list, call, answer) };
        if answer == Answer::Consume as u32 { STATUS_SUCCESS } else { STATUS_PENDING }
    };
    record.inside.fetch_sub(1, Ordering::AcqRel);
    record.signal.change(&kernel, || {
        record.finished.fetch_add(1, Ordering::Release);
    });
    status
}

/// # Safety
/// `list` is lent to the caller.
unsafe fn note<K: Kernel>(
    record: &Record<K>,
    kernel: &K,
    flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
    call: usize,
    answer: u32,
) {
    let mut node = list;
    while !node.is_null() {
        // SAFETY: lent to the caller.
        let indication = unsafe { *node };
        let slot = record.given.fetch_add(1, Ordering::AcqRel);
        if let Some(seen) = record.seen.get(slot) {
            // SAFETY: the slot was given to this call alone, and nobody reads it before it counts as written.
            let seen = unsafe { &mut *seen.get() };
            seen.flags = flags;
            seen.call = call;
            seen.irql = kernel.ke_get_current_irql();
            seen.processor = kernel.ke_get_current_processor_index();
            // SAFETY: lent to the caller.
            unsafe { copy(seen, kernel, &indication) };
        }
        if answer == Answer::Retain as u32
            && let Some(slot) = record.retained.get(record.kept.fetch_add(1, Ordering::AcqRel))
        {
            slot.store(node, Ordering::Release);
        }
        if answer == Answer::ReleaseInside as u32 {
            // SAFETY: lent; unlinked before it is released alone.
            unsafe { (*node).Next = ptr::null_mut() };
            // SAFETY: a datagram socket, whose table is of this type, alive while its event runs.
            let table = unsafe { table_of::<WSK_PROVIDER_DATAGRAM_DISPATCH>(record.socket()) };
            if let Some(release) = table.WskRelease {
                // SAFETY: released once.
                let _status = unsafe { release(record.socket(), node) };
            }
        }
        node = indication.Next;
        record.written.fetch_add(1, Ordering::Release);
    }
}

/// # Safety
/// `indication` is lent to the caller.
unsafe fn copy<K: Kernel>(seen: &mut Seen, kernel: &K, indication: &WSK_DATAGRAM_INDICATION) {
    let (mut count, mut digest) = (0, buffer::digest([]));
    let payload = &mut seen.payload;
    // SAFETY: as the caller promises.
    let read = unsafe {
        buffer::read(kernel, &indication.Buffer, |byte| {
            if let Some(place) = payload.get_mut(count) {
                *place = byte;
            }
            count += 1;
            digest = buffer::digest_on(digest, byte);
        })
    };
    seen.length = read;
    seen.said = indication.Buffer.Length;
    seen.digest = digest;
    // SAFETY: an address of the family it names.
    seen.source = unsafe { SOCKADDR_INET::read(indication.RemoteAddress) }.unwrap_or(SOCKADDR_INET::UNSPEC);
    seen.control_length = 0;
    if !indication.ControlInfo.is_null() {
        seen.control_length = (indication.ControlInfoLength as usize).min(CONTROL);
        let (from, to) = (indication.ControlInfo.cast::<u8>(), seen.control.as_mut_ptr());
        // SAFETY: the control area of this indication.
        unsafe { ptr::copy_nonoverlapping(from, to, seen.control_length) };
    }
}
