//! Nonpaged and shared memory, as the system allocator gives them.

// UNSAFETY: implements contracts about raw memory.
#![expect(unsafe_code, reason = "the seams hand out raw memory")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use skua_pools::{MAPPING_ALIGNMENT, MEMORY_ALIGNMENT, Memory, OutOfMemory, Region, SharedMemory, Tag};

const TAG: Tag = Tag::new(b"SkBe");

/// The system allocator as [`Memory`] and, for a reader in the same process, as [`SharedMemory`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemMemory;

/// The two regions of one ring.
pub struct Regions {
    data: Region<SystemMemory>,
    cursor: Region<SystemMemory>,
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, MEMORY_ALIGNMENT).ok().filter(|layout| layout.size() != 0)
}

// SAFETY: the system allocator gives zeroed memory of the layout asked for to one caller, through any handle.
unsafe impl Memory for SystemMemory {
    fn allocate(&self, bytes: usize, _tag: Tag) -> Option<NonNull<u8>> {
        let layout = layout(bytes)?;
        // SAFETY: the layout has a size.
        NonNull::new(unsafe { alloc_zeroed(layout) })
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, _tag: Tag) {
        let Some(layout) = layout(bytes) else { return };
        // SAFETY: `allocate` made it with this layout, by the caller's promise.
        unsafe { dealloc(address.as_ptr(), layout) }
    }
}

// SAFETY: both regions are zeroed, aligned to a page, apart from each other, and stay where they are while they live.
unsafe impl SharedMemory for SystemMemory {
    type Mapping = Regions;

    fn create(&self, _shard: u32, data_bytes: usize, cursor_bytes: usize) -> Result<Regions, OutOfMemory> {
        let region = |bytes| {
            let layout = Layout::from_size_align(bytes, MAPPING_ALIGNMENT);
            Region::new(*self, TAG, layout.map_err(|_| OutOfMemory { bytes, tag: TAG })?)
        };
        Ok(Regions { data: region(data_bytes)?, cursor: region(cursor_bytes)? })
    }

    fn data(mapping: &Regions) -> NonNull<u8> {
        mapping.data.start()
    }

    fn cursor(mapping: &Regions) -> NonNull<u8> {
        mapping.cursor.start()
    }
}
