//! A datagram socket: its state, and what its threads and functions ask of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use skua_engine::abi::cmsg::MSG_BCAST;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE,
};
use skua_engine::abi::wsk::WSK_FLAG_AT_DISPATCH_LEVEL;

use super::address_change::{AddressChanges, Watches};
use super::close::{Closable, Hold, Rundown};
use super::controls::Controls;
use super::events::ReceiveEvent;
use super::handle::{Footprint, PublicSocket};
use super::pending::PendingQueue;
use super::table;
use crate::HostKernel;
use crate::addresses::{Holder, Space};
use crate::inject::Injections;
use crate::kernel::lock::hold;
use crate::kernel::process::SecurityContext;
use crate::kernel::registration::Client;
use crate::os::{Family, StackSocket};
use crate::receive::{Arena, Bell, BlockRef, ReceiveRequest, unmapped};
use crate::send::SendRequest;

/// A datagram socket. WSK_SOCKET is its first field, so the client's pointer is its address.
///
/// # Invariants
/// The client's pointer counts as one `Arc`, given back when nobody holds the rundown any more and nothing is lent.
#[repr(C)]
pub(crate) struct DatagramSocket {
    public: PublicSocket,
    pub(crate) kernel: HostKernel,
    pub(crate) controls: Controls<dyn StackSocket>,
    pub(crate) event: ReceiveEvent,
    pub(crate) receives: PendingQueue<ReceiveRequest>,
    pub(crate) sends: PendingQueue<SendRequest>,
    pub(crate) rundown: Rundown,
    pub(crate) injections: Injections,
    changes: AddressChanges,
    client: Arc<Client>,
    family: Family,
    /// On whose behalf it binds.
    context: SecurityContext,
    /// Whether it is a raw socket, and has no port.
    is_raw: bool,
    /// Receive threads.
    workers: u32,
    phase: AtomicU32,
    /// Set by bind; the port is the real one.
    local: OnceLock<SocketAddr>,
    /// Set by bind.
    arena: OnceLock<Arena>,
    /// By worker; the last one is the transmitter's.
    bells: Box<[Bell]>,
    remote: Mutex<Remote>,
    /// Whether `remote` filters what is received: the mark for those who do not want to lock.
    filters: AtomicBool,
    /// Workers that have seen the end of their queue.
    drained: Mutex<u32>,
    drained_changed: Condvar,
    /// Datagrams that were received and thrown away because the socket closed.
    discarded: AtomicU64,
    /// Datagrams that came from elsewhere than the fixed remote address, or were broadcasts that are not wanted.
    filtered: AtomicU64,
    _memory: Footprint,
}

/// Phases, as bits that are only ever set.
const BOUND: u32 = 1;
const ENDING: u32 = 1 << 1;
const DEAD: u32 = 1 << 2;
const CLOSING: u32 = 1 << 3;

/// Where datagrams go that are sent without an address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remote {
    pub(crate) address: Option<SocketAddr>,
}

/// What a new socket is made of.
pub(crate) struct DatagramParts {
    pub(crate) client: Arc<Client>,
    pub(crate) family: Family,
    pub(crate) context: SecurityContext,
    pub(crate) is_raw: bool,
    pub(crate) controls: Controls<dyn StackSocket>,
    pub(crate) event: ReceiveEvent,
}

impl DatagramSocket {
    /// A socket that is open and not bound.
    pub(crate) fn new(parts: DatagramParts) -> Arc<Self> {
        let DatagramParts { client, family, context, is_raw, controls, event } = parts;
        let kernel = client.kernel.clone();
        let provider = kernel.provider();
        let pending_sends = provider.pending_sends as usize;
        let pending_receives = provider.pending_receives as usize;
        // A host gives every raw socket a copy of each datagram.
        let workers = if is_raw { 1 } else { provider.workers };
        let socket = Arc::new(Self {
            public: PublicSocket::of(&table::DATAGRAM),
            controls,
            event,
            receives: PendingQueue::new(pending_receives, 0, Some(table::cancel_receive)),
            sends: PendingQueue::new(pending_sends, pending_sends, Some(table::cancel_send)),
            rundown: Rundown::default(),
            injections: Injections::default(),
            changes: AddressChanges::of::<Self>(),
            family,
            context,
            is_raw,
            workers,
            phase: AtomicU32::new(0),
            local: OnceLock::new(),
            arena: OnceLock::new(),
            bells: (0..=workers).map(|_| Bell::default()).collect(),
            remote: Mutex::default(),
            filters: AtomicBool::new(false),
            drained: Mutex::new(0),
            drained_changed: Condvar::new(),
            discarded: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            _memory: Footprint::new(&kernel),
            client,
            kernel,
        });
        socket.client.socket_opened();
        socket.kernel.ledger().sockets.add(1);
        socket.kernel.sockets().add(Arc::clone(&socket));
        socket
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// How many receive threads it has.
    pub(crate) fn workers(&self) -> u32 {
        self.workers
    }

    /// A raw socket has no port, and its address is shared.
    pub(crate) fn is_raw(&self) -> bool {
        self.is_raw
    }

    pub(super) fn context(&self) -> &SecurityContext {
        &self.context
    }

    pub(crate) fn wire(&self) -> &dyn StackSocket {
        self.controls.wire()
    }

    pub(crate) fn local(&self) -> Option<&SocketAddr> {
        self.local.get()
    }

    pub(crate) fn arena(&self) -> Option<&Arena> {
        self.arena.get()
    }

    pub(crate) fn bell(&self, worker: u32) -> &Bell {
        &self.bells[worker as usize % self.bells.len()]
    }

    /// The transmitter's.
    pub(crate) fn transmit_bell(&self) -> &Bell {
        &self.bells[self.bells.len() - 1]
    }

    /// Wakes every thread of the socket.
    pub(crate) fn ring_all(&self) {
        self.bells.iter().for_each(Bell::ring);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.has(CLOSING)
    }

    /// Whether what is queued is to be got out of the way.
    pub(crate) fn is_ending(&self) -> bool {
        self.has(ENDING | CLOSING)
    }

    /// Whether a worker should receive.
    pub(crate) fn wants_datagrams(&self) -> bool {
        !self.has(DEAD) && (self.wants_delivery() || self.has(ENDING))
    }

    /// Whether a datagram would find a taker.
    pub(crate) fn wants_delivery(&self) -> bool {
        self.event.is_enabled() || !self.receives.is_empty()
    }

    /// How many datagrams to receive at most, with `ready` blocks: no more than requests when there is no event.
    pub(crate) fn wanted_of(&self, ready: usize) -> usize {
        if self.event.is_enabled() || self.has(ENDING) {
            ready
        } else {
            ready.min(self.receives.len()).max(1)
        }
    }

    /// What a function answers that needs a bound socket, when this is none.
    pub(crate) fn require_bound(&self) -> Result<&SocketAddr, NTSTATUS> {
        self.require_alive()?;
        self.local.get().ok_or(STATUS_INVALID_DEVICE_STATE)
    }

    /// What every function but close and release answers on a dead socket.
    pub(crate) fn require_alive(&self) -> Result<(), NTSTATUS> {
        if self.has(DEAD) { Err(STATUS_FILE_FORCED_CLOSED) } else { Ok(()) }
    }

    /// The first to bind goes on; STATUS_INVALID_DEVICE_STATE for others.
    pub(super) fn claim_bind(&self) -> Result<(), NTSTATUS> {
        if self.phase.fetch_or(BOUND, Ordering::SeqCst) & BOUND == 0 {
            Ok(())
        } else {
            Err(STATUS_INVALID_DEVICE_STATE)
        }
    }

    /// Binding failed; another address may be tried.
    pub(super) fn unclaim_bind(&self) {
        self.phase.fetch_and(!BOUND, Ordering::SeqCst);
    }

    /// Called once, by the one who claimed.
    pub(super) fn set_bound(&self, local: SocketAddr, arena: Arena) {
        let _ = self.arena.set(arena);
        let _ = self.local.set(local);
        self.controls.set_bound();
    }

    /// Gives a waiting WskReceiveFrom the datagram in `block`; false when none waits.
    pub(crate) fn serve_receive(&self, block: BlockRef) -> bool {
        let Some(waiting) = self.receives.take() else { return false };
        let (status, bytes) = waiting.item.take(&self.kernel, block, block.delivery());
        waiting.complete(&self.kernel, status, bytes);
        true
    }

    /// The fixed destination, and whether datagrams from elsewhere are to be ignored.
    pub(crate) fn set_remote(&self, address: Option<SocketAddr>, filters: bool) {
        let mut remote = hold(&self.remote);
        remote.address = address;
        self.filters.store(filters && address.is_some(), Ordering::SeqCst);
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        hold(&self.remote).address
    }

    /// Whether the datagram in `block` comes from elsewhere than the remote address that filters, or is a broadcast that
    /// is not wanted.
    pub(crate) fn is_filtered(&self, block: BlockRef) -> bool {
        if block.delivery() & MSG_BCAST != 0 && self.controls.options().refuses_broadcast() {
            return true;
        }
        if !self.filters.load(Ordering::Relaxed) {
            return false;
        }
        let from = block.source();
        let same = |remote: SocketAddr| {
            from.is_some_and(|from| {
                (self.is_raw || from.port() == remote.port()) && unmapped(from.ip()) == unmapped(remote.ip())
            })
        };
        self.remote().is_some_and(|remote| !same(remote))
    }

    /// A datagram was filtered, and nobody will get it.
    pub(crate) fn note_filtered(&self) {
        self.filtered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    pub(crate) fn note_discarded(&self, count: u64) {
        self.discarded.fetch_add(count, Ordering::Relaxed);
    }

    /// Datagrams that never were indicated, as far as the stack can tell.
    pub(crate) fn lost(&self) -> Option<u64> {
        Some(self.wire().lost()? + self.discarded.load(Ordering::Relaxed))
    }

    /// A worker has indicated everything that was queued, and will receive no more.
    pub(crate) fn note_drained(&self) {
        *hold(&self.drained) += 1;
        self.drained_changed.notify_all();
    }

    pub(crate) fn end_intake(&self) {
        self.phase.fetch_or(ENDING, Ordering::SeqCst);
        self.wire().end();
        self.ring_all();
    }

    /// Waits until every worker has drained its queue, or the socket is dead, which indicates nothing more. False when
    /// that did not come before `deadline`; `None` is never.
    pub(crate) fn wait_drained(&self, deadline: Option<Instant>) -> bool {
        let mut drained = hold(&self.drained);
        while *drained < self.workers && !self.has(DEAD) {
            let Some(deadline) = deadline else {
                drained = self.drained_changed.wait(drained).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            drained =
                self.drained_changed.wait_timeout(drained, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The socket is of no use any more: says so to the client and to everybody who waits.
    pub(crate) fn die(self: &Arc<Self>, lane: u32) {
        let Some(_hold) = Hold::new(self) else { return };
        if self.phase.fetch_or(DEAD, Ordering::SeqCst) & (DEAD | CLOSING) != 0 {
            return;
        }
        // Under the lock, so that nobody is between looking at the phase and waiting.
        let drained = hold(&self.drained);
        self.drained_changed.notify_all();
        drop(drained);
        let below = self.kernel.provider().indicate_below_dispatch;
        let raised = (!below).then(|| self.kernel.raise());
        let flags = if below { 0 } else { WSK_FLAG_AT_DISPATCH_LEVEL };
        self.event.indicate(&self.kernel, lane, flags, std::ptr::null_mut());
        drop(raised);
        self.event.close(&self.kernel);
        self.receives.close(&self.kernel, STATUS_FILE_FORCED_CLOSED);
        self.sends.close(&self.kernel, STATUS_FILE_FORCED_CLOSED);
        self.changes.close(&self.kernel, STATUS_FILE_FORCED_CLOSED);
    }

    fn has(&self, phase: u32) -> bool {
        self.phase.load(Ordering::SeqCst) & phase != 0
    }
}

impl Holder for DatagramSocket {
    fn share_address(&self) {
        self.wire().share_address();
    }
}

impl Closable for DatagramSocket {
    fn kernel(&self) -> &HostKernel {
        &self.kernel
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn rundown(&self) -> &Rundown {
        &self.rundown
    }

    fn begin_closing(&self) {
        self.phase.fetch_or(CLOSING, Ordering::SeqCst);
        self.event.close(&self.kernel);
        self.receives.close(&self.kernel, STATUS_CANCELLED);
        self.sends.close(&self.kernel, STATUS_CANCELLED);
        self.changes.close(&self.kernel, STATUS_CANCELLED);
        self.wire().stop();
        self.ring_all();
    }

    fn finish(&self) {
        self.wire().close();
        if let Some(local) = self.local.get().filter(|_| !self.is_raw) {
            self.kernel.addresses().release(Space::Udp, local, std::ptr::from_ref(self).cast());
        }
        self.kernel.sockets().remove(self);
        self.kernel.ledger().sockets.remove(1);
    }

    fn has_lent(&self) -> bool {
        self.arena().map_or(0, Arena::lent) + self.injections.lent() > 0
    }
}

impl Watches for DatagramSocket {
    fn changes(&self) -> &AddressChanges {
        &self.changes
    }
}
