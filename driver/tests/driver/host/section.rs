//! Sections: memory of this process that a reader in it opens by name.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, Weak};

use skua_driver::SectionAccess;
use skua_pools::MAPPING_ALIGNMENT;

use super::thread;

/// The named objects of this process. As in NT, a name goes with the last handle.
static NAMES: Mutex<BTreeMap<Vec<u16>, Weak<Bytes>>> = Mutex::new(BTreeMap::new());

/// The creator's side of a section.
pub(crate) struct HostSection {
    bytes: Arc<Bytes>,
}

/// A reader's side.
pub(crate) struct OpenSection {
    bytes: Arc<Bytes>,
}

/// # Invariants
/// `start` was allocated with `layout` and is freed once, with this.
struct Bytes {
    start: NonNull<u8>,
    layout: Layout,
    access: SectionAccess,
}

impl HostSection {
    /// `None` if the name is taken.
    pub(super) fn create(name: &[u16], bytes: usize, access: SectionAccess) -> Option<Self> {
        let mut names = NAMES.lock().unwrap();
        names.retain(|_, bytes| bytes.strong_count() > 0);
        if names.contains_key(name) {
            return None;
        }
        let bytes = Arc::new(Bytes::new(bytes, access));
        names.insert(name.to_vec(), Arc::downgrade(&bytes));
        Some(Self { bytes })
    }

    pub(super) fn address(&self) -> NonNull<u8> {
        self.bytes.start
    }
}

impl Drop for HostSection {
    fn drop(&mut self) {
        assert!(
            thread::current_process() == thread::SYSTEM || std::thread::panicking(),
            "sections are dropped in the system process"
        );
    }
}

impl OpenSection {
    /// What a reader does with the name that it was told. `None` if there is no such section.
    pub(crate) fn open(name: &[u16]) -> Option<Self> {
        let bytes = NAMES.lock().unwrap().get(name)?.upgrade()?;
        Some(Self { bytes })
    }

    /// First byte; to be written only with [`SectionAccess::MapWrite`].
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.bytes.start
    }

    /// Whole pages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.layout.size()
    }

    pub(crate) fn access(&self) -> SectionAccess {
        self.bytes.access
    }
}

impl Bytes {
    fn new(bytes: usize, access: SectionAccess) -> Self {
        let layout = Layout::from_size_align(bytes.next_multiple_of(MAPPING_ALIGNMENT), MAPPING_ALIGNMENT);
        let layout = layout.unwrap();
        assert!(layout.size() > 0, "an empty section");
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
        Self { start, layout, access }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and this is the last of its owners.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

// SAFETY: only the address is shared; whoever uses it answers for its races.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}
