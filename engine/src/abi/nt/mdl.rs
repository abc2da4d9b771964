//! The memory descriptor list: one range of memory whose pages are known.
// UNSAFETY: every function follows the pointer to a descriptor, as the macros of wdm.h do.
#![expect(unsafe_code, reason = "MDLs are reached by address")]

use core::ffi::c_void;
use core::ptr;

use bytemuck::Zeroable;

use super::{PAGE_SIZE, PFN_NUMBER};

/// A memory descriptor list: the header, after which one [`PFN_NUMBER`] follows in memory for every page touched.
///
/// The described range starts at `StartVa + ByteOffset` and has `ByteCount` bytes. A chain of descriptors describes
/// a buffer in several pieces.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct MDL {
    /// The next piece of the same buffer, or null.
    pub Next: *mut MDL,
    /// Bytes of header and page numbers together.
    pub Size: i16,
    /// `MDL_` flags. A `CSHORT` in C; unsigned here, being a set of bits.
    pub MdlFlags: u16,
    /// The processor it was allocated on. Windows 8 and later.
    pub AllocationProcessorNumber: u16,
    /// Unused.
    pub Reserved: u16,
    /// The process whose addresses `StartVa` belongs to.
    pub Process: *mut c_void,
    /// Where the range begins in system space, if [`MDL_MAPPED_TO_SYSTEM_VA`] or [`MDL_SOURCE_IS_NONPAGED_POOL`].
    pub MappedSystemVa: *mut c_void,
    /// Page that the range begins in. An address to compute with, not to read through.
    pub StartVa: *mut c_void,
    /// Bytes in the range.
    pub ByteCount: u32,
    /// Where in its first page the range begins.
    pub ByteOffset: u32,
}
layout!(MDL {
    size: 48,
    align: 8,
    Next: 0,
    Size: 8,
    MdlFlags: 10,
    AllocationProcessorNumber: 12,
    Reserved: 14,
    Process: 16,
    MappedSystemVa: 24,
    StartVa: 32,
    ByteCount: 40,
    ByteOffset: 44,
});

/// [`MDL::MdlFlags`]: `MappedSystemVa` is a mapping made for this descriptor.
pub const MDL_MAPPED_TO_SYSTEM_VA: u16 = 0x0001;
/// [`MDL::MdlFlags`]: the pages are locked.
pub const MDL_PAGES_LOCKED: u16 = 0x0002;
/// [`MDL::MdlFlags`]: the memory is nonpaged pool, and `MappedSystemVa` its own address.
pub const MDL_SOURCE_IS_NONPAGED_POOL: u16 = 0x0004;
/// [`MDL::MdlFlags`]: allocated by the kernel from its own list.
pub const MDL_ALLOCATED_FIXED_SIZE: u16 = 0x0008;
/// [`MDL::MdlFlags`]: describes part of what another descriptor does.
pub const MDL_PARTIAL: u16 = 0x0010;
/// [`MDL::MdlFlags`]: a partial descriptor that has been mapped.
pub const MDL_PARTIAL_HAS_BEEN_MAPPED: u16 = 0x0020;
/// [`MDL::MdlFlags`]: for paging input.
pub const MDL_IO_PAGE_READ: u16 = 0x0040;
/// [`MDL::MdlFlags`]: locked for writing.
pub const MDL_WRITE_OPERATION: u16 = 0x0080;
/// [`MDL::MdlFlags`]: set by network drivers on headers.
pub const MDL_NETWORK_HEADER: u16 = 0x1000;
/// [`MDL::MdlFlags`]: mapping returns null instead of stopping the system when it fails.
pub const MDL_MAPPING_CAN_FAIL: u16 = 0x2000;

/// `ADDRESS_AND_SIZE_TO_SPAN_PAGES`: how many pages a range touches; 0 for an empty one.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn address_and_size_to_span_pages(address: usize, size: usize) -> usize {
    if size == 0 {
        return 0;
    }
    let offset = address % PAGE_SIZE;
    // Without `offset + size`, which overflows for sizes near the largest.
    let first_page = PAGE_SIZE - offset;
    if size <= first_page { 1 } else { 1 + (size - first_page).div_ceil(PAGE_SIZE) }
}

/// `MmSizeOfMdl`: bytes taken by a descriptor of a range with its page numbers, or nothing when they exceed `usize`.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn mm_size_of_mdl(address: usize, size: usize) -> Option<usize> {
    match address_and_size_to_span_pages(address, size).checked_mul(size_of::<PFN_NUMBER>()) {
        Some(pages) => pages.checked_add(size_of::<MDL>()),
        None => None,
    }
}

/// Bytes taken by a descriptor of `size` bytes wherever they begin: the room to set aside for one.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn mdl_size_for_any_address(size: usize) -> Option<usize> {
    mm_size_of_mdl(PAGE_SIZE - 1, size)
}

/// `MmInitializeMdl`: fills the header for a range; flags are zero and no page is known yet. Fields that the macro
/// leaves as they were are zeroed.
///
/// `Size` is a 16-bit field: beyond 4089 pages it is truncated, as in C.
///
/// # Safety
/// `mdl` is the caller's and writable for the header.
///
/// # IRQL
/// Any.
#[inline]
pub unsafe fn mm_initialize_mdl(mdl: *mut MDL, base: *mut c_void, length: u32) {
    let offset = base.addr() % PAGE_SIZE;
    let bytes =
        size_of::<MDL>() + size_of::<PFN_NUMBER>() * address_and_size_to_span_pages(offset, length as usize);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the field is as narrow in C; an offset in a page fits"
    )]
    let (size, byte_offset) = (bytes as i16, offset as u32);
    let header = MDL {
        Next: ptr::null_mut(),
        Size: size,
        MdlFlags: 0,
        AllocationProcessorNumber: 0,
        Reserved: 0,
        Process: ptr::null_mut(),
        MappedSystemVa: ptr::null_mut(),
        StartVa: base.wrapping_byte_sub(offset),
        ByteCount: length,
        ByteOffset: byte_offset,
    };
    // SAFETY: the caller promises that the header can be written.
    unsafe { ptr::write(mdl, header) };
}

/// `MmGetMdlVirtualAddress`: where the range begins, in the address space that it was described in.
///
/// # Safety
/// `mdl` is initialised and readable.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn mm_get_mdl_virtual_address(mdl: *const MDL) -> *mut c_void {
    // SAFETY: the caller promises a readable descriptor.
    let start = unsafe { (*mdl).StartVa };
    // SAFETY: as above.
    let offset = unsafe { mm_get_mdl_byte_offset(mdl) };
    start.wrapping_byte_add(offset as usize)
}

/// `MmGetMdlByteCount`: bytes in the range.
///
/// # Safety
/// `mdl` is initialised and readable.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn mm_get_mdl_byte_count(mdl: *const MDL) -> u32 {
    // SAFETY: the caller promises a readable descriptor.
    unsafe { (*mdl).ByteCount }
}

/// `MmGetMdlByteOffset`: where in its first page the range begins.
///
/// # Safety
/// `mdl` is initialised and readable.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn mm_get_mdl_byte_offset(mdl: *const MDL) -> u32 {
    // SAFETY: the caller promises a readable descriptor.
    unsafe { (*mdl).ByteOffset }
}

/// `MmGetMdlPfnArray`: the page numbers behind the header.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub const fn mm_get_mdl_pfn_array(mdl: *mut MDL) -> *mut PFN_NUMBER {
    mdl.wrapping_add(1).cast()
}

/// The inline half of `MmGetSystemAddressForMdlSafe`: where the range begins in system space, or null when it has to
/// be mapped first (`MmMapLockedPagesSpecifyCache`).
///
/// # Safety
/// `mdl` is initialised and readable.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn mm_get_mapped_system_address(mdl: *const MDL) -> *mut c_void {
    // SAFETY: the caller promises a readable descriptor.
    let flags = unsafe { (*mdl).MdlFlags };
    if flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) == 0 {
        return ptr::null_mut();
    }
    // SAFETY: as above.
    unsafe { (*mdl).MappedSystemVa }
}
