//! Allocators that a C compiler builds, called directly.

// UNSAFETY: calls allocators by their layouts.
#![expect(unsafe_code, reason = "allocators give raw memory")]

use std::alloc::{GlobalAlloc, Layout};
use std::ops::Deref;
use std::ptr::NonNull;

use crate::contestants::{Element, Slots};

/// An element from an allocator each time.
pub(crate) struct Direct<A>(pub(crate) A);

/// Memory of an element.
///
/// # Invariants
/// It holds an element and is this value's alone, until the allocator gets it back.
pub(crate) struct Allocated(NonNull<Element>);

// SAFETY: as a box of an element.
unsafe impl Send for Allocated {}

impl Deref for Allocated {
    type Target = Element;

    #[inline]
    fn deref(&self) -> &Element {
        // SAFETY: the invariant.
        unsafe { self.0.as_ref() }
    }
}

impl<A: GlobalAlloc + Send> Slots for Direct<A> {
    type Slot = Allocated;

    #[inline]
    fn take(&mut self) -> Option<Allocated> {
        // SAFETY: an element has a size.
        let memory = unsafe { self.0.alloc(Layout::new::<Element>()) };
        let element = NonNull::new(memory.cast::<Element>())?;
        // SAFETY: of an element's layout, and new.
        unsafe { element.write(Element::new()) };
        Some(Allocated(element))
    }

    #[inline]
    fn put(&mut self, slot: Allocated) {
        // SAFETY: from this allocator, with this layout.
        unsafe { self.0.dealloc(slot.0.as_ptr().cast(), Layout::new::<Element>()) };
    }
}
