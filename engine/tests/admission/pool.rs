//! Memory that counts what is asked of it, and that can refuse.

// UNSAFETY: allocates for the crate under test.
#![expect(unsafe_code, reason = "Memory is an unsafe trait")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use skua_pools::{MEMORY_ALIGNMENT, Memory, Tag};

#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    held: HashMap<usize, (usize, Tag)>,
    asked: usize,
    requests: usize,
    refuse_at: Option<usize>,
}

impl Pool {
    /// Memory whose request number `index`, counted from 0, is refused.
    pub(crate) fn refusing(index: usize) -> Self {
        let pool = Self::default();
        pool.0.lock().unwrap().refuse_at = Some(index);
        pool
    }

    /// Bytes asked for so far, given back or not.
    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }

    /// Allocations not given back.
    pub(crate) fn held(&self) -> usize {
        self.0.lock().unwrap().held.len()
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, MEMORY_ALIGNMENT).unwrap()
}

// SAFETY: the allocator gives zeroed memory of this size and alignment, which is held until it is freed.
unsafe impl Memory for Pool {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        assert_ne!(bytes, 0, "empty requests are not made");
        let mut state = self.0.lock().unwrap();
        let index = state.requests;
        state.requests += 1;
        if state.refuse_at == Some(index) {
            return None;
        }
        state.asked += bytes;
        // SAFETY: `bytes` is not 0.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout(bytes)) })?;
        state.held.insert(memory.addr().get(), (bytes, tag));
        Some(memory)
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        let held = self.0.lock().unwrap().held.remove(&address.addr().get());
        assert_eq!(held, Some((bytes, tag)), "freed as it was allocated");
        // SAFETY: it was allocated with this layout and is freed once, as was just checked.
        unsafe { dealloc(address.as_ptr(), layout(bytes)) }
    }
}
