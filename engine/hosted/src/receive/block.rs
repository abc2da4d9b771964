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
//!
//! A receiver that has memory of its own lends that instead: the tail MDL, which has room for any datagram's pages, is
//! aimed at it, and is all there is of the chain.

// UNSAFETY: blocks are raw memory that the stack, the client and a worker use in turn.
#![expect(unsafe_code, reason = "lent memory is reached by address")]

use std::cell::UnsafeCell;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{MDL, PFN_NUMBER, mm_initialize_mdl};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATAGRAM_INDICATION};

use socket2::MaybeUninitSlice;

use super::ancillary::ControlWriter;
use crate::HostKernel;
use crate::buffer::Piece;
#[cfg(target_os = "linux")]
use crate::kernel::mdl::build_for_non_paged_pool;

/// Bytes of a datagram that lie in the block itself.
pub(crate) const HEAD_BYTES: usize = 2048;
/// Bytes that continue elsewhere: with the head, more than any UDP payload.
pub(crate) const TAIL_BYTES: usize = 65_536 - HEAD_BYTES;
/// The same, as an MDL has it.
#[cfg(target_os = "linux")]
const TAIL_LENGTH: u32 = 65_536 - 2048;
#[cfg(target_os = "linux")]
const _: () = assert!(TAIL_LENGTH as usize == TAIL_BYTES);
/// Bytes for control messages: PKTINFO of IPv6 (40), and 24 each for traffic class, ECN, hop limit, time and the size of
/// joined datagrams.
pub(crate) const CONTROL_BYTES: usize = 160;

/// An MDL with room for the numbers of `PAGES` pages.
#[repr(C)]
pub(crate) struct MdlOf<const PAGES: usize> {
    header: MDL,
    pages: [PFN_NUMBER; PAGES],
}

/// See the drawing above. Fields are written by whoever has the block: the worker, or the client while it is lent.
#[repr(C, align(64))]
pub(super) struct Block {
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
pub(crate) struct BlockRef(pub(super) NonNull<Block>);

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

    /// Has the indication lead to `bytes` at `at` instead of the block's own memory, and notes `control` and `delivery` as
    /// [`BlockRef::fill`] does.
    ///
    /// # Safety
    /// The memory stays as it is until [`BlockRef::let_go`], which comes after the block came back.
    #[cfg(target_os = "linux")]
    pub(crate) unsafe fn aim(self, at: NonNull<u8>, bytes: usize, control: usize, delivery: u32) {
        let mdl = self.tail_mdl();
        let length = u32::try_from(bytes).unwrap_or_default();
        // SAFETY: the worker has the block, and the MDL has room for the pages of 64 KiB wherever they begin.
        unsafe { mm_initialize_mdl(mdl, at.as_ptr().cast(), length) };
        // SAFETY: as above.
        unsafe { build_for_non_paged_pool(mdl) };
        self.write(mdl, bytes, control, delivery);
    }

    /// Where the memory is that the block was aimed at.
    #[cfg(target_os = "linux")]
    pub(crate) fn aimed(self) -> Option<NonNull<u8>> {
        // SAFETY: the worker has the block.
        let at = unsafe { (*self.tail_mdl()).MappedSystemVa };
        NonNull::new(at.cast()).filter(|at| at.as_ptr() != self.tail())
    }

    /// The block leads nowhere from now on, until it is aimed again or [`BlockRef::restore`]d.
    #[cfg(target_os = "linux")]
    pub(crate) fn let_go(self) {
        // SAFETY: the worker has the block.
        unsafe { (*self.tail_mdl()).MappedSystemVa = self.tail().cast() };
    }

    /// The block leads to its own memory again.
    #[cfg(target_os = "linux")]
    pub(crate) fn restore(self) {
        let mdl = self.tail_mdl();
        // SAFETY: the worker has the block.
        unsafe { mm_initialize_mdl(mdl, self.tail().cast(), TAIL_LENGTH) };
        // SAFETY: as above.
        unsafe { build_for_non_paged_pool(mdl) };
    }

    /// The first `length` bytes of payload, wherever they are.
    pub(crate) fn pieces(self, length: usize) -> [Piece; 2] {
        #[cfg(target_os = "linux")]
        if let Some(at) = self.aimed() {
            return [Piece { at: at.as_ptr(), bytes: length }, Piece { at: self.tail(), bytes: 0 }];
        }
        let head = Piece { at: self.head(), bytes: length.min(HEAD_BYTES) };
        [head, Piece { at: self.tail(), bytes: length.saturating_sub(HEAD_BYTES) }]
    }

    /// Copies a payload in that lies in two pieces.
    pub(crate) fn write_pieces(self, pieces: [&[u8]; 2]) {
        self.write_at(0, pieces);
    }

    /// Copies the first `bytes` of another block's payload behind the `at` bytes that are here.
    pub(super) fn append(self, at: usize, other: Self, bytes: usize) {
        let in_head = bytes.min(HEAD_BYTES);
        // SAFETY: within the other block's head, and the worker has both.
        let head = unsafe { std::slice::from_raw_parts(other.head().cast_const(), in_head) };
        // SAFETY: within its tail: no payload is longer than both.
        let tail = unsafe { std::slice::from_raw_parts(other.tail().cast_const(), bytes - in_head) };
        self.write_at(at, [head, tail]);
    }

    /// Whether nothing but the payload differs from another block's datagram.
    pub(super) fn goes_with(self, other: Self) -> bool {
        let (ours, theirs) = (self.filled().ControlInfoLength, other.filled().ControlInfoLength);
        let control = |block: Self| {
            // SAFETY: so many bytes of the block's area were written, and the worker has it.
            unsafe { std::slice::from_raw_parts(block.control().cast_const(), ours as usize) }
        };
        ours == theirs
            && self.delivery() == other.delivery()
            && self.source() == other.source()
            && control(self) == control(other)
    }

    /// Notes that the payload is `total` bytes of datagrams of `size`.
    pub(super) fn fill_joined(self, total: usize, size: usize) {
        let mut writer = self.control_writer();
        writer.step_over(self.filled().ControlInfoLength as usize);
        writer.coalesced(u32::try_from(size).unwrap_or(u32::MAX));
        self.fill(total, writer.used(), self.delivery());
    }

    fn write_at(self, mut at: usize, pieces: [&[u8]; 2]) {
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
        // SAFETY: as in `address`.
        let head_mdl = unsafe { &raw mut (*self.0.as_ptr()).head_mdl };
        self.write(head_mdl.cast(), length, control, delivery);
    }

    fn write(self, mdl: *mut MDL, length: usize, control: usize, delivery: u32) {
        // SAFETY: the worker has the block.
        unsafe { *self.delivery_word() = delivery };
        let control_info = if control == 0 { std::ptr::null_mut() } else { self.control().cast::<CMSGHDR>() };
        let indication = WSK_DATAGRAM_INDICATION {
            Next: std::ptr::null_mut(),
            Buffer: WSK_BUF { Mdl: mdl, Offset: 0, Length: length },
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
    pub(super) fn give_up(self) -> bool {
        self.lent().swap(0, Ordering::AcqRel) == 1
    }

    pub(super) fn is_lent(self) -> bool {
        self.lent().load(Ordering::Acquire) == 1
    }

    #[cfg(target_os = "linux")]
    fn tail_mdl(self) -> *mut MDL {
        // SAFETY: as in `address`.
        unsafe { &raw mut (*self.0.as_ptr()).tail_mdl }.cast()
    }

    fn delivery_word(self) -> *mut u32 {
        // SAFETY: as in `address`.
        unsafe { &raw mut (*self.0.as_ptr()).delivery }.cast()
    }

    fn lent<'a>(self) -> &'a AtomicU32 {
        // SAFETY: the block exists as long as anything refers to it.
        unsafe { &(*self.0.as_ptr()).lent }
    }

    pub(super) fn link_word<'a>(self) -> &'a AtomicU32 {
        // SAFETY: as above.
        unsafe { &(*self.0.as_ptr()).link }
    }
}

/// Fills in what never changes.
///
/// # Safety
/// `block` is zeroed memory of the caller's, and `tail` has [`TAIL_BYTES`] bytes that belong to it.
pub(super) unsafe fn build(kernel: &HostKernel, block: NonNull<Block>, tail: NonNull<u8>) {
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
