//! What the events of one socket over TCP share with the check: what they are told to do, and what they saw.

// UNSAFETY: slots are written by callbacks and read by a check, and sockets and nodes are kept by address.
#![expect(unsafe_code, reason = "callbacks and checks share a record by address")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{WSK_DATA_INDICATION, WSK_INSPECT_ID, WSK_SOCKET};

use super::super::Bench;
use super::super::buffer;
use super::super::memory::{Owned, Zeroed};
use super::super::signal::Signal;
use crate::outcome::Outcome;

/// Connections and inspections that a record remembers, and records that a listening socket can be offered.
pub(crate) const ROOM: usize = 4;
/// Lists that a record keeps retained.
pub(super) const LISTS: usize = 64;
/// First bytes of the stream that are remembered.
const BYTES: usize = 256;

/// What the receive event does with what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Keep {
    /// Returns SUCCESS.
    Nothing = 0,
    /// Keeps the list and returns PENDING.
    List = 1,
    /// Releases the list, then returns PENDING.
    ReleaseInside = 2,
}

/// What the accept event does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Admit {
    /// Takes it with a record that was offered as its context; refuses it where none is left.
    Offered = 0,
    /// Takes it with neither context nor table.
    Bare = 1,
    /// Returns REQUEST_NOT_ACCEPTED.
    Refuse = 2,
}

/// A connection that the accept event took.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(super) socket: *mut WSK_SOCKET,
    pub(super) local: SOCKADDR_INET,
    pub(super) remote: SOCKADDR_INET,
    /// The offer that it took, counted from 1; 0 of [`Admit::Bare`].
    pub(super) offer: usize,
}

impl Arrival {
    /// The two addresses that the event was given.
    pub(crate) fn ends(&self) -> [Option<SocketAddr>; 2] {
        [self.local.to_socket_addr(), self.remote.to_socket_addr()]
    }
}

/// What the inspect event was asked about.
#[derive(Clone, Copy)]
pub(crate) struct Inspected {
    pub(crate) id: WSK_INSPECT_ID,
    pub(super) local: SOCKADDR_INET,
    pub(super) remote: SOCKADDR_INET,
}

impl Inspected {
    /// The two addresses that the event was given.
    pub(crate) fn ends(&self) -> [Option<SocketAddr>; 2] {
        [self.local.to_socket_addr(), self.remote.to_socket_addr()]
    }
}

/// What an event was called with, for the first calls.
pub(super) struct Slots<T> {
    given: AtomicUsize,
    places: [Slot<T>; ROOM],
}

struct Slot<T> {
    ready: AtomicU32,
    value: UnsafeCell<T>,
}

impl<T: Copy> Slots<T> {
    /// Remembers one more. Several callbacks may do so at once.
    pub(super) fn push(&self, value: T) {
        let Some(slot) = self.places.get(self.given.fetch_add(1, Ordering::AcqRel)) else { return };
        // SAFETY: the slot was given to this call alone, and nobody reads it before it is ready.
        unsafe { slot.value.get().write(value) };
        slot.ready.store(1, Ordering::Release);
    }

    /// How many there are, those that are not remembered too.
    pub(super) fn count(&self) -> usize {
        self.given.load(Ordering::Acquire)
    }

    pub(super) fn get(&self, index: usize) -> Option<T> {
        let slot = self.places.get(index)?;
        if slot.ready.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: ready, so it is not written any more.
        Some(unsafe { *slot.value.get() })
    }
}

/// What an event does once, before it answers; it runs at the level of the callback.
pub(crate) type Inside<K> = fn(&StreamRecord<K>, context: *mut c_void);

/// What callbacks share with the check, at an address that stays.
pub(crate) struct StreamRecord<K> {
    pub(super) kernel: UnsafeCell<Option<K>>,
    pub(super) signal: Signal,
    pub(super) socket: AtomicPtr<WSK_SOCKET>,
    /// Calls that are inside the receive event, and the most at once.
    pub(super) inside: AtomicUsize,
    pub(super) most_inside: AtomicUsize,
    /// Calls of all events.
    pub(super) entered: AtomicUsize,
    /// Those that have returned, or are about to.
    pub(super) finished: AtomicUsize,
    /// Calls at another level than their flags say.
    pub(super) wrong_levels: AtomicUsize,
    pub(super) hook: AtomicPtr<c_void>,
    pub(super) hook_context: AtomicPtr<c_void>,
    /// A status that a hook leaves for the check.
    pub(crate) note: AtomicU32,

    /// What events answer instead of what they are to, if not 0.
    pub(super) answer: AtomicU32,
    /// Events that had returned when a completion routine looked.
    pub(super) returned_before: AtomicUsize,

    /// Bytes that the receive event still takes; what is above is not accepted.
    pub(super) budget: AtomicUsize,
    pub(super) keep: AtomicU32,
    pub(super) calls: AtomicUsize,
    pub(super) taken: AtomicUsize,
    pub(super) digest: AtomicU64,
    pub(super) first: [AtomicU8; BYTES],
    /// All flags that came.
    pub(super) flags: AtomicU32,
    /// Calls whose list held another number of bytes than they said.
    pub(super) miscounted: AtomicUsize,
    pub(super) retained: [AtomicPtr<WSK_DATA_INDICATION>; LISTS],
    pub(super) kept: AtomicUsize,

    pub(super) disconnects: AtomicUsize,
    pub(super) disconnect_flags: AtomicU32,
    /// Bytes that the receive event had taken when the first disconnect was told.
    pub(super) taken_before: AtomicUsize,
    pub(super) backlogs: AtomicUsize,

    pub(super) admit: AtomicU32,
    pub(super) offers: [AtomicPtr<StreamRecord<K>>; ROOM],
    pub(super) arrivals: Slots<Arrival>,
    pub(super) refused: AtomicUsize,

    pub(super) action: AtomicI32,
    pub(super) inspections: Slots<Inspected>,
    pub(super) aborts: Slots<WSK_INSPECT_ID>,

    /// Calls that said the socket is dead.
    pub(super) deaths: AtomicUsize,
}

// SAFETY: zeroes are a value of every field: `None` of a kernel is written before it is read.
unsafe impl<K> Zeroed for StreamRecord<K> {}

impl<K: Kernel> StreamRecord<K> {
    /// The socket that the events belong to.
    pub(crate) fn socket(&self) -> *mut WSK_SOCKET {
        self.socket.load(Ordering::Acquire)
    }

    /// What an event answers instead of what it is to.
    pub(super) fn other_answer(&self) -> Option<NTSTATUS> {
        let answer = self.answer.load(Ordering::SeqCst);
        (answer != 0).then(|| NTSTATUS::from_bits(answer))
    }

    /// Notes how many events have returned; for a completion routine.
    pub(crate) fn look(&self) {
        self.returned_before.store(self.finished.load(Ordering::Acquire), Ordering::Release);
    }

    /// A record that takes everything.
    pub(super) fn new<'b>(bench: &'b Bench<K>) -> Result<Owned<'b, Self, K>, Outcome> {
        let record = Owned::<Self, K>::new(bench)?;
        // SAFETY: nobody else knows the record yet; zeroes may be no `Option<K>`, so nothing is dropped.
        unsafe { record.kernel.get().write(Some(bench.kernel().clone())) };
        record.signal.prepare(bench.kernel());
        record.budget.store(usize::MAX, Ordering::Relaxed);
        record.digest.store(buffer::digest([]), Ordering::Relaxed);
        Ok(record)
    }
}

/// Gives the bytes of a list to `each`; how many they were.
///
/// # Safety
/// The list is null, lent to the caller or retained.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
pub(super) unsafe fn read_list<K: Kernel>(
    kernel: &K,
    list: *mut WSK_DATA_INDICATION,
    mut each: impl FnMut(u8),
) -> usize {
    let (mut node, mut total) = (list, 0);
    while !node.is_null() {
        // SAFETY: a node of the list.
        let indication = unsafe { &*node };
        // SAFETY: the node describes bytes that are as much the caller's.
        total += unsafe { buffer::read(kernel, &indication.Buffer, &mut each) };
        node = indication.Next;
    }
    total
}
