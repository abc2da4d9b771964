//! MDL chains made anew over copies of received data.

// UNSAFETY: builds MDLs, and reads what others describe.
#![expect(unsafe_code, reason = "MDLs are reached by address")]

use std::ptr::null_mut;

use skua_engine::Kernel;
use skua_engine::abi::nt::{MDL, MDL_PAGES_LOCKED, mm_initialize_mdl, mm_size_of_mdl};
use skua_engine::abi::wsk::WSK_BUF;

use crate::HostKernel;
use crate::buffer::Pieces;

/// What a chain is to look like.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Where MDLs end, in bytes of data, ascending, each below its length; twice the same gives an MDL of no bytes.
    pub(super) cuts: Vec<usize>,
    /// Bytes that the first MDL describes before the data.
    pub(super) before: usize,
    /// Bytes that the last MDL describes behind the data.
    pub(super) behind: usize,
    /// The MDLs have no system address.
    pub(super) is_unmapped: bool,
}

/// A copy of received data with MDLs over it.
#[derive(Debug)]
pub(super) struct Chain {
    buffer: WSK_BUF,
    /// The copy; the MDLs lead here.
    _data: Box<[u8]>,
    /// MDLs with their page arrays; each but the last leads to the next.
    _mdls: Vec<Box<[u64]>>,
}

// SAFETY: the pointers of the buffer lead into what the chain owns.
unsafe impl Send for Chain {}

impl Chain {
    /// Copies the data of `source`. `None` where it has no bytes, or cannot be read.
    ///
    /// # Safety
    /// `source` is lent.
    pub(super) unsafe fn copy(kernel: &HostKernel, source: &WSK_BUF, shape: &Shape) -> Option<Self> {
        if source.Length == 0 {
            return None;
        }
        let mut data = vec![0xEE; shape.before];
        // SAFETY: the caller's promise.
        for piece in unsafe { Pieces::new(kernel, source) } {
            let piece = piece.ok()?;
            // SAFETY: a piece of the buffer.
            data.extend_from_slice(unsafe { std::slice::from_raw_parts(piece.at, piece.bytes) });
        }
        data.resize(data.len() + shape.behind, 0xEE);
        let mut data = data.into_boxed_slice();
        let mut ends: Vec<usize> = shape.cuts.iter().map(|cut| shape.before + cut).collect();
        ends.push(data.len());
        let mut mdls: Vec<Box<[u64]>> = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            let address = data.as_mut_ptr().wrapping_add(start);
            // SAFETY: within the copy, which the chain keeps.
            mdls.push(unsafe { describe(kernel, address, end - start, shape.is_unmapped) }?);
            start = end;
        }
        let mut next: *mut MDL = null_mut();
        for mdl in mdls.iter_mut().rev() {
            let this = mdl.as_mut_ptr().cast::<MDL>();
            // SAFETY: initialised by `describe`.
            unsafe { (*this).Next = next };
            next = this;
        }
        let buffer = WSK_BUF { Mdl: next, Offset: u32::try_from(shape.before).ok()?, Length: source.Length };
        Some(Self { buffer, _data: data, _mdls: mdls })
    }

    /// What a client gets.
    pub(super) const fn buffer(&self) -> WSK_BUF {
        self.buffer
    }
}

/// An MDL over memory.
///
/// # Safety
/// `address` is valid for `bytes` as long as the MDL is used.
unsafe fn describe(
    kernel: &HostKernel,
    address: *mut u8,
    bytes: usize,
    is_unmapped: bool,
) -> Option<Box<[u64]>> {
    let size = mm_size_of_mdl(address.addr(), bytes)?;
    let mut memory = vec![0_u64; size.div_ceil(8)].into_boxed_slice();
    let mdl = memory.as_mut_ptr().cast::<MDL>();
    // SAFETY: room for the header.
    unsafe { mm_initialize_mdl(mdl, address.cast(), u32::try_from(bytes).ok()?) };
    if is_unmapped {
        // As MmProbeAndLockPages leaves one.
        // SAFETY: initialised above.
        unsafe { (*mdl).MdlFlags |= MDL_PAGES_LOCKED };
    } else {
        // SAFETY: initialised above, with room for its pages.
        unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
    }
    Some(memory)
}
