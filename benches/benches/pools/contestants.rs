//! What slots can be taken from: Skua's pool in its three uses, and what a program would use instead.

#![expect(clippy::vec_box, reason = "what is lent is the element where it lies, not its value")]

use std::cell::RefCell;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;
use skua_benches::SystemMemory;
use skua_pools::{Magazine, Pool, PoolConfig, Slot, Tag};

/// Elements in each pool: more than two threads hold at once.
pub(crate) const CAPACITY: u32 = 4096;

/// What is lent: 136 bytes, of which a word is written each time. Nothing else is initialised, so an allocator pays for
/// the allocation alone. The words of two elements never share a cache line, and not every 32nd has the same place in a
/// page, which would make the processor take one for another.
#[expect(unreachable_pub, reason = "heapless' pool is a public type, in a private module too")]
pub struct Element {
    word: AtomicU64,
    _rest: [MaybeUninit<u64>; 16],
}

impl Element {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), _rest: [MaybeUninit::uninit(); 16] }
    }

    /// A store that the compiler keeps, so that it cannot do without the slot.
    pub(crate) fn touch(&self) {
        self.word.store(1, Ordering::Relaxed);
    }
}

/// One thread's way to slots.
pub(crate) trait Slots: Send {
    type Slot: Deref<Target = Element> + Send;

    fn take(&mut self) -> Option<Self::Slot>;

    fn put(&mut self, slot: Self::Slot);

    /// Does `work` in the state in which slots are taken and put.
    fn during<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        work(self)
    }
}

pub(crate) type ElementPool = Pool<Element, SystemMemory>;

/// A pool with two magazines of `magazine` slots.
pub(crate) fn pool(magazine: u32) -> ElementPool {
    let config = PoolConfig { capacity: CAPACITY, shards: 2, magazine };
    Pool::new(SystemMemory, Tag::new(b"SkBe"), &config, |_| Element::new()).expect("memory for a pool")
}

/// The pool through a magazine that belongs to this thread alone.
pub(crate) struct ThroughMagazine<'p> {
    pool: &'p ElementPool,
    magazine: Magazine<Element>,
}

impl<'p> ThroughMagazine<'p> {
    pub(crate) fn new(pool: &'p ElementPool) -> Self {
        Self { pool, magazine: pool.magazine().expect("as many magazines as threads") }
    }
}

impl<'p> Slots for ThroughMagazine<'p> {
    type Slot = Slot<'p, Element, SystemMemory>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.pool.take(&mut self.magazine)
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        self.pool.put(slot, &mut self.magazine);
    }
}

/// The pool's shared stack, one exchange each way.
pub(crate) struct Shared<'p>(pub(crate) &'p ElementPool);

impl<'p> Slots for Shared<'p> {
    type Slot = Slot<'p, Element, SystemMemory>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.take_shared()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        drop(slot);
    }
}

/// A vector of boxes that this thread owns: the least that keeping free elements costs.
pub(crate) struct OwnVec(Vec<Box<Element>>);

impl OwnVec {
    pub(crate) fn new() -> Self {
        Self(boxes().collect())
    }
}

impl Slots for OwnVec {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.pop()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        self.0.push(slot);
    }
}

thread_local! {
    static FREE: RefCell<Vec<Box<Element>>> = RefCell::new(boxes().collect());
}

/// The same where it is found without being handed around.
pub(crate) struct ThreadLocalVec;

impl Slots for ThreadLocalVec {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        FREE.with_borrow_mut(Vec::pop)
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        FREE.with_borrow_mut(|free| free.push(slot));
    }
}

/// The same behind a lock.
pub(crate) struct LockedVec<'q>(pub(crate) &'q Mutex<Vec<Box<Element>>>);

impl Slots for LockedVec<'_> {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.lock().expect("no thread panicked").pop()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        self.0.lock().expect("no thread panicked").push(slot);
    }
}

pub(crate) fn locked_vec() -> Mutex<Vec<Box<Element>>> {
    Mutex::new(boxes().collect())
}

/// crossbeam's bounded queue of free boxes.
pub(crate) struct Queue<'q>(pub(crate) &'q ArrayQueue<Box<Element>>);

impl Slots for Queue<'_> {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        self.0.pop()
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        // Never full: it has room for every box there is.
        drop(self.0.push(slot));
    }
}

pub(crate) fn array_queue() -> ArrayQueue<Box<Element>> {
    let queue = ArrayQueue::new(CAPACITY as usize);
    for element in boxes() {
        drop(queue.push(element));
    }
    queue
}

/// No pool: the global allocator each time.
pub(crate) struct Allocator;

impl Slots for Allocator {
    type Slot = Box<Element>;

    #[inline]
    fn take(&mut self) -> Option<Self::Slot> {
        // Opaque: otherwise the compiler sees that nobody needs the allocation, and leaves it out.
        Some(black_box(Box::new(Element::new())))
    }

    #[inline]
    fn put(&mut self, slot: Self::Slot) {
        drop(slot);
    }
}

pub(crate) fn boxes() -> impl Iterator<Item = Box<Element>> {
    (0..CAPACITY).map(|_| Box::new(Element::new()))
}
