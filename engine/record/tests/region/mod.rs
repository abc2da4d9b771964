//! Memory aligned as a mapping is.

// UNSAFETY: lends its bytes by address and as a slice.
#![expect(unsafe_code, reason = "mapped memory is reached by address")]

use std::ptr::NonNull;

#[repr(C, align(4096))]
#[derive(Clone)]
struct Page([u8; 4096]);

/// Zeroed pages, reached by address as a mapping is.
pub(crate) struct Region {
    pages: NonNull<[Page]>,
}

impl Region {
    pub(crate) fn new(bytes: usize) -> Self {
        let pages = vec![Page([0; 4096]); bytes.div_ceil(4096)].into_boxed_slice();
        Self { pages: NonNull::from(Box::leak(pages)) }
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut region = Self::new(bytes.len());
        region.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        region
    }

    pub(crate) fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.pages.len() * 4096);
        // SAFETY: inside the pages, as just checked.
        unsafe { self.pages.cast::<u8>().add(offset) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let start = self.pages.cast::<u8>().as_ptr();
        // SAFETY: the pages are this value's own, and the borrow of it keeps other slices away.
        unsafe { std::slice::from_raw_parts_mut(start, self.pages.len() * 4096) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: leaked by `new`, and given back only here.
        drop(unsafe { Box::from_raw(self.pages.as_ptr()) });
    }
}
