//! A round of a callback: what it gathered, and what may be done with it.

// UNSAFETY: cuts a retained indication out of its list.
#![expect(unsafe_code, reason = "the list is the engine's from the callback's start until it is given back")]

use core::cell::Cell;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use crate::abi::wsk::WSK_BUF;
use crate::engine::BeyondBudget;
use crate::engine::core::EngineCore;
use crate::engine::tally::Tally;
use crate::kernel::Kernel;
use crate::reason::DropReason;
use crate::receive::entry::{BATCH, Entry, Facts, index_of};
use crate::receive::retained::Retained;
use crate::socket::core::SocketCore;

/// What of a shard concerns lent memory. Written by the shard's processor.
#[derive(Default)]
pub(crate) struct Lending {
    /// Lent datagrams kept since open, and their bytes; what came back is in the ledger.
    pub datagrams: u64,
    pub bytes: u64,
}

/// What became of a round's datagrams; bit n is the nth entry.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marks {
    /// Kept in the memory that is lent, and not the engine's to give back.
    pub kept: u32,
    /// Refused by the handler, or by what it asked for.
    pub refused: u32,
    /// How many the handler refused or kept, lent or copied.
    pub gone: u32,
}

/// When a list came: read from the clock when the first asks, and the same for all who do.
pub(crate) struct Arrival<'a, K: Kernel> {
    kernel: &'a K,
    /// 0 until somebody asks.
    ticks: Cell<u64>,
}

impl<'a, K: Kernel> Arrival<'a, K> {
    #[inline]
    pub(crate) fn new(kernel: &'a K) -> Self {
        Self { kernel, ticks: Cell::new(0) }
    }

    /// Ticks of the performance counter.
    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        match self.ticks.get() {
            0 => self.read(),
            ticks => ticks,
        }
    }

    #[cold]
    #[inline(never)]
    fn read(&self) -> u64 {
        let ticks = self.kernel.ke_query_performance_counter().max(1);
        self.ticks.set(ticks);
        ticks
    }
}

/// What a batch needs besides its entries.
pub(crate) struct Round<'a, K: Kernel> {
    pub engine: &'a EngineCore<K>,
    pub socket: &'a SocketCore<K>,
    pub tally: &'a mut Tally,
    pub lending: &'a mut Lending,
    pub arrival: &'a Arrival<'a, K>,
    /// The scratch's entries, of which a batch hands out the first; to find an entry's index by its address.
    pub entries: &'a [Entry; BATCH],
    /// The scratch's facts, and its `spread`.
    pub facts: &'a [Facts; BATCH],
    pub spread: usize,
    pub processor: u32,
    /// The port that the datagrams were sent to.
    pub local_port: u16,
    /// What of the round is no longer the engine's.
    pub marks: &'a mut Marks,
}

impl<K: Kernel> Round<'_, K> {
    /// Which of the round's entries this is.
    #[inline]
    fn index(&self, entry: &Entry) -> usize {
        index_of(self.entries, entry)
    }

    /// What is known of the datagram of `entry`.
    #[inline]
    pub(crate) fn facts(&self, entry: &Entry) -> &Facts {
        &self.facts[(self.index(entry) & self.spread) % BATCH]
    }

    /// When it came, in ticks of the performance counter.
    #[inline]
    pub(crate) fn time(&self, facts: &Facts) -> u64 {
        if facts.time == 0 { self.arrival.ticks() } else { facts.time }
    }

    /// Counts a datagram that goes no further.
    #[inline]
    pub(crate) fn refuse(&mut self, entry: &Entry, reason: DropReason) {
        self.marks.refused |= 1 << self.index(entry);
        self.marks.gone += 1;
        self.tally.refuse(reason);
    }

    /// What the datagram of `entry` lies in, if that is a socket's, and its alone.
    pub(crate) fn lent(&self, entry: &Entry) -> Option<WSK_BUF> {
        let has_own = self.socket.lends && !entry.is_part();
        // SAFETY: the node is lent until the round ends, and a datagram is handed out only while it is the round's.
        has_own.then(|| unsafe { (*entry.node().as_ptr()).Buffer })
    }

    /// Keeps the datagram of `entry`, lent within the budget, else copied. A part of a coalesced buffer is always copied: its
    /// indication is that of its neighbours as well.
    pub(crate) fn retain(&mut self, entry: &Entry) -> Result<Retained<K>, DropReason> {
        if !self.socket.lends || entry.is_part() || !self.within_budget(entry.length()) {
            return self.copy(entry);
        }
        // One inside for each datagram kept: the socket is not closed before the last of them came back.
        if !self.socket.rundown.acquire(self.processor, 1) {
            return Err(DropReason::Closing);
        }
        self.marks.kept |= 1 << self.index(entry);
        self.marks.gone += 1;
        // SAFETY: the round read `Next` when it gathered the node; a node is given back alone.
        unsafe { (*entry.node().as_ptr()).Next = null_mut() };
        self.tally.keep();
        self.lending.datagrams += 1;
        self.lending.bytes += u64::from(entry.length());
        Ok(Retained::lent(self, entry))
    }

    /// Whether one more datagram of `bytes` may stay lent.
    fn within_budget(&self, bytes: u32) -> bool {
        let budget = &self.engine.retention;
        let Some(ledger) = self.engine.ledgers.get(self.processor as usize) else { return false };
        let datagrams = self.lending.datagrams.wrapping_sub(ledger.returned.lent.load(Ordering::Relaxed));
        let held = self.lending.bytes.wrapping_sub(ledger.returned.lent_bytes.load(Ordering::Relaxed));
        datagrams < u64::from(budget.datagrams) && held + u64::from(bytes) <= u64::from(budget.bytes)
    }

    fn copy(&mut self, entry: &Entry) -> Result<Retained<K>, DropReason> {
        let copies = match (self.engine.retention.beyond, self.engine.copies.as_ref()) {
            (BeyondBudget::Copy, Some(copies)) => copies,
            _ => return Err(DropReason::RetainBudget),
        };
        let slot = copies.fill(&entry.payload())?;
        if !self.socket.rundown.acquire(self.processor, 1) {
            // SAFETY: filled just now, and nobody else has it.
            unsafe { copies.give_back(slot) };
            return Err(DropReason::Closing);
        }
        self.marks.gone += 1;
        self.tally.keep();
        Ok(Retained::copied(self, entry, slot))
    }
}
