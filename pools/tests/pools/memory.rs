//! Regions and slabs: aligned by hand, sized exactly, given back once.

use std::alloc::Layout;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use skua_pools::{OutOfMemory, Region, Slab, Tag};

use crate::heap::Heap;

const TAG: Tag = Tag::new(b"SkTs");

#[repr(align(128))]
struct Padded(u8);

/// Counts its drops.
struct Dropped<'c>(&'c AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_tag_shows_its_characters_in_order() {
    assert_eq!(Tag::new(b"SkRx").to_string(), "SkRx");
    assert_eq!(Tag::new(b"SkRx").0.to_le_bytes(), *b"SkRx");
    assert_eq!(Tag(0x0a41_4141).to_string(), r"AAA\n");
    assert_eq!(format!("{:?}", Tag::new(b"Skua")), "Tag(Skua)");
}

#[test]
fn a_region_is_aligned_wherever_its_memory_lies() {
    for misplaced in (0..4096).step_by(16) {
        let heap = Heap::misplaced(misplaced);
        for align in [1, 8, 16, 32, 64, 128, 4096] {
            let layout = Layout::from_size_align(align * 3, align).unwrap();
            let region = Region::new(&heap, TAG, layout).unwrap();
            assert_eq!(region.start().addr().get() % align, 0, "{misplaced} {align}");
        }
        assert_eq!(heap.live(), 0);
    }
}

#[test]
fn a_region_asks_for_its_size_and_what_aligning_can_cost() {
    for (size, align, asked) in
        [(1, 1, 1), (100, 16, 100), (100, 32, 116), (256, 128, 368), (8192, 4096, 12_272), (0, 128, 0)]
    {
        let heap = Heap::new();
        let layout = Layout::from_size_align(size, align).unwrap();
        let region = Region::new(&heap, TAG, layout).unwrap();
        assert_eq!((Region::<&Heap>::bytes_for(layout), heap.asked()), (asked, asked));
        assert_eq!(region.start().addr().get() % align, 0);
    }
}

#[test]
fn a_refused_region_says_what_was_refused() {
    let heap = Heap::refusing(0);
    let layout = Layout::from_size_align(1000, 128).unwrap();
    let error = Region::new(&heap, TAG, layout).err().unwrap();
    assert_eq!(error, OutOfMemory { bytes: 1112, tag: TAG });
    assert!(error.to_string().starts_with("1112 bytes under tag `SkTs`"), "{error}");
}

#[test]
fn a_slab_builds_each_element_once_and_drops_each_once() {
    let (heap, drops) = (Heap::new(), AtomicUsize::new(0));
    let mut order = Vec::new();
    let slab = Slab::new(&heap, TAG, 5, |index| {
        order.push(index);
        (index, Dropped(&drops))
    })
    .unwrap();
    assert_eq!(slab.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(slab);
    assert_eq!(order, [0, 1, 2, 3, 4]);
    assert_eq!((drops.load(Ordering::Relaxed), heap.live()), (5, 0));
}

#[test]
fn a_slab_whose_building_panics_leaks_nothing() {
    let (heap, drops) = (Heap::new(), AtomicUsize::new(0));
    let built = catch_unwind(AssertUnwindSafe(|| {
        Slab::new(&heap, TAG, 5, |index| {
            assert_ne!(index, 3, "planted");
            Dropped(&drops)
        })
    }));
    assert!(built.is_err());
    assert_eq!((drops.load(Ordering::Relaxed), heap.live()), (3, 0));
}

#[test]
fn a_slab_keeps_its_elements_alignment_and_its_promise_of_bytes() {
    let heap = Heap::new();
    let mut slab = Slab::new(&heap, TAG, 7, |_| Padded(1)).unwrap();
    assert!(slab.iter().all(|element| std::ptr::from_ref(element).addr() % 128 == 0));
    assert_eq!(heap.asked(), 7 * 128 + 112);
    assert_eq!(Slab::<Padded, &Heap>::bytes(7), Some(heap.asked()));
    slab.iter_mut().for_each(|element| element.0 += 1);
    assert!(slab.iter().all(|element| element.0 == 2));
}

#[test]
fn a_slab_of_nothing_takes_nothing() {
    let heap = Heap::new();
    let slab = Slab::new(&heap, TAG, 0, |_| Padded(1)).unwrap();
    assert_eq!((slab.len(), heap.requests()), (0, 0));
    assert_eq!(Slab::<Padded, &Heap>::bytes(0), Some(0));
}

#[test]
fn a_slab_beyond_the_address_space_is_refused_unasked() {
    let heap = Heap::new();
    let error = Slab::new(&heap, TAG, usize::MAX / 64, |_| Padded(1)).err().unwrap();
    assert_eq!((error.bytes, heap.requests()), (usize::MAX, 0));
    assert_eq!(Slab::<Padded, &Heap>::bytes(usize::MAX / 64), None);
}
