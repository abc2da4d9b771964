//! What an embedder writes: the code that sees each datagram.

use crate::abi::wsk::WSK_BUF;
use crate::address::{Address, Endpoint};
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::reason::DropReason;
use crate::receive::batch::Round;
use crate::receive::entry::{Entry, Facts};
use crate::receive::payload::Payload;
use crate::receive::retained::Retained;
use skua_record::RecordFlags;

/// Decides what becomes of each datagram.
///
/// One handler serves every socket of an engine, on all processors at once. What it changes belongs in
/// [`Handler::Shard`], of which each processor has its own: no lock, no atomic.
pub trait Handler<K: Kernel>: Send + Sync + 'static {
    /// What one processor keeps between batches.
    ///
    /// A [`Retained`] does not belong here: once its socket stops no batch comes any more, so nobody could reach it to let
    /// go of it, and the close would wait for ever. Hand it to a thread.
    type Shard: Send;

    /// Makes the shard of `processor`. All shards are made when the engine opens, before the first datagram.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    fn shard(&self, processor: u32, passive: &Passive<'_>) -> Self::Shard;

    /// Looks at a batch. A datagram that it neither refuses nor retains is consumed.
    ///
    /// Batches come on several processors at once; on one processor one at a time. The code must not wait, allocate,
    /// panic, or use more than about 1 KiB of stack.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn receive(&self, shard: &mut Self::Shard, batch: &mut Batch<'_, K>);
}

/// Up to 32 datagrams of one socket, in the order of the wire.
pub struct Batch<'a, K: Kernel> {
    entries: core::slice::Iter<'a, Entry>,
    round: Round<'a, K>,
}

impl<'a, K: Kernel> Batch<'a, K> {
    #[inline]
    pub(crate) fn new(entries: &'a [Entry], round: Round<'a, K>) -> Self {
        Self { entries: entries.iter(), round }
    }

    /// The next datagram.
    #[inline]
    pub fn next_datagram(&mut self) -> Option<Datagram<'_, 'a, K>> {
        let entry = self.entries.next()?;
        Some(Datagram { entry, round: &mut self.round })
    }

    /// Datagrams not yet looked at.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all have been looked at.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The processor this runs on.
    #[inline]
    #[must_use]
    pub fn processor(&self) -> u32 {
        self.round.processor
    }

    /// The `id` of the socket's options.
    #[inline]
    #[must_use]
    pub fn socket(&self) -> u16 {
        self.round.socket.id
    }

    /// The port that the socket is bound to.
    #[inline]
    #[must_use]
    pub fn local_port(&self) -> u16 {
        self.round.local_port
    }
}

/// One datagram of a batch.
pub struct Datagram<'b, 'a, K: Kernel> {
    entry: &'b Entry,
    round: &'b mut Round<'a, K>,
}

impl<K: Kernel> Datagram<'_, '_, K> {
    /// Its bytes.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> Payload<'_> {
        self.entry.payload()
    }

    /// Who sent it.
    #[inline]
    #[must_use]
    pub fn remote(&self) -> Endpoint {
        self.entry.remote()
    }

    /// The address it was sent to; that of the bind where the provider did not say.
    #[inline]
    #[must_use]
    pub fn local(&self) -> Endpoint {
        Endpoint { address: self.facts().local, scope: 0, port: self.round.local_port }
    }

    /// The address alone of [`Datagram::local`].
    #[inline]
    #[must_use]
    pub fn local_address(&self) -> Address {
        self.facts().local
    }

    /// The index of the interface it came in by; 0 where the provider did not say.
    #[inline]
    #[must_use]
    pub fn interface(&self) -> u32 {
        self.facts().interface
    }

    /// DSCP and ECN; 0 where the provider did not say.
    #[inline]
    #[must_use]
    pub fn type_of_service(&self) -> u8 {
        self.facts().type_of_service
    }

    /// Time to live on arrival; 0 where the provider did not say.
    #[inline]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.facts().hop_limit
    }

    /// When it came, in ticks of the performance counter: the stack's own stamp where there is one, else the time at
    /// which its list was indicated.
    #[inline]
    #[must_use]
    pub fn time(&self) -> u64 {
        self.round.time(self.facts())
    }

    /// Broadcast, multicast, coalesced.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> RecordFlags {
        self.facts().flags
    }

    #[inline]
    fn facts(&self) -> &Facts {
        self.round.facts(self.entry)
    }

    /// The buffer that the provider lent it in, for who passes MDL chains on within the callback; `None` where it
    /// came from a filter or is part of a coalesced buffer.
    #[inline]
    #[must_use]
    pub fn buffer(&self) -> Option<WSK_BUF> {
        self.round.lent(self.entry)
    }

    /// Drops it, and counts it under `reason`.
    #[inline]
    pub fn refuse(self, reason: DropReason) {
        self.round.refuse(self.entry, reason);
    }

    /// Keeps it beyond the callback.
    ///
    /// Within the retention budget of this processor the lent memory itself is kept; beyond it the bytes are copied into
    /// a slot, if the engine was opened with slots for it. So are those of a datagram that came in a coalesced buffer
    /// ([`RecordFlags::COALESCED`]): the buffer is not held for one of the datagrams in it.
    ///
    /// # Errors
    /// The reason it could not be kept, under which it is counted as dropped:
    /// [`RetainBudget`](DropReason::RetainBudget), [`NoSlot`](DropReason::NoSlot),
    /// [`Oversize`](DropReason::Oversize) or [`Closing`](DropReason::Closing).
    pub fn retain(self) -> Result<Retained<K>, DropReason> {
        self.round.retain(self.entry).inspect_err(|&reason| self.round.refuse(self.entry, reason))
    }
}
