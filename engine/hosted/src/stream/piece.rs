//! Memory that a connection receives into and lends to the client.

// UNSAFETY: pieces are raw memory that the stack, the client and the pump use in turn.
#![expect(unsafe_code, reason = "lent memory is reached by address")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::Mutex;

use skua_engine::Kernel;
use skua_engine::abi::nt::{MDL, mm_initialize_mdl};
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATA_INDICATION};

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::receive::MdlOf;

/// Bytes of one piece.
pub(super) const PIECE_BYTES: usize = 16 << 10;

const PIECE_BYTES_U32: u32 = 16 << 10;

/// One indication and what it leads to. Written by whoever has the piece.
#[repr(C)]
struct Block {
    indication: WSK_DATA_INDICATION,
    mdl: MdlOf<{ PIECE_BYTES / 4096 + 1 }>,
    /// Bytes received into it. The provider's.
    length: usize,
    data: [u8; PIECE_BYTES],
}

/// A piece of a stream, which belongs to whoever has this.
///
/// # Invariants
/// It points at a live block that was built, and frees it when it goes.
pub(super) struct Piece(NonNull<Block>);

// SAFETY: a piece has no affinity to a thread.
unsafe impl Send for Piece {}

impl Piece {
    /// An empty piece; `None` when there is no memory.
    pub(super) fn new(kernel: &HostKernel) -> Option<Self> {
        // SAFETY: the layout is not empty.
        let block = NonNull::new(unsafe { alloc_zeroed(Layout::new::<Block>()) })?.cast::<Block>();
        let piece = Self(block);
        // SAFETY: the MDL has room for the pages that so many bytes touch wherever they begin.
        unsafe { mm_initialize_mdl(piece.mdl(), piece.data().cast(), PIECE_BYTES_U32) };
        // SAFETY: as above.
        unsafe { kernel.mm_build_mdl_for_non_paged_pool(piece.mdl()) };
        Some(piece)
    }

    /// The [`PIECE_BYTES`] bytes that are received into.
    pub(super) fn data(&self) -> *mut u8 {
        // SAFETY: projects within a live block.
        unsafe { &raw mut (*self.0.as_ptr()).data }.cast()
    }

    /// Bytes received into it.
    pub(super) fn length(&self) -> usize {
        // SAFETY: clients do not know of the field.
        unsafe { (*self.0.as_ptr()).length }
    }

    pub(super) fn set_length(&self, length: usize) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).length = length };
    }

    /// Writes the indication of what lies behind the first `start` bytes, followed by that of `next`, and returns it.
    pub(super) fn indicate(&self, start: usize, next: *mut WSK_DATA_INDICATION) -> *mut WSK_DATA_INDICATION {
        let buffer = WSK_BUF {
            Mdl: self.mdl(),
            // Less than a piece.
            Offset: u32::try_from(start).unwrap_or_default(),
            Length: self.length() - start,
        };
        // SAFETY: the provider has the piece.
        unsafe { self.indication().write(WSK_DATA_INDICATION { Next: next, Buffer: buffer }) };
        self.indication()
    }

    fn indication(&self) -> *mut WSK_DATA_INDICATION {
        self.0.as_ptr().cast()
    }

    fn mdl(&self) -> *mut MDL {
        // SAFETY: projects within a live block.
        unsafe { &raw mut (*self.0.as_ptr()).mdl }.cast()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: came from `new` with this layout, and nobody else has it.
        unsafe { dealloc(self.0.as_ptr().cast(), Layout::new::<Block>()) };
    }
}

/// The pieces of one socket that the client has, by the addresses of their indications.
#[derive(Default)]
pub(super) struct Lent(Mutex<BTreeMap<usize, Piece>>);

impl Lent {
    /// From now on the client may release it.
    pub(super) fn add(&self, piece: Piece) {
        hold(&self.0).insert(piece.indication().addr(), piece);
    }

    /// Takes back what the client has not released.
    pub(super) fn take(&self, indication: usize) -> Option<Piece> {
        hold(&self.0).remove(&indication)
    }

    /// The link of an indication; `None` for one that is not lent.
    pub(super) fn next(&self, indication: *mut WSK_DATA_INDICATION) -> Option<*mut WSK_DATA_INDICATION> {
        let lent = hold(&self.0);
        let piece = lent.get(&indication.addr())?;
        // SAFETY: the block is live, and while it is lent its link is the client's, who says here that it is done.
        Some(unsafe { (*piece.indication()).Next })
    }

    pub(super) fn count(&self) -> usize {
        hold(&self.0).len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }
}
