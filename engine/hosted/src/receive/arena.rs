//! The blocks of one socket: who has which, and the memory they lie in.

// UNSAFETY: blocks are raw memory that the stack, the client and a worker use in turn.
#![expect(unsafe_code, reason = "blocks are found by address")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use skua_engine::abi::wsk::WSK_DATAGRAM_INDICATION;

use super::block::{Block, BlockRef, HEAD_BYTES, TAIL_BYTES, build};
use super::freelist::FreeList;
use crate::HostKernel;

/// All blocks of one socket, the same number for each of its workers.
///
/// # Invariants
/// `blocks` points at `count` blocks, all built; a block of worker `w` has an index in `w * share..(w + 1) * share`.
#[derive(Debug)]
pub(crate) struct Arena {
    blocks: NonNull<Block>,
    count: u32,
    /// Blocks of one worker.
    share: u32,
    /// By worker, what clients gave back.
    free: Box<[FreeList]>,
    memory: [Allocation; 2],
}

// SAFETY: the arena hands out addresses; access to what they point at is settled block by block.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// Builds `share` blocks for each of `workers`; `None` when there is no memory for them.
    pub(crate) fn new(kernel: &HostKernel, workers: u32, share: u32) -> Option<Self> {
        let count = workers.checked_mul(share)?;
        let (blocks, block_memory) =
            allocate((count as usize).checked_mul(size_of::<Block>())?, align_of::<Block>())?;
        let Some((tails, tail_memory)) =
            (count as usize).checked_mul(TAIL_BYTES).and_then(|bytes| allocate(bytes, 64))
        else {
            free(block_memory);
            return None;
        };
        let blocks = blocks.cast::<Block>();
        for index in 0..count as usize {
            // SAFETY: `index` is below the count that was allocated.
            let block = unsafe { blocks.add(index) };
            // SAFETY: as above.
            let tail = unsafe { tails.add(index * TAIL_BYTES) };
            // SAFETY: the block is zeroed memory of this function's, and the tail its own.
            unsafe { build(kernel, block, tail) };
        }
        let free = (0..workers).map(|_| FreeList::default()).collect();
        Some(Self { blocks, count, share, free, memory: [block_memory, tail_memory] })
    }

    /// The blocks that worker `worker` starts with.
    pub(crate) fn share_of(&self, worker: u32) -> impl Iterator<Item = BlockRef> + '_ {
        (worker * self.share..(worker + 1) * self.share).filter_map(|index| self.block(index))
    }

    /// Whether a block of `worker` has come back and was not taken.
    pub(crate) fn has_returned(&self, worker: u32) -> bool {
        self.free.get(worker as usize).is_some_and(|free| !free.is_empty())
    }

    /// Takes the blocks of `worker` that have come back.
    pub(crate) fn take_returned(&self, worker: u32, mut each: impl FnMut(BlockRef)) {
        let Some(free) = self.free.get(worker as usize) else { return };
        let mut index = free.take();
        while let Some(block) = self.block(index) {
            // Before the block is given away: its next owner writes the link.
            index = block.link_word().load(Ordering::Relaxed);
            each(block);
        }
    }

    /// Whether `indication` is one of this arena's and lent.
    pub(crate) fn is_lent(&self, indication: *const WSK_DATAGRAM_INDICATION) -> bool {
        self.find(indication).and_then(|index| self.block(index)).is_some_and(BlockRef::is_lent)
    }

    /// The client releases `indication`; the worker it belongs to, or `None` when it was not lent.
    pub(crate) fn release(&self, indication: *const WSK_DATAGRAM_INDICATION) -> Option<u32> {
        let index = self.find(indication)?;
        let block = self.block(index)?;
        if !block.give_up() {
            return None;
        }
        let worker = index / self.share;
        self.free.get(worker as usize)?.push(index, block.link_word());
        Some(worker)
    }

    /// How many blocks are lent.
    pub(crate) fn lent(&self) -> usize {
        (0..self.count).filter_map(|index| self.block(index)).filter(|block| block.is_lent()).count()
    }

    /// The addresses that payload is received to: head and tail of each block.
    pub(crate) fn payload_ranges(&self) -> Vec<Range<usize>> {
        let blocks = (0..self.count).filter_map(|index| self.block(index));
        blocks
            .flat_map(|block| {
                let (head, tail) = (block.head().addr(), block.tail().addr());
                [head..head + HEAD_BYTES, tail..tail + TAIL_BYTES]
            })
            .collect()
    }

    fn block(&self, index: u32) -> Option<BlockRef> {
        if index >= self.count {
            return None;
        }
        // SAFETY: `index` is below the count.
        Some(BlockRef(unsafe { self.blocks.add(index as usize) }))
    }

    fn find(&self, indication: *const WSK_DATAGRAM_INDICATION) -> Option<u32> {
        let offset = indication.addr().checked_sub(self.blocks.as_ptr().addr())?;
        let index = u32::try_from(offset / size_of::<Block>()).ok()?;
        (offset % size_of::<Block>() == 0 && index < self.count).then_some(index)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // An arena with lent blocks is leaked by its socket instead of dropped.
        self.memory.into_iter().for_each(free);
    }
}

fn free((address, layout): Allocation) {
    // SAFETY: came from `allocate` with this layout; the arena that owned it is gone and freed it once.
    unsafe { dealloc(address.as_ptr(), layout) };
}

/// What the allocator gave, and as what.
type Allocation = (NonNull<u8>, Layout);

/// Zeroed memory at a multiple of `align`, and what to free; `None` when there is none. Large requests are not touched, so
/// they cost address space until they are used: aligning by hand keeps the allocator from zeroing them itself.
fn allocate(bytes: usize, align: usize) -> Option<(NonNull<u8>, Allocation)> {
    let layout = Layout::from_size_align(bytes.checked_add(align)?, 16).ok()?;
    // SAFETY: the layout is not empty.
    let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    let skip = memory.as_ptr().addr().wrapping_neg() % align;
    // SAFETY: `skip` is below `align`, which was asked for on top.
    Some((unsafe { memory.add(skip) }, (memory, layout)))
}
