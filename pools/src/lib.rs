//! Pre-allocated memory for kernel data paths, and what moves through it.
//!
//! Everything here takes its memory when it is made and never again; what is called afterwards allocates nothing, locks
//! nothing, waits for nobody and does not panic. The crate is `no_std`, uses no allocator, and knows nothing of Windows
//! but its words.
//!
//! # Life cycle
//! 1. An embedder implements [`Memory`] (private, nonpaged) and [`SharedMemory`] (mapped by a reader).
//! 2. At open, [`Pool::new`], [`Slab::new`], [`Rundown::new`] and the rings take what [`Pool::bytes`] and the like
//!    computed beforehand. Running out is an error then, never later.
//! 3. Each shard gets a [`Magazine`] from each pool, a [`Producer`] over its mapping, and its [`Counters`].
//! 4. A batch enters the [`Rundown`], takes [`Slot`]s, writes records, publishes once, publishes its counts, leaves.
//! 5. At close the rundown turns entrants away, whoever leaves last says so, magazines are retired,
//!    [`Pool::outstanding`] is 0, and memory goes back as the values are dropped.
//!
//! # Types
//! - [`Memory`], [`SharedMemory`], [`Tag`], [`Region`], [`OutOfMemory`]: where bytes come from.
//! - [`Slab`]: a fixed array in one region.
//! - [`Pool`], [`PoolConfig`], [`Magazine`], [`Slot`]: elements built once and lent one at a time.
//! - [`Producer`], [`Reservation`], [`Consumer`], [`Batch`], [`Unread`]: a ring of variable-size records between two
//!   protection domains.
//! - [`Rundown`], [`Released`]: turning entrants away and learning when the last one left; [`Gate`]: the same in one word,
//!   to be opened again.
//! - [`Handover`], [`Cell`], [`Finished`]: a result on its way to a future, a waiter or nobody.
//! - [`Parking`], [`Cancellable`]: one parked request, completed once by whoever wakes or cancels it.
//! - [`Counters`], [`Reading`]: per-shard counts, published by batch, folded on read.
//!
//! Functions say at which IRQL they may run. "Any" still means that their memory must be resident above APC_LEVEL.

#![no_std]

#[cfg(all(test, any(loom, shuttle)))]
extern crate std;

mod counters;
mod cursor;
mod gate;
mod handover;
mod magazine;
mod memory;
#[cfg(all(test, any(loom, shuttle)))]
mod models;
mod parking;
mod pool;
mod primitive;
mod ring;
mod rundown;
mod slab;
mod slot;
mod stack;

pub use counters::{Counters, Reading};
pub use cursor::{Attach, WAIT_ANY, WAIT_FILL, WaitFor};
pub use gate::Gate;
pub use handover::{Cell, Finished, Handover};
pub use magazine::{MAGAZINE_MAX, Magazine};
pub use memory::{MAPPING_ALIGNMENT, MEMORY_ALIGNMENT, Memory, OutOfMemory, Region, SharedMemory, Tag};
pub use parking::{Cancellable, Parking};
pub use pool::{Pool, PoolConfig, PoolError};
pub use ring::{
    AttachError, Batch, Consumer, Corrupt, FRAME_HEADER, OutsideRecord, OutsideReservation, Producer,
    RING_MAX_BYTES, RING_MIN_BYTES, Reservation, ReserveError, RingGeometryError, Unread, largest_payload,
};
pub use rundown::{Released, Rundown, RundownError};
pub use slab::Slab;
pub use slot::Slot;
