//! What else free elements are kept in: queues, pools of objects, and a list as NT has it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

use concurrent_queue::ConcurrentQueue;
use heapless::pool::object::{Object, ObjectBlock};
use opool::{PoolAllocator, RefGuard};
use portable_atomic::AtomicU128;

use crate::contestants::{CAPACITY, Element, Slots, boxes};

/// concurrent-queue's bounded queue of free boxes.
pub(crate) struct Concurrent<'q>(pub(crate) &'q ConcurrentQueue<Box<Element>>);

impl Slots for Concurrent<'_> {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.pop().ok()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        // Never full: it has room for every box there is.
        drop(self.0.push(slot));
    }
}

pub(crate) fn concurrent_queue() -> ConcurrentQueue<Box<Element>> {
    let queue = ConcurrentQueue::bounded(CAPACITY as usize);
    for element in boxes() {
        drop(queue.push(element));
    }
    queue
}

/// heapless' queue of free boxes, half full: a full one may refuse what it has room for while another thread takes.
pub(crate) type HeaplessQueue = heapless::mpmc::Queue<Box<Element>, { CAPACITY as usize }>;

pub(crate) struct Heapless<'q>(pub(crate) &'q HeaplessQueue);

impl Slots for Heapless<'_> {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.dequeue()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        drop(self.0.enqueue(slot));
    }
}

#[expect(deprecated, reason = "it is said not to be lock-free, and for that it is measured")]
pub(crate) fn heapless_queue() -> Box<HeaplessQueue> {
    let queue = Box::new(HeaplessQueue::new());
    for element in boxes().take(CAPACITY as usize / 2) {
        drop(queue.enqueue(element));
    }
    queue
}

heapless::object_pool!(Objects: Element);

/// heapless' pool of objects, which there is one of in a program.
pub(crate) struct HeaplessObjects(());

impl HeaplessObjects {
    /// Gives the pool as many objects as it lacks.
    pub(crate) fn new() -> Self {
        static GIVEN: std::sync::Once = std::sync::Once::new();
        GIVEN.call_once(|| {
            for _ in 0..CAPACITY {
                Objects.manage(Box::leak(Box::new(ObjectBlock::new(Element::new()))));
            }
        });
        Self(())
    }
}

impl Slots for HeaplessObjects {
    type Slot = Object<Objects>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        Objects.request()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        drop(slot);
    }
}

/// A guard over a box, as a guard over what is in it.
pub(crate) struct Inner<G>(G);

impl<G: Deref<Target = Box<Element>>> Deref for Inner<G> {
    type Target = Element;

    #[inline]
    fn deref(&self) -> &Element {
        &self.0
    }
}

/// object-pool's vector behind a lock, through guards that put back what they hold.
pub(crate) struct ObjectPool<'p>(pub(crate) &'p object_pool::Pool<Box<Element>>);

impl<'p> Slots for ObjectPool<'p> {
    type Slot = Inner<object_pool::Reusable<'p, Box<Element>>>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.try_pull().map(Inner)
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        drop(slot);
    }
}

pub(crate) fn object_pool() -> object_pool::Pool<Box<Element>> {
    object_pool::Pool::from_vec(boxes().collect())
}

/// Makes what opool lacks.
pub(crate) struct Make;

impl PoolAllocator<Box<Element>> for Make {
    fn allocate(&self) -> Box<Element> {
        Box::new(Element::new())
    }
}

/// opool's queue of boxes, through guards.
pub(crate) struct Opool<'p>(pub(crate) &'p opool::Pool<Make, Box<Element>>);

impl<'p> Slots for Opool<'p> {
    type Slot = Inner<RefGuard<'p, Make, Box<Element>>>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        Some(Inner(self.0.get()))
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        drop(slot);
    }
}

pub(crate) fn opool() -> opool::Pool<Make, Box<Element>> {
    opool::Pool::new_prefilled(CAPACITY as usize, Make)
}

/// A list of free elements whose head, an element and a count of changes, is exchanged as one double word: NT's SLIST,
/// but for links beside the elements.
pub(crate) struct List {
    /// The count of changes, and the first element's number from 1, 0 for none.
    head: AtomicU128,
    /// The number of the next one, likewise.
    next: Box<[AtomicU32]>,
    elements: Box<[Element]>,
}

impl List {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicU128::new(1),
            next: (2..=CAPACITY).chain([0]).map(AtomicU32::new).collect(),
            elements: (0..CAPACITY).map(|_| Element::new()).collect(),
        }
    }

    /// Makes `first` the first where it is still `head`.
    fn change(&self, head: u128, first: u32) -> Result<(), u128> {
        let changed = ((head >> 64).wrapping_add(1) << 64) | u128::from(first);
        self.head.compare_exchange_weak(head, changed, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

/// An element of the list.
pub(crate) struct Listed<'l> {
    list: &'l List,
    number: u32,
}

impl Deref for Listed<'_> {
    type Target = Element;

    #[inline]
    fn deref(&self) -> &Element {
        &self.list.elements[self.number as usize - 1]
    }
}

impl<'l> Slots for &'l List {
    type Slot = Listed<'l>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            #[expect(clippy::cast_possible_truncation, reason = "the low half is the number")]
            let number = head as u32;
            let next = self.next.get((number as usize).checked_sub(1)?)?.load(Ordering::Relaxed);
            match self.change(head, next) {
                Ok(()) => return Some(Listed { list: self, number }),
                Err(changed) => head = changed,
            }
        }
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            #[expect(clippy::cast_possible_truncation, reason = "the low half is the number")]
            let first = head as u32;
            self.next[slot.number as usize - 1].store(first, Ordering::Relaxed);
            match self.change(head, slot.number) {
                Ok(()) => return,
                Err(changed) => head = changed,
            }
        }
    }
}
