//! Where every byte comes from: the [`Memory`] and [`SharedMemory`] seams, pool tags, and [`Region`], one owned
//! allocation aligned by hand.

// UNSAFETY: takes raw memory from an implementor and gives it back exactly once.
#![expect(unsafe_code, reason = "raw allocations enter and leave the crate here")]

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

/// The alignment every [`Memory`] gives, in bytes: MEMORY_ALLOCATION_ALIGNMENT of 64-bit Windows (wdm.h).
pub const MEMORY_ALIGNMENT: usize = 16;

/// The alignment every [`SharedMemory`] gives, in bytes: one page of x86-64 and aarch64 Windows.
pub const MAPPING_ALIGNMENT: usize = 4096;

/// The four characters under which an allocation is charged.
///
/// Windows keeps per-tag totals of kernel pool and poolmon lists them, so a leak names its owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u32);

impl Tag {
    /// A tag from the characters in the order in which poolmon shows them.
    ///
    /// Pool tags consist of characters 0x20 to 0x7E (ExAllocatePool2 docs); a tag with others is taken, but tools
    /// do not show it legibly.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn new(ascii: &[u8; 4]) -> Self {
        Self(u32::from_le_bytes(*ascii))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_le_bytes().escape_ascii())
    }
}

/// Memory was refused; nothing of the request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{bytes} bytes under tag `{tag}` are not to be had: ask for fewer slots or smaller rings, or free memory first"
)]
pub struct OutOfMemory {
    /// Bytes asked for in the refused request; `usize::MAX` when the size itself cannot be expressed.
    pub bytes: usize,
    /// The tag it was asked under.
    pub tag: Tag,
}

/// Nonpaged memory that is private to this side.
///
/// A value is a handle: cloning it or passing `&M` gives another handle to the same memory.
///
/// # Safety
/// - `allocate` returns memory of at least `bytes` bytes, zeroed, aligned to [`MEMORY_ALIGNMENT`], resident, and
///   not handed to anybody else until it is passed to `free`.
/// - Memory from one handle can be freed through any clone of it.
pub unsafe trait Memory {
    /// Takes `bytes` bytes (never 0), zeroed, or `None` when they are not to be had.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL: all memory is taken at open.
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>>;

    /// Gives back what [`allocate`](Self::allocate) returned.
    ///
    /// # Safety
    /// `address` came from `allocate` of this memory with the same `bytes` and `tag`, and is not used after.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag);
}

// SAFETY: a reference is one more handle to the same memory; every call is forwarded unchanged.
unsafe impl<M: Memory + ?Sized> Memory for &M {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        (**self).allocate(bytes, tag)
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        // SAFETY: the caller keeps the contract of `free`, which is the same for the memory behind the reference.
        unsafe { (**self).free(address, bytes, tag) }
    }
}

/// Memory that a reader in another protection domain maps.
///
/// One mapping is two regions, so that they can carry different rights: the reader maps `data` read-only and `cursor`
/// read-write. The reader's cursor is the only thing ever read back, and it is not believed.
///
/// # Safety
/// For a mapping returned by `create`, `data` and `cursor` return the same addresses until the mapping is dropped;
/// both are resident, zeroed at creation, aligned to [`MAPPING_ALIGNMENT`], at least as long as asked, disjoint, and
/// valid in any thread and context. Dropping the mapping ends this side's use; it must not invalidate the reader's.
pub unsafe trait SharedMemory {
    /// One shard's two regions; dropping it gives them back.
    type Mapping: Send + Sync;

    /// Creates the regions of `shard`.
    ///
    /// # Errors
    /// [`OutOfMemory`] when they are not to be had; nothing is held then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    fn create(
        &self,
        shard: u32,
        data_bytes: usize,
        cursor_bytes: usize,
    ) -> Result<Self::Mapping, OutOfMemory>;

    /// First byte of the region that the reader maps read-only.
    ///
    /// # IRQL
    /// Any.
    fn data(mapping: &Self::Mapping) -> NonNull<u8>;

    /// First byte of the region that the reader maps read-write.
    ///
    /// # IRQL
    /// Any.
    fn cursor(mapping: &Self::Mapping) -> NonNull<u8>;
}

/// One allocation, aligned as its layout says, given back when dropped.
///
/// [`Memory`] aligns to 16 bytes and cache-padded types want 128, so a layout above 16 asks for `align - 16` bytes
/// more and starts at the first multiple of `align` inside. Dropping it frees memory, at PASSIVE_LEVEL.
///
/// # Invariants
/// `start` is a multiple of the layout's alignment, and `layout.size()` bytes from it lie inside the allocation.
pub struct Region<M: Memory> {
    start: NonNull<u8>,
    /// What `Memory::allocate` returned; `None` for an empty layout, which asks for nothing.
    allocation: Option<NonNull<u8>>,
    asked: usize,
    tag: Tag,
    memory: M,
}

impl<M: Memory> Region<M> {
    /// Takes a zeroed region for `layout`.
    ///
    /// # Errors
    /// [`OutOfMemory`] when `memory` refuses [`bytes_for`](Region::bytes_for) bytes.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(memory: M, tag: Tag, layout: Layout) -> Result<Self, OutOfMemory> {
        let asked = Self::bytes_for(layout);
        if asked == 0 {
            let start = layout.dangling_ptr();
            return Ok(Self { start, allocation: None, asked, tag, memory });
        }
        let allocation = memory.allocate(asked, tag).ok_or(OutOfMemory { bytes: asked, tag })?;
        let skipped = padding(allocation, layout.align());
        debug_assert!(skipped + layout.size() <= asked, "Memory broke its alignment promise");
        // SAFETY: `allocation` is a multiple of 16, so at most `align - 16` bytes are skipped, and the request was
        // enlarged by that many: the result points into the allocation.
        let start = unsafe { allocation.add(skipped) };
        Ok(Self { start, allocation: Some(allocation), asked, tag, memory })
    }

    /// How many bytes a region for `layout` asks of [`Memory`]; 0 for an empty layout.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn bytes_for(layout: Layout) -> usize {
        // No overflow: a Layout's size rounded up to its alignment fits in isize.
        if layout.size() == 0 { 0 } else { layout.size() + layout.align().saturating_sub(MEMORY_ALIGNMENT) }
    }

    /// The first byte, aligned as the layout asked; dangling (but aligned) for an empty layout.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[inline]
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
}

/// Bytes from `address` to the next multiple of `align`.
fn padding(address: NonNull<u8>, align: usize) -> usize {
    // `align` is a power of two, being a Layout's.
    address.addr().get().wrapping_neg() & (align - 1)
}

impl<M: Memory> Drop for Region<M> {
    fn drop(&mut self) {
        if let Some(allocation) = self.allocation {
            // SAFETY: `allocation` came from `allocate` with exactly these arguments, and only this value owns it.
            unsafe { self.memory.free(allocation, self.asked, self.tag) }
        }
    }
}

// SAFETY: a region owns its bytes alone and hands out only their address, so it may move with its memory's handle.
unsafe impl<M: Memory + Send> Send for Region<M> {}
// SAFETY: through `&Region` only the address can be read; using it takes unsafe code that answers for its own races.
unsafe impl<M: Memory + Sync> Sync for Region<M> {}
