//! A datagram kept beyond its callback.

// UNSAFETY: holds addresses of an engine and a socket that its place in their rundown keeps alive.
#![expect(unsafe_code, reason = "one inside the socket's rundown per retained datagram keeps both alive")]

use core::ptr::NonNull;

use skua_record::RecordFlags;

use crate::abi::wsk::{WSK_BUF, WSK_DATAGRAM_INDICATION};
use crate::address::Endpoint;
use crate::buffers::Buffer;
use crate::engine::core::EngineCore;
use crate::kernel::Kernel;
use crate::receive::batch::Round;
use crate::receive::entry::Entry;
use crate::receive::payload::Payload;
use crate::socket::core::SocketCore;

/// A datagram that a handler keeps. Dropping it gives it back: WskRelease for lent memory, the slot for a copy.
///
/// Lent memory is memory of the network card or of the stack: a handful held too long and datagrams are lost below. Its
/// budget is counted per processor, in datagrams and bytes.
///
/// # Invariants
/// One place inside the rundown of `socket` belongs to it, so that socket and engine outlive it.
pub struct Retained<K: Kernel> {
    engine: NonNull<EngineCore<K>>,
    socket: NonNull<SocketCore<K>>,
    facts: Facts,
    /// The shard that counts it.
    processor: u32,
    held: Held,
}

/// What was known of it in its batch.
#[derive(Clone, Copy)]
struct Facts {
    remote: Endpoint,
    local: Endpoint,
    interface: u32,
    time: u64,
    type_of_service: u8,
    flags: RecordFlags,
}

enum Held {
    Lent { node: NonNull<WSK_DATAGRAM_INDICATION>, payload: Payload<'static> },
    Copied(NonNull<Buffer>),
}

// SAFETY: WskRelease may be called on any thread for any datagram lent; a slot goes back from any thread as well.
unsafe impl<K: Kernel> Send for Retained<K> {}

impl<K: Kernel> Retained<K> {
    pub(super) fn lent(round: &Round<'_, K>, entry: &Entry) -> Self {
        Self::new(round, entry, Held::Lent { node: entry.node(), payload: entry.payload() })
    }

    pub(super) fn copied(round: &Round<'_, K>, entry: &Entry, slot: NonNull<Buffer>) -> Self {
        Self::new(round, entry, Held::Copied(slot))
    }

    fn new(round: &Round<'_, K>, entry: &Entry, held: Held) -> Self {
        let known = round.facts(entry);
        let facts = Facts {
            remote: entry.remote(),
            local: Endpoint { address: known.local, scope: 0, port: round.local_port },
            interface: known.interface,
            time: round.time(known),
            type_of_service: known.type_of_service,
            flags: known.flags,
        };
        let (engine, socket) = (NonNull::from(round.engine), NonNull::from(round.socket));
        Self { engine, socket, facts, processor: round.processor, held }
    }

    /// Its bytes.
    #[must_use]
    pub fn payload(&self) -> Payload<'_> {
        match &self.held {
            Held::Lent { payload, .. } => *payload,
            // SAFETY: the slot is this value's until it is dropped.
            Held::Copied(slot) => unsafe { slot.as_ref() }.payload(),
        }
    }

    /// The lent buffer; `None` for a copy.
    #[must_use]
    pub fn buffer(&self) -> Option<WSK_BUF> {
        match &self.held {
            // SAFETY: the node is lent until this value gives it back.
            Held::Lent { node, .. } => Some(unsafe { node.as_ref() }.Buffer),
            Held::Copied(_) => None,
        }
    }

    /// Who sent it.
    #[must_use]
    pub fn remote(&self) -> Endpoint {
        self.facts.remote
    }

    /// The address it was sent to; that of the bind where the provider did not say.
    #[must_use]
    pub fn local(&self) -> Endpoint {
        self.facts.local
    }

    /// The index of the interface it came in by; 0 where the provider did not say.
    #[must_use]
    pub fn interface(&self) -> u32 {
        self.facts.interface
    }

    /// DSCP and ECN; 0 where the provider did not say.
    #[must_use]
    pub fn type_of_service(&self) -> u8 {
        self.facts.type_of_service
    }

    /// Broadcast, multicast, coalesced.
    #[must_use]
    pub fn flags(&self) -> RecordFlags {
        self.facts.flags
    }

    /// When it came, in ticks of the performance counter.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.facts.time
    }

    /// Whether the provider's own memory is held, rather than a copy.
    #[must_use]
    pub fn is_lent(&self) -> bool {
        matches!(self.held, Held::Lent { .. })
    }
}

impl<K: Kernel> Drop for Retained<K> {
    fn drop(&mut self) {
        // SAFETY: the place inside the rundown keeps the engine alive.
        let engine = unsafe { self.engine.as_ref() };
        // SAFETY: and the socket.
        let socket = unsafe { self.socket.as_ref() };
        let lent_bytes = match &self.held {
            Held::Lent { node, payload } => {
                // SAFETY: the node was kept, is given back once, and stands alone.
                unsafe { socket.release(*node) };
                u32::try_from(payload.len()).ok()
            }
            Held::Copied(slot) => {
                if let Some(copies) = engine.copies.as_ref() {
                    // SAFETY: `fill` gave the slot out and this is its one return.
                    unsafe { copies.give_back(*slot) };
                }
                None
            }
        };
        if let Some(ledger) = engine.ledgers.get(self.processor as usize) {
            ledger.give_back(lent_bytes);
        }
        socket.leave(self.processor);
    }
}
