//! Pages, pools and lookaside lists.

use bytemuck::{Pod, Zeroable};

/// Bytes in a page.
pub const PAGE_SIZE: usize = 0x1000;
/// Bits of an address that are the offset within a page.
pub const PAGE_SHIFT: u32 = 12;
/// Alignment of every pool allocation smaller than a page, and of what must be exchanged as 16 bytes.
pub const MEMORY_ALLOCATION_ALIGNMENT: usize = 16;
/// Alignment that keeps two objects in different cache lines.
pub const SYSTEM_CACHE_ALIGNMENT_SIZE: usize = 64;

/// Which pool `ExAllocatePoolWithTag` and `ExInitializeLookasideListEx` take from.
pub type POOL_TYPE = i32;
/// [`POOL_TYPE`]: never paged out, executable.
pub const NonPagedPool: POOL_TYPE = 0;
/// [`POOL_TYPE`]: pageable, not to be touched at `DISPATCH_LEVEL`.
pub const PagedPool: POOL_TYPE = 1;
/// [`POOL_TYPE`]: never paged out, not executable.
pub const NonPagedPoolNx: POOL_TYPE = 0x200;

/// What `ExAllocatePool2` is asked for; Windows 10 2004 and later.
pub type POOL_FLAGS = u64;
/// [`POOL_FLAGS`]: leave the memory as it is instead of zeroing it.
pub const POOL_FLAG_UNINITIALIZED: POOL_FLAGS = 0x2;
/// [`POOL_FLAGS`]: align to the cache line.
pub const POOL_FLAG_CACHE_ALIGNED: POOL_FLAGS = 0x8;
/// [`POOL_FLAGS`]: never paged out, not executable.
pub const POOL_FLAG_NON_PAGED: POOL_FLAGS = 0x40;
/// [`POOL_FLAGS`]: pageable.
pub const POOL_FLAG_PAGED: POOL_FLAGS = 0x100;

/// How hard the memory manager should try to map an MDL, an `MM_PAGE_PRIORITY` with `MdlMapping` bits.
pub type MM_PAGE_PRIORITY = u32;
/// [`MM_PAGE_PRIORITY`]: fails when page table entries are fairly short.
pub const LowPagePriority: MM_PAGE_PRIORITY = 0;
/// [`MM_PAGE_PRIORITY`]: fails when they are very short.
pub const NormalPagePriority: MM_PAGE_PRIORITY = 16;
/// [`MM_PAGE_PRIORITY`]: fails when there are none.
pub const HighPagePriority: MM_PAGE_PRIORITY = 32;
/// Or-ed into [`MM_PAGE_PRIORITY`]: the mapping cannot be executed. Windows 8 and later.
pub const MdlMappingNoExecute: MM_PAGE_PRIORITY = 0x4000_0000;
/// Or-ed into [`MM_PAGE_PRIORITY`]: the mapping cannot be written. Windows 8 and later.
pub const MdlMappingNoWrite: MM_PAGE_PRIORITY = 0x8000_0000;

/// How a mapping is cached.
pub type MEMORY_CACHING_TYPE = i32;
/// [`MEMORY_CACHING_TYPE`]: not at all.
pub const MmNonCached: MEMORY_CACHING_TYPE = 0;
/// [`MEMORY_CACHING_TYPE`]: as ordinary memory is.
pub const MmCached: MEMORY_CACHING_TYPE = 1;

/// What pages are locked for.
pub type LOCK_OPERATION = i32;
/// [`LOCK_OPERATION`]: the device reads from them.
pub const IoReadAccess: LOCK_OPERATION = 0;
/// [`LOCK_OPERATION`]: the device writes to them.
pub const IoWriteAccess: LOCK_OPERATION = 1;
/// [`LOCK_OPERATION`]: both.
pub const IoModifyAccess: LOCK_OPERATION = 2;

/// The number of a page frame.
pub type PFN_NUMBER = usize;

/// A lookaside list of either pool. The kernel initialises and reads it; the size is that of the mingw-w64 headers
/// and has not been compared with the WDK's.
#[repr(C, align(16))]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct LOOKASIDE_LIST_EX {
    /// The kernel's.
    pub L: [u64; 12],
}
layout!(LOOKASIDE_LIST_EX { size: 96, align: 16, L: 0 });

/// A lookaside list of nonpaged memory, aligned to the cache line. The kernel initialises and reads it; the size is
/// that of the mingw-w64 headers and has not been compared with the WDK's.
#[repr(C, align(64))]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct NPAGED_LOOKASIDE_LIST {
    /// The kernel's.
    pub L: [u64; 16],
}
layout!(NPAGED_LOOKASIDE_LIST { size: 128, align: 64, L: 0 });
