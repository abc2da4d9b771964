//! Datagrams that a filter brings.

// UNSAFETY: walks lists that the filter lends.
#![expect(unsafe_code, reason = "lists are met by address")]

use core::mem::ManuallyDrop;
use core::net::{Ipv4Addr, SocketAddr};
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use core::time::Duration;

use bytemuck::Zeroable;
use skua_pools::{Rundown, Tag};
use skua_record::RecordFlags;

use super::walk::{Walk, datagram};
use crate::abi::ndis::{NET_BUFFER, NET_BUFFER_LIST};
use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_SUCCESS,
};
use crate::abi::wsk::WSK_DATAGRAM_INDICATION;
use crate::address::Endpoint;
use crate::anchor::Anchor;
use crate::deadline::Deadline;
use crate::engine::shard::Shard;
use crate::engine::{Engine, EngineBlock};
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::{Dispatch, Passive};
use crate::reason::DropReason;
use crate::receive::batch::Arrival;
use crate::receive::entry::{BATCH, Entry, Facts};
use crate::receive::payload::Payload;
use crate::receive::round;
use crate::socket::core::SocketCore;
use crate::socket::options::SocketOptions;

const TAG: Tag = Tag::new(b"SkNb");

/// A source of datagrams that is a filter, not a socket.
///
/// What a handler keeps of it is always copied: the lists go back when [`NblSource::receive`] returns.
pub struct NblSource<K: Kernel, H: Handler<K>> {
    block: ManuallyDrop<Anchor<SourceBlock<K, H>, K>>,
}

/// # Invariants
/// Freed only when nobody is inside the rundown of `core`.
struct SourceBlock<K: Kernel, H: Handler<K>> {
    core: SocketCore<K>,
    engine: Anchor<EngineBlock<K, H>, K>,
}

/// What all datagrams of a chain have in common: a filter knows it, and the bytes in the lists begin behind it or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct NblFacts {
    /// Bytes from where the used data of each buffer begins to the payload: 8 where the data begins with the UDP header.
    pub header_bytes: u32,
    /// Who sent them.
    pub remote: Endpoint,
    /// Where they were sent to.
    pub local: Endpoint,
    /// The index of the interface they came in by.
    pub interface: u32,
    /// DSCP and ECN.
    pub type_of_service: u8,
    /// Time to live on arrival.
    pub hop_limit: u8,
    /// Broadcast, multicast.
    pub flags: RecordFlags,
}

/// Why [`Engine::open_nbl_source`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenNblSourceError {
    /// The token is another kernel's.
    #[error("the Passive token belongs to another kernel than the engine")]
    NotPassive,
    /// Nonpaged pool is exhausted.
    #[error("there is no nonpaged pool for the source")]
    OutOfMemory,
}

impl OpenNblSourceError {
    /// The status a driver returns for it.
    pub const fn status(self) -> NTSTATUS {
        match self {
            Self::NotPassive => STATUS_INVALID_DEVICE_STATE,
            Self::OutOfMemory => STATUS_INSUFFICIENT_RESOURCES,
        }
    }
}

impl<K: Kernel, H: Handler<K>> Engine<K, H> {
    /// Opens a source for the lists of a filter; records name it by `id`, as they name a socket.
    ///
    /// # Errors
    /// [`OpenNblSourceError`].
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn open_nbl_source(
        &self,
        id: u16,
        passive: &Passive<'_>,
    ) -> Result<NblSource<K, H>, OpenNblSourceError> {
        let kernel = &self.block.kernel;
        if !passive.holds(kernel) {
            return Err(OpenNblSourceError::NotPassive);
        }
        let shards = self.block.shard_count();
        let rundown =
            |shards| Rundown::new(kernel.clone(), TAG, shards).map_err(|_| OpenNblSourceError::OutOfMemory);
        // Nothing is sent through it.
        let rundowns = [rundown(shards)?, rundown(1)?];
        let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut core =
            SocketCore::new(kernel.clone(), rundowns, &SocketOptions { id, ..SocketOptions::new(anywhere) });
        core.lends = false;
        let block = SourceBlock { core, engine: self.block.clone() };
        let block = Anchor::new(kernel, TAG, block).map_err(|_| OpenNblSourceError::OutOfMemory)?;
        // SAFETY: the block lies where it will stay.
        unsafe { block.core.prepare() };
        Ok(NblSource { block: ManuallyDrop::new(block) })
    }
}

impl<K: Kernel, H: Handler<K>> NblSource<K, H> {
    /// Hands each datagram in a chain of lists to the handler, in place. How many there were.
    ///
    /// `refused` is told of each that the engine or the handler refused, before this returns: a filter blocks it, say. It runs
    /// at DISPATCH_LEVEL and must not wait. On return the lists are the filter's again.
    ///
    /// # Safety
    /// `list` is null or a chain of NET_BUFFER_LISTs that is the caller's for the call, whose MDLs describe locked pages or
    /// nonpaged pool.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub unsafe fn receive(
        &self,
        list: *mut NET_BUFFER_LIST,
        facts: &NblFacts,
        mut refused: impl FnMut(NonNull<NET_BUFFER_LIST>, NonNull<NET_BUFFER>),
    ) -> u64 {
        let SourceBlock { core: source, engine } = &**self.block;
        // SAFETY: the caller's promise.
        let mut next = unsafe { Walk::new(list) };
        Dispatch::with(&source.kernel, |dispatch| {
            let processor = dispatch.processor();
            let Some(mut shard) = engine.shards.enter(dispatch) else {
                let count = turn_away(next, refused);
                engine.core.elsewhere.nested.fetch_add(count, Ordering::Relaxed);
                return count;
            };
            if source.stopping.load(Ordering::Relaxed) || !source.rundown.acquire(processor, 1) {
                let count = turn_away(next, refused);
                shard.tally.indicated += count;
                shard.tally.refuse_many(DropReason::Closing, count);
                shard.publish(&engine.core, processor);
                return count;
            }
            let arrival = Arrival::new(&source.kernel);
            let sender = SOCKADDR_INET::from(SocketAddr::from(facts.remote));
            // What stands for every datagram where one of a socket has an indication. Nothing of this source stays lent.
            let indication = WSK_DATAGRAM_INDICATION {
                RemoteAddress: sender.as_ptr().cast_mut(),
                ..WSK_DATAGRAM_INDICATION::zeroed()
            };
            let node = NonNull::from_ref(&indication);
            let common = Facts {
                local: facts.local.address,
                time: 0,
                interface: facts.interface,
                type_of_service: facts.type_of_service,
                hop_limit: facts.hop_limit,
                flags: facts.flags,
            };
            let mut total = 0;
            loop {
                let first = next;
                let mut count = 0_u8;
                let Shard { scratch, tally, .. } = &mut *shard;
                scratch.clear();
                scratch.share(common);
                while usize::from(count) < BATCH {
                    let Some((_, buffer)) = next.next() else { break };
                    // SAFETY: the buffer is lent for the call.
                    match unsafe { payload(&source.kernel, buffer, facts) } {
                        Ok(payload) => scratch.push(Entry::new(node, &payload)),
                        Err(reason) => {
                            scratch.skipped |= 1 << count;
                            tally.indicated += 1;
                            tally.refuse(reason);
                        }
                    }
                    count += 1;
                }
                if count == 0 {
                    break;
                }
                let marks = round::run(engine, source, &mut shard, processor, facts.local.port, &arrival);
                shard.publish(&engine.core, processor);
                report(first, shard.scratch.by_position(marks.refused), &mut refused);
                total += u64::from(count);
            }
            drop(shard);
            source.leave(processor);
            total
        })
    }

    /// Turns every datagram away from now on, for who cannot give the source up yet: [`NblSource::stop`] is still to follow.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn turn_away(&self) {
        self.block.core.stopping.store(true, Ordering::Relaxed);
    }

    /// Turns every datagram away from now on.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn stop(self) -> Drain<K, H> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: taken once: `this` is not used or dropped any more.
        let block = unsafe { ManuallyDrop::take(&mut this.block) };
        Drain::of(block)
    }
}

impl<K: Kernel, H: Handler<K>> Drop for NblSource<K, H> {
    fn drop(&mut self) {
        // SAFETY: taken once: `stop` forgets the source.
        let block = unsafe { ManuallyDrop::take(&mut self.block) };
        drop(Drain::of(block));
    }
}

/// What of one buffer is the datagram.
///
/// # Safety
/// `buffer` is lent.
#[inline]
unsafe fn payload<K: Kernel>(
    kernel: &K,
    buffer: NonNull<NET_BUFFER>,
    facts: &NblFacts,
) -> Result<Payload<'static>, DropReason> {
    // SAFETY: the caller's promise.
    let data = unsafe { datagram(buffer, facts.header_bytes) }?;
    // SAFETY: as above.
    unsafe { Payload::of(kernel, &data) }
}

/// Names the buffers from `first` on whose bits are set.
fn report(
    mut first: Walk,
    mut marks: u32,
    refused: &mut impl FnMut(NonNull<NET_BUFFER_LIST>, NonNull<NET_BUFFER>),
) {
    while marks != 0 {
        let Some((list, buffer)) = first.next() else { return };
        if marks & 1 != 0 {
            refused(list, buffer);
        }
        marks >>= 1;
    }
}

/// Names every buffer; how many there are.
#[cold]
fn turn_away(mut next: Walk, mut refused: impl FnMut(NonNull<NET_BUFFER_LIST>, NonNull<NET_BUFFER>)) -> u64 {
    let mut count = 0;
    while let Some((list, buffer)) = next.next() {
        count += 1;
        refused(list, buffer);
    }
    count
}

/// What is left of a stopped source: datagrams that handlers kept, and calls that are under way.
///
/// Held across the filter's unregistration, and waited for after it. One that is dropped while something is out keeps its memory
/// for good: it is never freed under somebody who still uses it.
#[must_use = "the engine must not go before it has drained"]
pub struct Drain<K: Kernel, H: Handler<K>> {
    block: ManuallyDrop<Anchor<SourceBlock<K, H>, K>>,
    /// Nobody was inside when the source was stopped, so nobody will touch the block.
    is_drained: bool,
}

impl<K: Kernel, H: Handler<K>> Drain<K, H> {
    fn of(block: Anchor<SourceBlock<K, H>, K>) -> Self {
        block.core.stopping.store(true, Ordering::Relaxed);
        let is_drained = block.core.rundown.close();
        Self { block: ManuallyDrop::new(block), is_drained }
    }

    /// Datagrams and calls that are out.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.block.core.rundown.outstanding()
    }

    /// Waits until everything is back, and frees the source.
    ///
    /// # Errors
    /// Itself, when something is still out at the deadline.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn wait(mut self, deadline: Duration, passive: &Passive<'_>) -> Result<(), Self> {
        let kernel = self.block.core.kernel.clone();
        if !self.is_drained {
            if !passive.holds(&kernel) {
                return Err(self);
            }
            let remaining = Deadline::after(&kernel, deadline).remaining(&kernel);
            // SAFETY: initialised by `prepare`; the block is this value's.
            let status =
                unsafe { kernel.ke_wait_for_single_object(self.block.core.drained.get(), Some(remaining)) };
            self.is_drained = status == STATUS_SUCCESS;
        }
        if self.is_drained { Ok(()) } else { Err(self) }
    }
}

impl<K: Kernel, H: Handler<K>> Drop for Drain<K, H> {
    fn drop(&mut self) {
        if self.is_drained {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.block) };
        }
    }
}
