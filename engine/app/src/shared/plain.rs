//! Memory of this process alone, which both ends of a ring reach at the same addresses.

// UNSAFETY: allocates aligned memory and lends its address.
#![expect(unsafe_code, reason = "pages are allocated and lent by address")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use skua_pools::MAPPING_ALIGNMENT;

/// A counted share of zeroed pages.
#[derive(Clone, Debug)]
pub(super) struct Region(Arc<Pages>);

/// # Invariants
/// `start` was allocated with `layout`, whose size is not 0.
#[derive(Debug)]
struct Pages {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the pages belong to the process, not to a thread, and this value only hands out their address.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Region {
    /// Zeroed memory.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let layout = Layout::from_size_align(bytes.max(1), MAPPING_ALIGNMENT).map_err(io::Error::other)?;
        // SAFETY: the layout's size is not 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self(Arc::new(Pages { start, layout })))
    }

    /// The same memory.
    ///
    /// # Errors
    /// None.
    pub(super) fn for_reading(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    /// The same memory.
    ///
    /// # Errors
    /// None.
    pub(super) fn for_writing(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    /// The first byte, page-aligned.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.0.start
    }

    /// How many bytes there are.
    pub(super) fn bytes(&self) -> usize {
        self.0.layout.size()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and given back only here.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
