//! The way back of lent blocks: any thread gives back, one worker takes.

use std::sync::atomic::{AtomicU32, Ordering};

/// The end of the list.
pub(crate) const END: u32 = u32::MAX;

/// A list of block indices that many push to and one takes whole.
///
/// Because it is only ever taken whole, an index cannot be popped and pushed again between another thread's load of the
/// head and its exchange of it with a stale link (the ABA problem): a pusher's link is always to the head it exchanged.
#[derive(Debug)]
pub(crate) struct FreeList {
    head: AtomicU32,
}

impl Default for FreeList {
    fn default() -> Self {
        Self { head: AtomicU32::new(END) }
    }
}

impl FreeList {
    /// Gives `index` back. `link` belongs to it alone.
    pub(crate) fn push(&self, index: u32, link: &AtomicU32) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            link.store(head, Ordering::Relaxed);
            // SeqCst: a worker that finds the list empty and goes to sleep is seen asleep by whoever pushed after.
            match self.head.compare_exchange_weak(head, index, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all of it: the first index, whose link leads to the next, or [`END`].
    pub(crate) fn take(&self) -> u32 {
        if self.is_empty() { END } else { self.head.swap(END, Ordering::SeqCst) }
    }

    /// Whether nothing has been given back since it was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::SeqCst) == END
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn indices(list: &FreeList, links: &[AtomicU32]) -> Vec<u32> {
        let mut taken = Vec::new();
        let mut at = list.take();
        while at != END {
            taken.push(at);
            at = links[at as usize].load(Ordering::Relaxed);
        }
        taken
    }

    #[test]
    fn what_many_threads_push_is_taken_once_and_whole() {
        const EACH: u32 = 4000;
        let list = FreeList::default();
        let links: Vec<AtomicU32> = (0..3 * EACH).map(|_| AtomicU32::new(0)).collect();
        let mut seen = Vec::new();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (list, links) = (&list, &links);
                scope.spawn(move || {
                    for index in thread * EACH..(thread + 1) * EACH {
                        list.push(index, &links[index as usize]);
                    }
                });
            }
            while seen.len() < links.len() {
                seen.extend(indices(&list, &links));
            }
        });
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..3 * EACH), "each index once");
        assert!(list.is_empty());
    }
}
