//! The shared free list: a Treiber stack of slot indices under one tagged 64-bit head.
//!
//! ```text
//! head, one AtomicU64:    63                        24 23          0
//!                        +----------------------------+-------------+
//!                        | tag: pops so far mod 2^40  | top index   |
//!                        +----------------------------+-------------+
//! links, one AtomicU32 per slot, outside the slots: link[i] = index below i, or END
//! ```
//!
//! # Why a tag
//! A popper reads the top `A` and the link below it, then swings the head with one compare-exchange. Without a tag
//! that exchange cannot tell "nothing happened" from "A went away and came back":
//!
//! | thread 1                        | thread 2                        | stack, top first | head  |
//! |---------------------------------|---------------------------------|------------------|-------|
//! | reads head `A`, link `A -> B`   |                                 | A B C            | A / 7 |
//! |                                 | pops A                          | B C              | B / 8 |
//! |                                 | pops B and keeps it             | C                | C / 9 |
//! |                                 | pushes A, link now `A -> C`     | A C              | A / 9 |
//! | untagged, finds A: succeeds     | still uses B                    | B C: **B twice** | B     |
//! | tagged, finds A / 9 for A / 7: fails, starts over |               | A C              | A / 9 |
//!
//! Every pop adds 1 to the tag, so a head word seen twice means that no slot left the stack in between, and then
//! every link read from it still holds: a link is written only by the owner of a slot that is not on the stack.
//! The same covers a chain of n: its slots lie at or below the top. A push leaves the tag alone: it can bring a word
//! back only after a pop, which changed it. The 40 bits wrap after 2^40 pops, so a thread would have to be
//! stopped between its load and its exchange for exactly a multiple of 2^40 pops (three hours at 10 ns each).
//!
//! # Why a retry is progress
//! The exchange is the strong form and fails for one reason: another thread's exchange succeeded after this
//! thread's load. That thread has *completed* its push or pop and owes nothing more, so a thread interrupted at any
//! point holds nobody up, at any interrupt level. Between two tries a thread pauses for at most 64 pause instructions
//! (`Backoff::spin`), which is not waiting: it goes on whether or not anybody moved.

use crossbeam_utils::{Backoff, CachePadded};

use crate::primitive::{AtomicU32, AtomicU64, Ordering};

/// Ends a list of links. Also the largest value of 24 bits, hence no slot's index.
pub(crate) const END: u32 = (1 << INDEX_BITS) - 1;

/// Slots that one stack can number: indices 0 to `MAX_SLOTS - 1`.
pub(crate) const MAX_SLOTS: u32 = END;

const INDEX_BITS: u32 = 24;
const TAG_ONE: u64 = 1 << INDEX_BITS;

/// Slots linked one below the other, owned by whoever holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    first: u32,
    last: u32,
    count: u32,
}

impl Chain {
    /// A chain of one slot that the caller owns.
    pub(crate) fn of(index: u32) -> Self {
        Self { first: index, last: index, count: 1 }
    }

    /// Puts `index`, which the caller owns, on top.
    pub(crate) fn prepend(&mut self, links: &[AtomicU32], index: u32) {
        if let Some(link) = links.get(index as usize) {
            link.store(self.first, Ordering::Relaxed);
            self.first = index;
            self.count += 1;
        }
    }

    /// The chain's slots, top first.
    ///
    /// Links inside an owned chain are written by nobody else, so each is read before its slot is given on.
    pub(crate) fn indices(self, links: &[AtomicU32]) -> impl Iterator<Item = u32> {
        let mut at = self.first;
        (0..self.count).map(move |_| {
            let index = at;
            at = links.get(index as usize).map_or(END, |link| link.load(Ordering::Relaxed));
            index
        })
    }
}

/// The free list's head. The links are lent to each call, so they lie wherever the owner put them.
///
/// # Invariants
/// Every index reachable from the head is below `links.len()`, is reached once, and belongs to nobody.
pub(crate) struct Stack {
    head: CachePadded<AtomicU64>,
}

impl Stack {
    /// A stack whose top is slot 0; with the links of [`initial_link`](Stack::initial_link) it holds all slots.
    pub(crate) fn full() -> Self {
        Self { head: CachePadded::new(AtomicU64::new(0)) }
    }

    /// What `link[index]` holds at first in a stack of `slots` slots.
    pub(crate) fn initial_link(index: u32, slots: u32) -> u32 {
        if index + 1 < slots { index + 1 } else { END }
    }

    /// Takes up to `most` slots (at least 1 is tried) from the top by one exchange; `None` when there is none.
    pub(crate) fn pop(&self, links: &[AtomicU32], most: u32) -> Option<Chain> {
        let backoff = Backoff::new();
        // Acquire: a pusher's link writes, and what the slot's last owner wrote into it, come before this.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let first = index_of(head);
            // The walk may read links that are being rewritten. It is bounded by `most`, every value is an index or
            // END, and the exchange below fails if one of them was stale.
            let mut chain = Chain::of(first);
            let mut below = links.get(first as usize)?.load(Ordering::Relaxed);
            while chain.count < most {
                let Some(link) = links.get(below as usize) else { break };
                chain.last = below;
                chain.count += 1;
                below = link.load(Ordering::Relaxed);
            }
            let popped = tag_of(head).wrapping_add(TAG_ONE) | u64::from(below);
            // Release besides Acquire: it puts the link reads above before any later owner's rewriting of them.
            match self.head.compare_exchange(head, popped, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(chain),
                Err(now) => head = now,
            }
            backoff.spin();
        }
    }

    /// Puts an owned chain on top by one exchange.
    pub(crate) fn push(&self, links: &[AtomicU32], chain: Chain) {
        let Some(last) = links.get(chain.last as usize) else { return };
        let backoff = Backoff::new();
        // Relaxed: the word is only compared and copied, nothing is read through it.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            last.store(index_of(head), Ordering::Relaxed);
            let pushed = tag_of(head) | u64::from(chain.first);
            // Release: the links, and what this owner wrote into the slots, come before the next owner's acquire.
            match self.head.compare_exchange(head, pushed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
            backoff.spin();
        }
    }

    /// Counts the slots on the stack by walking it; exact only while nobody pushes or pops.
    pub(crate) fn count(&mut self, links: &[AtomicU32]) -> u32 {
        let mut at = index_of(self.head.load(Ordering::Acquire));
        let mut count = 0;
        while let Some(link) = links.get(at as usize) {
            count += 1;
            at = link.load(Ordering::Relaxed);
        }
        count
    }
}

fn index_of(head: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "masked to 24 bits")]
    let index = (head & u64::from(END)) as u32;
    index
}

fn tag_of(head: u64) -> u64 {
    head & !u64::from(END)
}
