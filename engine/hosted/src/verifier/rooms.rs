//! Memory that copies of indications are lent from: pages of their own, which nobody can touch before and after.
//!
//! On Linux the pages are protected, and a touch is a fault that `fault.rs` turns into a finding. Elsewhere, or where the
//! configuration asks for it, they are filled with a pattern when they come back, and a write is found when they are used
//! again or the kernel ends; reads are not found.

// UNSAFETY: maps pages, protects them and writes to them.
#![expect(unsafe_code, reason = "pages are raw memory")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::{self, NonNull};

use super::config::LentMemory;
#[cfg(target_os = "linux")]
use super::fault::Watched;

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;
/// Pages of one kernel: address space, until they are used.
const PAGES: usize = 16 << 10;
/// The same where each takes memory.
const POISONED_PAGES: usize = 1 << 10;
/// What pages are filled with that came back.
const POISON: u8 = 0xDD;

/// The pages of one kernel.
///
/// # Invariants
/// `base` is the first of `pages` pages, which are this value's own.
pub(super) struct Rooms {
    base: NonNull<u8>,
    pages: usize,
    memory: LentMemory,
    /// Ends the watch over faults before the pages go.
    #[cfg(target_os = "linux")]
    _watched: Option<Watched>,
}

// SAFETY: plain memory; the owner's lock says who may touch which page.
unsafe impl Send for Rooms {}

impl Rooms {
    /// Pages whose faults lead to `verifier`, which outlives them. `None` when the host has none to give.
    pub(super) fn new(memory: LentMemory, verifier: *const super::Verifier) -> Option<Self> {
        #[cfg(target_os = "linux")]
        if memory == LentMemory::Protected {
            let base = pages::reserve(PAGES * PAGE)?;
            let start = base.as_ptr().addr();
            let watched = Watched::new(start..start + PAGES * PAGE, verifier);
            if watched.is_none() {
                pages::give_back(base, PAGES * PAGE);
                return None;
            }
            return Some(Self { base, pages: PAGES, memory, _watched: watched });
        }
        let _ = verifier;
        // SAFETY: not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout()) })?;
        let rooms = Self {
            base,
            pages: POISONED_PAGES,
            memory: LentMemory::Poisoned,
            #[cfg(target_os = "linux")]
            _watched: None,
        };
        // SAFETY: the value's own memory.
        unsafe { ptr::write_bytes(base.as_ptr(), POISON, POISONED_PAGES * PAGE) };
        Some(rooms)
    }

    pub(super) const fn pages(&self) -> usize {
        self.pages
    }

    pub(super) fn address(&self, page: usize) -> usize {
        self.base.as_ptr().expose_provenance() + page * PAGE
    }

    /// The page that an address lies in.
    pub(super) fn page_of(&self, address: usize) -> Option<usize> {
        let page = address.checked_sub(self.base.as_ptr().addr())? / PAGE;
        (page < self.pages).then_some(page)
    }

    /// Makes pages usable, and zeroes them.
    pub(super) fn open(&self, pages: Range<usize>) -> bool {
        #[cfg(target_os = "linux")]
        if self.memory == LentMemory::Protected {
            return pages::open(self.start(&pages), pages.len() * PAGE);
        }
        // SAFETY: within the value's own memory.
        unsafe { ptr::write_bytes(self.start(&pages).as_ptr(), 0, pages.len() * PAGE) };
        true
    }

    /// Makes pages unusable.
    pub(super) fn shut(&self, pages: Range<usize>) {
        #[cfg(target_os = "linux")]
        if self.memory == LentMemory::Protected {
            return pages::shut(self.start(&pages), pages.len() * PAGE);
        }
        // SAFETY: within the value's own memory.
        unsafe { ptr::write_bytes(self.start(&pages).as_ptr(), POISON, pages.len() * PAGE) };
    }

    /// Where somebody wrote to pages after they were shut, where that is to be seen only afterwards.
    pub(super) fn touched(&self, pages: Range<usize>) -> Option<usize> {
        if self.memory == LentMemory::Protected {
            return None;
        }
        let start = self.start(&pages);
        // SAFETY: within the value's own memory, and shut.
        let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), pages.len() * PAGE) };
        bytes.iter().position(|byte| *byte != POISON).map(|offset| start.as_ptr().addr() + offset)
    }

    fn start(&self, pages: &Range<usize>) -> NonNull<u8> {
        debug_assert!(pages.end <= self.pages, "a page of this value");
        // SAFETY: the page is within the memory.
        unsafe { self.base.add(pages.start * PAGE) }
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if self.memory == LentMemory::Protected {
            self._watched = None;
            return pages::give_back(self.base, self.pages * PAGE);
        }
        // SAFETY: came from `new` with this layout.
        unsafe { dealloc(self.base.as_ptr(), layout()) };
    }
}

fn layout() -> Layout {
    // A power of two above its size.
    Layout::from_size_align(POISONED_PAGES * PAGE, PAGE).unwrap_or(Layout::new::<[u8; PAGE]>())
}

/// Pages of the host.
#[cfg(target_os = "linux")]
mod pages {
    use std::ptr::{self, NonNull};

    use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

    /// Address space that nobody can touch.
    pub(super) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping, at an address that the host chooses.
        let base = unsafe { mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), flags) }.ok()?;
        NonNull::new(base.cast())
    }

    pub(super) fn open(start: NonNull<u8>, bytes: usize) -> bool {
        let flags = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: pages of a mapping of this module's, to which nobody has a reference.
        unsafe { mprotect(start.as_ptr().cast(), bytes, flags) }.is_ok()
    }

    pub(super) fn shut(start: NonNull<u8>, bytes: usize) {
        let start = start.as_ptr().cast();
        // SAFETY: as in `open`; what they hold is of no use any more.
        let _ = unsafe { madvise(start, bytes, Advice::LinuxDontNeed) };
        // SAFETY: as in `open`.
        let _ = unsafe { mprotect(start, bytes, MprotectFlags::empty()) };
    }

    pub(super) fn give_back(base: NonNull<u8>, bytes: usize) {
        // SAFETY: the whole mapping, which nobody uses any more.
        let _ = unsafe { munmap(base.as_ptr().cast(), bytes) };
    }
}
