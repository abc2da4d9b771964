//! A round of a callback: what it gathered, and what may be done with it.

// UNSAFETY: cuts a retained indication out of its list.
#![expect(unsafe_code, reason = "the list is the engine's from the callback's start until it is given back")]

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use skua_record::RecordFlags;

use crate::abi::wsk::WSK_DATAGRAM_INDICATION;
use crate::address::{Address, Endpoint};
use crate::engine::BeyondBudget;
use crate::engine::core::EngineCore;
use crate::engine::tally::Tally;
use crate::kernel::Kernel;
use crate::reason::DropReason;
use crate::receive::payload::Payload;
use crate::receive::retained::Retained;
use crate::socket::core::SocketCore;

/// Datagrams handled together. The mask of those kept is one word of this many bits.
pub(crate) const BATCH: usize = 32;

/// One datagram between the list it came in and the handler.
///
/// # Invariants
/// `node` is the `position`th indication of the round, and `payload` lies in what it lends.
pub(crate) struct Entry {
    pub node: NonNull<WSK_DATAGRAM_INDICATION>,
    pub payload: Payload<'static>,
    pub remote: Endpoint,
    pub local: Address,
    pub interface: u32,
    pub time: u64,
    pub position: u8,
    pub type_of_service: u8,
    pub hop_limit: u8,
    pub flags: RecordFlags,
}

// SAFETY: an entry is addresses of lent memory; it is used by the one thread that holds its shard.
unsafe impl Send for Entry {}

/// What of a shard concerns lent memory. Written by the shard's processor.
#[derive(Default)]
pub(crate) struct Lending {
    /// Lent datagrams kept since open, and their bytes; what came back is in the ledger.
    pub datagrams: u64,
    pub bytes: u64,
}

/// What became of a round's datagrams; bit n is the nth.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marks {
    /// Kept in the memory that is lent, and not the engine's to give back.
    pub kept: u32,
    /// Refused by the handler, or by what it asked for.
    pub refused: u32,
}

/// What a batch needs besides its entries.
pub(crate) struct Round<'a, K: Kernel> {
    pub engine: &'a EngineCore<K>,
    pub socket: &'a SocketCore<K>,
    pub tally: &'a mut Tally,
    pub lending: &'a mut Lending,
    pub processor: u32,
    /// The port that the datagrams were sent to.
    pub local_port: u16,
    /// What of the round is no longer the engine's.
    pub marks: &'a mut Marks,
}

impl<K: Kernel> Round<'_, K> {
    /// Counts a datagram that goes no further.
    #[inline]
    pub(crate) fn refuse(&mut self, entry: &Entry, reason: DropReason) {
        self.marks.refused |= 1 << entry.position;
        self.tally.refuse(reason);
    }

    /// Keeps the datagram of `entry`, lent within the budget, else copied.
    pub(crate) fn retain(&mut self, entry: &Entry) -> Result<Retained<K>, DropReason> {
        if !self.socket.lends || !self.within_budget(entry.payload.len()) {
            return self.copy(entry);
        }
        // One inside for each datagram kept: the socket is not closed before the last of them came back.
        if !self.socket.rundown.acquire(self.processor, 1) {
            return Err(DropReason::Closing);
        }
        self.marks.kept |= 1 << entry.position;
        // SAFETY: the round read `Next` when it gathered the node; a node is given back alone.
        unsafe { (*entry.node.as_ptr()).Next = null_mut() };
        self.tally.kept += 1;
        self.lending.datagrams += 1;
        self.lending.bytes += entry.payload.len() as u64;
        Ok(Retained::lent(self, entry))
    }

    /// Whether one more datagram of `bytes` may stay lent.
    fn within_budget(&self, bytes: usize) -> bool {
        let budget = &self.engine.retention;
        let Some(ledger) = self.engine.ledgers.get(self.processor as usize) else { return false };
        let datagrams = self.lending.datagrams.wrapping_sub(ledger.returned.lent.load(Ordering::Relaxed));
        let held = self.lending.bytes.wrapping_sub(ledger.returned.lent_bytes.load(Ordering::Relaxed));
        datagrams < u64::from(budget.datagrams) && held + bytes as u64 <= u64::from(budget.bytes)
    }

    fn copy(&mut self, entry: &Entry) -> Result<Retained<K>, DropReason> {
        let copies = match (self.engine.retention.beyond, self.engine.copies.as_ref()) {
            (BeyondBudget::Copy, Some(copies)) => copies,
            _ => return Err(DropReason::RetainBudget),
        };
        let slot = copies.fill(&entry.payload)?;
        if !self.socket.rundown.acquire(self.processor, 1) {
            // SAFETY: filled just now, and nobody else has it.
            unsafe { copies.give_back(slot) };
            return Err(DropReason::Closing);
        }
        self.tally.kept += 1;
        Ok(Retained::copied(self, entry, slot))
    }
}
