//! Slots of bytes: what is copied, and what is sent, lies in one.

// UNSAFETY: slots point at their part of one region.
#![expect(unsafe_code, reason = "each slot owns its part of the bytes behind all slots")]

use core::alloc::Layout;
use core::ptr::NonNull;

use skua_pools::{OutOfMemory, Pool, PoolConfig, PoolError, Region, Slot, Tag};

use crate::kernel::Kernel;
use crate::reason::DropReason;
use crate::receive::payload::Payload;

/// `count` buffers of equal size in one region.
///
/// # Invariants
/// Buffer `index` is `stride` bytes from `start + index * stride` on, each aligned to 64.
pub(crate) struct Buffers<K: Kernel> {
    region: Region<K>,
    stride: usize,
}

/// Buffers start on cache lines: neighbours in use by different processors share none.
const ALIGN: usize = 64;

impl<K: Kernel> Buffers<K> {
    /// What [`Buffers::new`] asks of memory; `None` beyond what an address can count.
    pub(crate) fn bytes(count: u32, size: usize) -> Option<usize> {
        Some(Region::<K>::bytes_for(Self::layout(count, size)?))
    }

    /// Takes `count` buffers of `size` bytes each.
    pub(crate) fn new(kernel: &K, tag: Tag, count: u32, size: usize) -> Result<Self, OutOfMemory> {
        let layout = Self::layout(count, size).ok_or(OutOfMemory { bytes: usize::MAX, tag })?;
        Ok(Self { region: Region::new(kernel.clone(), tag, layout)?, stride: size.next_multiple_of(ALIGN) })
    }

    /// The first byte of buffer `index`, which is below the count.
    pub(crate) fn at(&self, index: u32) -> NonNull<u8> {
        let offset = self.stride * index as usize;
        // SAFETY: the region holds `count` strides, and `index` is below it.
        unsafe { self.region.start().add(offset) }
    }

    fn layout(count: u32, size: usize) -> Option<Layout> {
        let stride = size.checked_next_multiple_of(ALIGN)?;
        Layout::from_size_align(stride.checked_mul(count as usize)?, ALIGN).ok()
    }
}

/// A slot that a datagram is copied into.
pub(crate) struct Buffer {
    data: NonNull<u8>,
    /// Bytes filled. Written by who takes the slot.
    length: u32,
}

// SAFETY: a buffer is owned by whoever holds its slot.
unsafe impl Send for Buffer {}
// SAFETY: shared, it is only read.
unsafe impl Sync for Buffer {}

impl Buffer {
    pub(crate) fn payload(&self) -> Payload<'_> {
        Payload::in_buffer(self.data, self.length)
    }
}

/// The pool of slots that datagrams beyond the retention budget are copied into.
pub(crate) struct Copies<K: Kernel> {
    pool: Pool<Buffer, K>,
    size: usize,
    /// Dropped after the pool whose slots point into it.
    _buffers: Buffers<K>,
}

impl<K: Kernel> Copies<K> {
    pub(crate) fn bytes(config: &PoolConfig, size: usize) -> Result<usize, PoolError> {
        let slots = config.slots()?;
        let buffers = Buffers::<K>::bytes(slots, size).ok_or(PoolError::TooManySlots(slots.into()))?;
        let pool = Pool::<Buffer, K>::bytes(config)?;
        pool.checked_add(buffers).ok_or(PoolError::TooManySlots(slots.into()))
    }

    pub(crate) fn new(kernel: &K, tag: Tag, config: &PoolConfig, size: usize) -> Result<Self, PoolError> {
        let buffers = Buffers::new(kernel, tag, config.slots()?, size)?;
        let pool =
            Pool::new(kernel.clone(), tag, config, |index| Buffer { data: buffers.at(index), length: 0 })?;
        Ok(Self { pool, size, _buffers: buffers })
    }

    /// Copies a datagram into a slot of its own.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn fill(&self, payload: &Payload<'_>) -> Result<NonNull<Buffer>, DropReason> {
        if payload.len() > self.size {
            return Err(DropReason::Oversize);
        }
        let mut slot = self.pool.take_shared().ok_or(DropReason::NoSlot)?;
        let data = slot.data.as_ptr();
        // SAFETY: the buffer holds `size` bytes, belongs to this slot, and is no lent memory.
        let copied = unsafe { payload.copy_to_ptr(data, self.size) };
        slot.length = u32::try_from(copied).unwrap_or(0);
        Ok(slot.into_raw())
    }

    /// Gives a slot back.
    ///
    /// # Safety
    /// `slot` came from [`Copies::fill`] of this value and is given back once.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) unsafe fn give_back(&self, slot: NonNull<Buffer>) {
        // SAFETY: the caller's promise.
        drop(unsafe { Slot::from_raw(&self.pool, slot) });
    }
}
