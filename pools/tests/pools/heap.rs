//! Memory for tests: std's allocator behind a ledger, misplaced and failing on request.

#![expect(unsafe_code, reason = "implements an unsafe trait over std's allocator")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Mutex;

use skua_pools::{Memory, Tag};

/// The largest alignment anything in these tests asks for.
const LARGEST_ALIGNMENT: usize = 4096;

#[derive(Default)]
struct Ledger {
    /// Address, bytes and tag of every allocation not freed.
    live: Vec<(usize, usize, Tag)>,
    requests: usize,
    bytes: usize,
}

/// Gives memory exactly `misplaced` bytes above a 4096-byte boundary, so that no alignment above 16 comes by luck.
pub(crate) struct Heap {
    misplaced: usize,
    /// The request, counted from 0, that is refused.
    refused: Option<usize>,
    ledger: Mutex<Ledger>,
}

impl Heap {
    pub(crate) fn new() -> Self {
        Self::misplaced(16)
    }

    /// `bytes`: a multiple of 16 below 4096.
    pub(crate) fn misplaced(bytes: usize) -> Self {
        assert!(bytes.is_multiple_of(16) && bytes < LARGEST_ALIGNMENT);
        Self { misplaced: bytes, refused: None, ledger: Mutex::default() }
    }

    pub(crate) fn refusing(request: usize) -> Self {
        Self { refused: Some(request), ..Self::new() }
    }

    /// Bytes asked for so far, freed or not.
    pub(crate) fn asked(&self) -> usize {
        self.ledger.lock().unwrap().bytes
    }

    /// Requests so far, the refused one included.
    pub(crate) fn requests(&self) -> usize {
        self.ledger.lock().unwrap().requests
    }

    /// Allocations not freed.
    pub(crate) fn live(&self) -> usize {
        self.ledger.lock().unwrap().live.len()
    }

    fn layout(&self, bytes: usize) -> Layout {
        Layout::from_size_align(bytes + self.misplaced, LARGEST_ALIGNMENT).unwrap()
    }
}

// SAFETY: memory is std's, zeroed, `bytes` long from a multiple of 16, and freed by the layout it was taken with.
unsafe impl Memory for Heap {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        assert_ne!(bytes, 0, "nothing is asked for by mistake");
        let mut ledger = self.ledger.lock().unwrap();
        ledger.requests += 1;
        if self.refused == Some(ledger.requests - 1) {
            return None;
        }
        ledger.bytes += bytes;
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(self.layout(bytes)) })?;
        // SAFETY: the layout has `misplaced` bytes more.
        let address = unsafe { base.add(self.misplaced) };
        ledger.live.push((address.addr().get(), bytes, tag));
        Some(address)
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        let mut ledger = self.ledger.lock().unwrap();
        let entry = (address.addr().get(), bytes, tag);
        let at = ledger.live.iter().position(|live| *live == entry).expect("freed once, as it was taken");
        ledger.live.swap_remove(at);
        // SAFETY: `allocate` added as much.
        let base = unsafe { address.sub(self.misplaced) };
        // SAFETY: the ledger had it, so it came from `alloc_zeroed` with this layout.
        unsafe { dealloc(base.as_ptr(), self.layout(bytes)) }
    }
}
