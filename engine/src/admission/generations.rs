//! Two copies of what shards work by: one in force, and one that the next is written to.
//!
//! A shard does not read either while it works. At the beginning of a batch it looks at the generation, and when that has
//! moved on it takes what is in force to a place of its own. So the writer waits for no shard and no shard waits for it: a
//! shard that says "idle" and a writer that reads it would have to order a store before a later load on every batch, which
//! takes a full fence; a copy on every replacement takes none.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use super::rules::load;

/// The generation before the one of open. Shards begin with it, and so fetch with their first batch.
pub(super) const UNFETCHED: u64 = 0;

/// Which of two copies is in force.
///
/// ```text
///  writer, making generation g + 1                shard, at the beginning of a batch
///  -------------------------------                ----------------------------------
///  filling = g + 1                                current -> g                       Acquire (1)
///  fence                             Release (2)  copies the words of g mod 2        Relaxed
///  writes the words of (g + 1) mod 2 Relaxed      fence                              Acquire (3)
///  current = g + 1                   Release (4)  filling > g + 1 ? begin again : done
/// ```
///
/// (1) with (4): the words copied are at least as new as generation g. They are newer only if generation g + 2 was being
/// written; then (3) with (2) shows `filling` at g + 2 or above, and the copy is made again. It is made again only
/// because generation g + 1 was completed meanwhile. A batch that begins after the writer was done runs under what it
/// wrote or something later; a batch that had begun before ends under what it began with.
#[derive(Debug)]
pub(super) struct Generations {
    current: AtomicU64,
    /// The latest generation whose copy may be partly written.
    filling: AtomicU64,
    /// Held by the one writer.
    replacing: AtomicBool,
}

/// The one writer, while it writes the next generation. Dropping it lets the next one begin.
#[derive(Debug)]
pub(super) struct Replacement<'a> {
    generations: &'a Generations,
    next: u64,
}

impl Generations {
    /// With [`UNFETCHED`] in force, of which there is no copy.
    pub(super) const fn new() -> Self {
        Self {
            current: AtomicU64::new(UNFETCHED),
            filling: AtomicU64::new(UNFETCHED),
            replacing: AtomicBool::new(false),
        }
    }

    /// The generation in force.
    #[inline]
    pub(super) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    /// Begins the next generation, whose copy may be written from now on; `None` while another thread does.
    pub(super) fn begin(&self) -> Option<Replacement<'_>> {
        // Acquire: the copies as the writer before left them.
        if self.replacing.swap(true, Ordering::Acquire) {
            return None;
        }
        let next = load(&self.current).wrapping_add(1);
        self.filling.store(next, Ordering::Relaxed);
        fence(Ordering::Release);
        Some(Replacement { generations: self, next })
    }

    /// Has `take` copy the generation in force, which it is told, and again for as long as that was being written over
    /// meanwhile. Returns which one was copied, and what `take` made of it.
    pub(super) fn copy<T>(&self, mut take: impl FnMut(u64) -> T) -> (u64, T) {
        loop {
            let current = self.current();
            let taken = take(current);
            fence(Ordering::Acquire);
            if load(&self.filling) <= current.wrapping_add(1) {
                return (current, taken);
            }
        }
    }

    /// Whether `generation` is no more in force, or was not at some time since it was read: what was read of it, and what
    /// shards keep by its rules, may be of a later one.
    pub(super) fn has_passed(&self, generation: u64) -> bool {
        // A copy is written over, and a shard takes over the next, only when a later generation is in force or was: both
        // do so behind a Release fence that this one meets.
        fence(Ordering::Acquire);
        load(&self.current) != generation
    }
}

impl Replacement<'_> {
    /// The generation that is being written.
    pub(super) fn generation(&self) -> u64 {
        self.next
    }

    /// The one that is in force meanwhile.
    pub(super) fn former(&self) -> u64 {
        self.next.wrapping_sub(1)
    }

    /// Puts what was written in force.
    pub(super) fn put_in_force(&self) {
        self.generations.current.store(self.next, Ordering::Release);
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        self.generations.replacing.store(false, Ordering::Release);
    }
}
