//! The memory of connections, taken at open: accepting and connecting allocate nothing.

// UNSAFETY: blocks are lent out of a pool by address.
#![expect(unsafe_code, reason = "a block is its handle's from the take to the end of its close")]

use core::cell::UnsafeCell;
use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};

use skua_pools::{Pool, PoolConfig, PoolError, Slot, Tag};

use crate::anchor::Anchor;
use crate::client::base::SocketBase;
use crate::client::handler::ConnectionHandler;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::registration::Provider;
use crate::request::Requests;

/// Pool tag of connections.
const TAG: Tag = Tag::new(b"SkCn");

/// A connection: its socket, its handler, and who is at its ends.
///
/// # Invariants
/// `base` is the first field. `handler` is there from the take to the end of the close.
#[repr(C)]
pub(super) struct ConnectionBlock<K: Kernel, H: ConnectionHandler<K>> {
    pub base: SocketBase<K>,
    pub handler: UnsafeCell<Option<H>>,
    /// Where an accepted connection's ends are: local, remote. Written before anybody has the handle.
    pub ends: UnsafeCell<[Option<SocketAddr>; 2]>,
    /// The pool it came from, one of whose anchors is this block's.
    home: UnsafeCell<*mut ConnectionsBlock<K, H>>,
}

// SAFETY: the handler is Sync; the cells are written by the block's owner before it is shared.
unsafe impl<K: Kernel, H: ConnectionHandler<K>> Sync for ConnectionBlock<K, H> {}
// SAFETY: the handler is Send.
unsafe impl<K: Kernel, H: ConnectionHandler<K>> Send for ConnectionBlock<K, H> {}

pub(super) struct ConnectionsBlock<K: Kernel, H: ConnectionHandler<K>> {
    pool: Pool<ConnectionBlock<K, H>, K>,
}

/// Room for connections of one registration, whose handlers are `H`. A handle: clones are the same room.
pub struct Connections<K: Kernel, H: ConnectionHandler<K>> {
    block: Anchor<ConnectionsBlock<K, H>, K>,
    requests: Requests<K>,
}

impl<K: Kernel, H: ConnectionHandler<K>> Clone for Connections<K, H> {
    fn clone(&self) -> Self {
        Self { block: self.block.clone(), requests: self.requests.clone() }
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> Connections<K, H> {
    /// Takes memory for `count` connections, which make their requests with slots of `requests`.
    ///
    /// # Errors
    /// [`PoolError`]; nothing is held then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn open(
        provider: &Provider<K>,
        requests: &Requests<K>,
        count: u32,
        _passive: &Passive<'_>,
    ) -> Result<Self, PoolError> {
        let kernel = provider.kernel();
        let mut pool = Pool::new(kernel.clone(), TAG, &config(count), |_| ConnectionBlock {
            base: SocketBase::new(provider.block.clone(), requests.clone(), free::<K, H>),
            handler: UnsafeCell::new(None),
            ends: UnsafeCell::new([None; 2]),
            home: UnsafeCell::new(null_mut()),
        })?;
        for (_, block) in pool.slots_mut() {
            // SAFETY: the block stays where it is for the pool's life.
            unsafe { block.base.prepare() };
        }
        let block = Anchor::new(kernel, TAG, ConnectionsBlock { pool })?;
        Ok(Self { block, requests: requests.clone() })
    }

    /// Exactly the bytes that [`Connections::open`] asks of memory.
    ///
    /// # Errors
    /// As [`Connections::open`], for a count that no pool can have.
    pub fn bytes(count: u32) -> Result<usize, PoolError> {
        let pool = Pool::<ConnectionBlock<K, H>, K>::bytes(&config(count))?;
        pool.checked_add(Anchor::<ConnectionsBlock<K, H>, K>::bytes())
            .ok_or(PoolError::TooManySlots(count.into()))
    }

    pub(super) fn requests(&self) -> &Requests<K> {
        &self.requests
    }

    /// A block for a socket of `category`; the handler comes back when all are in use.
    pub(super) fn take(
        &self,
        handler: H,
        category: u32,
        is_ipv6: bool,
    ) -> Result<NonNull<ConnectionBlock<K, H>>, H> {
        let home = self.block.clone();
        let Some(slot) = home.pool.take_shared() else { return Err(handler) };
        let raw = slot.into_raw();
        // SAFETY: taken just now.
        let block = unsafe { raw.as_ref() };
        // SAFETY: as above.
        unsafe { *block.handler.get() = Some(handler) };
        // SAFETY: as above.
        unsafe { *block.ends.get() = [None; 2] };
        // SAFETY: as above.
        unsafe { *block.home.get() = home.into_value().as_ptr() };
        // SAFETY: as above.
        unsafe { block.base.reset(category, is_ipv6) };
        Ok(raw)
    }
}

fn config(count: u32) -> PoolConfig {
    PoolConfig { capacity: count, shards: 0, magazine: 0 }
}

/// Puts a closed connection's block back.
///
/// # Safety
/// The base lies in a block of this type that was taken from a pool and is nobody else's.
unsafe fn free<K: Kernel, H: ConnectionHandler<K>>(base: NonNull<SocketBase<K>>) {
    let raw = base.cast::<ConnectionBlock<K, H>>();
    // SAFETY: the base is the block's first field.
    let block = unsafe { raw.as_ref() };
    // SAFETY: nobody else has it.
    drop(unsafe { (*block.handler.get()).take() });
    // SAFETY: written by `take`.
    let home = unsafe { *block.home.get() };
    let Some(home) = NonNull::new(home) else { return };
    // SAFETY: `take` gave this anchor to the block.
    let home = unsafe { Anchor::<ConnectionsBlock<K, H>, K>::from_value(home) };
    // SAFETY: taken from this pool, and given back once.
    drop(unsafe { Slot::from_raw(&home.pool, raw) });
}
