//! Copies of indications, each in pages of its own.
//!
//! ```text
//! | indication | MDLs | control messages | address |  ...  |    data | guard |
//! '- a page, or as many as it takes -----------------'     '- ends with a page, so that a byte beyond it is a fault
//! ```
//!
//! The shape of the MDL chain is that of the provider's: the same number of MDLs, of the same lengths, mapped or not. Behind
//! the length of the datagram there is no memory.

// UNSAFETY: copies what indications lead to.
#![expect(unsafe_code, reason = "indications and MDLs are reached by address")]

use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, mm_initialize_mdl, mm_size_of_mdl,
};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION};

use super::buffers::described;
use super::rooms::PAGE;
use crate::HostKernel;

/// MDLs of one node at most that are copied.
const MDLS: usize = 4096;

/// What both kinds of indication have.
pub(crate) trait Indication: Copy {
    fn next(&self) -> *mut Self;
    fn set_next(&mut self, next: *mut Self);
    fn buffer(&mut self) -> &mut WSK_BUF;
    /// The control messages, and the address.
    fn rest(&mut self) -> Option<&mut WSK_DATAGRAM_INDICATION> {
        None
    }
}

impl Indication for WSK_DATAGRAM_INDICATION {
    fn next(&self) -> *mut Self {
        self.Next
    }
    fn set_next(&mut self, next: *mut Self) {
        self.Next = next;
    }
    fn buffer(&mut self) -> &mut WSK_BUF {
        &mut self.Buffer
    }
    fn rest(&mut self) -> Option<&mut WSK_DATAGRAM_INDICATION> {
        Some(self)
    }
}

impl Indication for WSK_DATA_INDICATION {
    fn next(&self) -> *mut Self {
        self.Next
    }
    fn set_next(&mut self, next: *mut Self) {
        self.Next = next;
    }
    fn buffer(&mut self) -> &mut WSK_BUF {
        &mut self.Buffer
    }
}

/// How a node is copied.
pub(super) struct Plan {
    /// The provider's MDLs in order, with the bytes of each that are copied.
    mdls: Vec<(*mut MDL, usize)>,
    meta_pages: usize,
    data_pages: usize,
    data_bytes: usize,
}

/// Room for an indication of either kind.
const HEAD: usize = 64;

impl Plan {
    /// Pages that the copy takes, with the guard behind them.
    pub(super) const fn pages(&self) -> usize {
        self.meta_pages + self.data_pages + 1
    }

    /// # Safety
    /// The indication is what a provider indicates.
    pub(super) unsafe fn of<T: Indication>(mut indication: T) -> Self {
        let buffer = *indication.buffer();
        let mut left = (buffer.Offset as usize).saturating_add(buffer.Length);
        let (mut mdls, mut meta, mut data) = (Vec::new(), HEAD, 0);
        let mut mdl = buffer.Mdl;
        while !mdl.is_null() && mdls.len() < MDLS {
            // SAFETY: the caller's promise.
            let header = unsafe { mdl.read() };
            let bytes = left.min(header.ByteCount as usize);
            left -= bytes;
            data += bytes;
            meta += room_of_mdl(header.ByteCount as usize);
            mdls.push((mdl, bytes));
            mdl = header.Next;
        }
        let control = indication.rest().map_or(0, |rest| rest.ControlInfoLength as usize);
        meta += control.next_multiple_of(8) + size_of::<SOCKADDR_INET>().next_multiple_of(8);
        Self { mdls, meta_pages: meta.div_ceil(PAGE), data_pages: data.div_ceil(PAGE), data_bytes: data }
    }

    /// Copies what `indication` leads to, and it, to `place`.
    ///
    /// # Safety
    /// `place` has the pages of the plan, which are writable.
    pub(super) unsafe fn copy<T: Indication>(
        &self,
        kernel: &HostKernel,
        mut indication: T,
        place: usize,
    ) -> *mut T {
        let node: *mut T = ptr::with_exposed_provenance_mut(place);
        let mut meta: *mut u8 = node.cast::<u8>().wrapping_add(HEAD);
        let end = (self.meta_pages + self.data_pages) * PAGE;
        let mut data = node.cast::<u8>().wrapping_add(end - self.data_bytes);
        let mut copies: Vec<*mut MDL> = Vec::with_capacity(self.mdls.len());
        for (original, bytes) in &self.mdls {
            let copy = meta.cast::<MDL>();
            // SAFETY: the provider's, and room was counted for the copy.
            unsafe { copy_mdl(kernel, *original, copy, data, *bytes) };
            // SAFETY: the provider's.
            meta = meta.wrapping_add(room_of_mdl(unsafe { (**original).ByteCount } as usize));
            data = data.wrapping_add(*bytes);
            copies.push(copy);
        }
        for pair in copies.windows(2) {
            // SAFETY: a copy.
            unsafe { (*pair[0]).Next = pair[1] };
        }
        indication.buffer().Mdl = copies.first().copied().unwrap_or_default();
        if let Some(rest) = indication.rest() {
            let bytes = rest.ControlInfoLength as usize;
            if !rest.ControlInfo.is_null() {
                // SAFETY: so many bytes are the provider's to read, and room was counted for them.
                unsafe { ptr::copy_nonoverlapping(rest.ControlInfo.cast::<u8>(), meta, bytes) };
                rest.ControlInfo = meta.cast();
                meta = meta.wrapping_add(bytes.next_multiple_of(8));
            }
            if !rest.RemoteAddress.is_null() {
                // SAFETY: an address of the provider's.
                let address = unsafe { SOCKADDR_INET::read(rest.RemoteAddress) };
                // SAFETY: room was counted for it.
                unsafe { meta.cast::<SOCKADDR_INET>().write(address.unwrap_or(SOCKADDR_INET::UNSPEC)) };
                rest.RemoteAddress = meta.cast();
            }
        }
        // SAFETY: room was counted for it.
        unsafe { node.write(indication) };
        node
    }
}

/// Bytes of an MDL for a range of `bytes` bytes wherever it begins.
fn room_of_mdl(bytes: usize) -> usize {
    mm_size_of_mdl(PAGE - 1, bytes).unwrap_or(0).next_multiple_of(8)
}

/// # Safety
/// `original` is readable, as are `bytes` of what it describes; `copy` has the room of its range, and `data` of the bytes.
unsafe fn copy_mdl(kernel: &HostKernel, original: *mut MDL, copy: *mut MDL, data: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    let header = unsafe { original.read() };
    // SAFETY: the caller's promise.
    let from = unsafe { described(original) };
    // SAFETY: the caller's promise; the rooms are apart from the provider's memory.
    unsafe { ptr::copy_nonoverlapping(ptr::with_exposed_provenance::<u8>(from), data, bytes) };
    // SAFETY: the caller's promise.
    unsafe { mm_initialize_mdl(copy, data.cast(), header.ByteCount) };
    // SAFETY: as above.
    unsafe { kernel.mm_build_mdl_for_non_paged_pool(copy) };
    if header.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) == 0 {
        // SAFETY: as above.
        unsafe { (*copy).MappedSystemVa = ptr::null_mut() };
    }
    // SAFETY: as above.
    unsafe { (*copy).MdlFlags = header.MdlFlags };
}
