//! Receive blocks: everything that one indication consists of, built once at bind.
//!
//! ```text
//! block, 2560 bytes, one of a dense array                              tail, 63,488 bytes, in an array of its own
//! 0           56     64         128        160       320       512
//! | indication | lent | head MDL | address | control | tail MDL | head  |        | tail |
//!      |  Buffer.Mdl ----^  Next ---------------------^                           ^
//!      '- RemoteAddress ------------^  ControlInfo ^       describes -------------'
//! ```
//!
//! A datagram of up to 2,048 bytes touches the block alone; a longer one continues in the tail, which is address space
//! until then. Both MDLs are always chained: `WSK_BUF.Length` says how much of them is the datagram.

// UNSAFETY: blocks are raw memory that the stack, the client and a worker use in turn.
#![expect(unsafe_code, reason = "lent memory is reached by address")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::UnsafeCell;
use std::net::SocketAddr;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{MDL, PFN_NUMBER, mm_initialize_mdl};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATAGRAM_INDICATION};

use socket2::MaybeUninitSlice;

use super::ancillary::ControlWriter;
use super::freelist::FreeList;
use crate::HostKernel;

/// Bytes of a datagram that lie in the block itself.
pub(crate) const HEAD_BYTES: usize = 2048;
/// Bytes that continue elsewhere: with the head, more than any UDP payload.
pub(crate) const TAIL_BYTES: usize = 65_536 - HEAD_BYTES;
/// Bytes for control messages: PKTINFO of IPv6 (40), and 24 each for traffic class, ECN, hop limit and time.
pub(crate) const CONTROL_BYTES: usize = 160;

/// An MDL with room for the numbers of `PAGES` pages.
#[repr(C)]
struct MdlOf<const PAGES: usize> {
    header: MDL,
    pages: [PFN_NUMBER; PAGES],
}

/// See the drawing above. Fields are written by whoever has the block: the worker, or the client while it is lent.
#[repr(C, align(64))]
struct Block {
    indication: UnsafeCell<WSK_DATAGRAM_INDICATION>,
    /// 1 while the client may release it: from before the callback until it returns SUCCESS or the release.
    lent: AtomicU32,
    /// Link of the free list that the block goes back by.
    link: AtomicU32,
    head_mdl: UnsafeCell<MdlOf<2>>,
    address: UnsafeCell<SOCKADDR_INET>,
    /// MSG_BCAST or MSG_MCAST of the datagram in it. The worker's.
    delivery: UnsafeCell<u32>,
    control: UnsafeCell<[u64; CONTROL_BYTES / 8]>,
    tail_mdl: UnsafeCell<MdlOf<17>>,
    /// Where the tail lies. Written once.
    tail: NonNull<u8>,
    head: UnsafeCell<[u8; HEAD_BYTES]>,
}
const _: () = assert!(size_of::<Block>() == 2560 && align_of::<Block>() == 64);

/// The address of a block. Whoever holds the block may write through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRef(NonNull<Block>);

// SAFETY: a block has no affinity to a thread; who may touch it is settled by `lent` and the free lists.
unsafe impl Send for BlockRef {}

impl BlockRef {
    /// The indication, to be handed out.
    pub(crate) fn indication(self) -> *mut WSK_DATAGRAM_INDICATION {
        self.0.as_ptr().cast()
    }

    /// Where the source address goes.
    pub(crate) fn address(self) -> NonNull<SOCKADDR_INET> {
        // SAFETY: projects within a block, which exists as long as anything refers to it.
        let field = unsafe { &raw mut (*self.0.as_ptr()).address };
        NonNull::new(field.cast()).unwrap_or(NonNull::dangling())
    }

    /// The source address as it was received.
    pub(crate) fn source(self) -> Option<SocketAddr> {
        // SAFETY: the worker has the block.
        unsafe { self.address().read() }.to_socket_addr()
    }

    /// Where control messages go: [`CONTROL_BYTES`] bytes, aligned to 8.
    pub(crate) fn control(self) -> *mut u8 {
        // SAFETY: as in `address`.
        unsafe { &raw mut (*self.0.as_ptr()).control }.cast()
    }

    /// The first [`HEAD_BYTES`] bytes of payload.
    pub(crate) fn head(self) -> *mut u8 {
        // SAFETY: as in `address`.
        unsafe { &raw mut (*self.0.as_ptr()).head }.cast()
    }

    /// The [`TAIL_BYTES`] bytes that follow.
    pub(crate) fn tail(self) -> *mut u8 {
        // SAFETY: written once, when the arena was built.
        unsafe { (*self.0.as_ptr()).tail }.as_ptr()
    }

    /// Head and tail, to be received into by whoever has the block.
    pub(crate) fn payload<'a>(self) -> [MaybeUninitSlice<'a>; 2] {
        // SAFETY: the block's own, of this size, and the worker has it.
        let head = unsafe { std::slice::from_raw_parts_mut(self.head().cast(), HEAD_BYTES) };
        // SAFETY: as above.
        let tail = unsafe { std::slice::from_raw_parts_mut(self.tail().cast(), TAIL_BYTES) };
        [MaybeUninitSlice::new(head), MaybeUninitSlice::new(tail)]
    }

    /// Copies a payload in that lies in two pieces.
    pub(crate) fn write_pieces(self, pieces: [&[u8]; 2]) {
        let mut at = 0;
        for piece in pieces {
            let (head, rest) = piece.split_at(piece.len().min(HEAD_BYTES.saturating_sub(at)));
            // SAFETY: the block's own, `at + head.len()` is within the head, and the worker has it.
            unsafe { std::ptr::copy_nonoverlapping(head.as_ptr(), self.head().wrapping_add(at), head.len()) };
            at += head.len();
            let behind = at.saturating_sub(HEAD_BYTES);
            let tail = &rest[..rest.len().min(TAIL_BYTES - behind)];
            // SAFETY: as above, within the tail.
            unsafe {
                std::ptr::copy_nonoverlapping(tail.as_ptr(), self.tail().wrapping_add(behind), tail.len())
            };
            at += tail.len();
        }
    }

    /// Notes who sent it.
    pub(crate) fn set_source(self, source: SocketAddr) {
        // SAFETY: the worker has the block.
        unsafe { self.address().write(source.into()) };
    }

    /// A writer for the block's control messages.
    pub(crate) fn control_writer<'a>(self) -> ControlWriter<'a> {
        // SAFETY: the block's area, of this size and alignment, and the worker has it.
        unsafe { ControlWriter::new(self.control(), CONTROL_BYTES) }
    }

    /// Notes what was received: `length` bytes of payload, `control` bytes of control messages, and how it was addressed.
    ///
    /// The whole indication is written: a client uses `Next` as its own while it has one.
    pub(crate) fn fill(self, length: usize, control: usize, delivery: u32) {
        // SAFETY: the worker has the block.
        unsafe { *self.delivery_word() = delivery };
        // SAFETY: as in `address`.
        let head_mdl = unsafe { &raw mut (*self.0.as_ptr()).head_mdl };
        let control_info = if control == 0 { std::ptr::null_mut() } else { self.control().cast::<CMSGHDR>() };
        let indication = WSK_DATAGRAM_INDICATION {
            Next: std::ptr::null_mut(),
            Buffer: WSK_BUF { Mdl: head_mdl.cast(), Offset: 0, Length: length },
            ControlInfo: control_info,
            ControlInfoLength: u32::try_from(control).unwrap_or_default(),
            RemoteAddress: self.address().as_ptr().cast(),
        };
        // SAFETY: the worker has the block.
        unsafe { self.indication().write(indication) };
    }

    /// What [`BlockRef::fill`] noted.
    pub(crate) fn filled(self) -> WSK_DATAGRAM_INDICATION {
        // SAFETY: the worker has the block, and `fill` initialised it.
        unsafe { self.indication().read() }
    }

    /// MSG_BCAST or MSG_MCAST, as [`BlockRef::fill`] noted it.
    pub(crate) fn delivery(self) -> u32 {
        // SAFETY: the worker has the block; clients do not know of the field.
        unsafe { *self.delivery_word() }
    }

    /// Puts `next` behind this one in the list to be indicated.
    pub(crate) fn link(self, next: Option<Self>) {
        let next = next.map_or(std::ptr::null_mut(), Self::indication);
        // SAFETY: the worker has the block.
        unsafe { (*self.indication()).Next = next };
    }

    /// The client may have it from now on.
    pub(crate) fn lend(self) {
        self.lent().store(1, Ordering::Relaxed);
    }

    /// Takes it back after the callback returned SUCCESS. False when the client released it inside the callback, so that
    /// it is on its way back already.
    pub(crate) fn take_back(self) -> bool {
        let lent = self.lent();
        let had = lent.load(Ordering::Relaxed) == 1;
        lent.store(0, Ordering::Relaxed);
        had
    }

    /// The client gives it up. False when it was not lent.
    fn give_up(self) -> bool {
        self.lent().swap(0, Ordering::AcqRel) == 1
    }

    fn is_lent(self) -> bool {
        self.lent().load(Ordering::Acquire) == 1
    }

    fn delivery_word(self) -> *mut u32 {
        // SAFETY: as in `address`.
        unsafe { &raw mut (*self.0.as_ptr()).delivery }.cast()
    }

    fn lent<'a>(self) -> &'a AtomicU32 {
        // SAFETY: the block exists as long as anything refers to it.
        unsafe { &(*self.0.as_ptr()).lent }
    }

    fn link_word<'a>(self) -> &'a AtomicU32 {
        // SAFETY: as above.
        unsafe { &(*self.0.as_ptr()).link }
    }
}

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
    memory: [(NonNull<u8>, Layout); 2],
}

// SAFETY: the arena hands out addresses; access to what they point at is settled block by block.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// Builds `share` blocks for each of `workers`.
    pub(crate) fn new(kernel: &HostKernel, workers: u32, share: u32) -> Self {
        let count = workers * share;
        let (blocks, block_memory) = allocate(count as usize * size_of::<Block>(), align_of::<Block>());
        let (tails, tail_memory) = allocate(count as usize * TAIL_BYTES, 64);
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
        Self { blocks, count, share, free, memory: [block_memory, tail_memory] }
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
        for (address, layout) in self.memory {
            // SAFETY: came from `alloc_zeroed` with this layout and is freed once; an arena with lent blocks is leaked
            // by its socket instead of dropped.
            unsafe { dealloc(address.as_ptr(), layout) };
        }
    }
}

/// Fills in what never changes.
///
/// # Safety
/// `block` is zeroed memory of the caller's, and `tail` has [`TAIL_BYTES`] bytes that belong to it.
unsafe fn build(kernel: &HostKernel, block: NonNull<Block>, tail: NonNull<u8>) {
    // SAFETY: the caller's memory.
    unsafe { (*block.as_ptr()).tail = tail };
    let block_ref = BlockRef(block);
    // SAFETY: as above.
    let head_mdl: *mut MDL = unsafe { &raw mut (*block.as_ptr()).head_mdl }.cast();
    // SAFETY: as above.
    let tail_mdl: *mut MDL = unsafe { &raw mut (*block.as_ptr()).tail_mdl }.cast();
    for (mdl, base, bytes) in
        [(head_mdl, block_ref.head(), HEAD_BYTES), (tail_mdl, tail.as_ptr(), TAIL_BYTES)]
    {
        let bytes = u32::try_from(bytes).unwrap_or_default();
        // SAFETY: the MDL has room for the pages that so many bytes touch wherever they begin.
        unsafe { mm_initialize_mdl(mdl, base.cast(), bytes) };
        // SAFETY: as above.
        unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
    }
    // SAFETY: the caller's memory.
    unsafe { (*head_mdl).Next = tail_mdl };
    block_ref.fill(0, 0, 0);
}

/// Zeroed memory at a multiple of `align`, and what to free. Large requests are not touched, so they cost address space
/// until they are used: aligning by hand keeps the allocator from zeroing them itself.
fn allocate(bytes: usize, align: usize) -> (NonNull<u8>, (NonNull<u8>, Layout)) {
    let layout = Layout::from_size_align(bytes + align, 16).unwrap_or(Layout::new::<u128>());
    // SAFETY: the layout is not empty.
    let Some(memory) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
    let skip = memory.as_ptr().addr().wrapping_neg() % align;
    // SAFETY: `skip` is below `align`, which was asked for on top.
    (unsafe { memory.add(skip) }, (memory, layout))
}
