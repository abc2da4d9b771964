//! The free list: no slot has two owners, none is lost.

use std::vec::Vec;

use super::checker::sync::Arc;
use super::checker::thread;

use super::{Exclusive, explore};
use crate::primitive::AtomicU32;
use crate::stack::{Chain, Stack};

struct Shared {
    stack: Stack,
    links: Vec<AtomicU32>,
    slots: Vec<Exclusive>,
}

impl Shared {
    fn new(slots: u32) -> Arc<Self> {
        let links = (0..slots).map(|index| AtomicU32::new(Stack::initial_link(index, slots))).collect();
        let slots = (0..slots).map(|_| Exclusive::new()).collect();
        Arc::new(Self { stack: Stack::full(), links, slots })
    }

    /// Pops up to `most`, touches each as its owner, and gives back what was popped.
    fn pop(&self, most: u32) -> Vec<u32> {
        let Some(chain) = self.stack.pop(&self.links, most) else { return Vec::new() };
        let popped: Vec<u32> = chain.indices(&self.links).collect();
        assert!(!popped.is_empty() && popped.len() <= most as usize);
        popped.iter().for_each(|index| self.slots[*index as usize].touch());
        popped
    }

    /// Touches each slot as its owner for the last time and pushes all as one chain.
    fn push(&self, owned: &[u32]) {
        let Some((first, rest)) = owned.split_first() else { return };
        owned.iter().for_each(|index| self.slots[*index as usize].touch());
        let mut chain = Chain::of(*first);
        rest.iter().for_each(|index| chain.prepend(&self.links, *index));
        self.stack.push(&self.links, chain);
    }

    /// Every slot is on the stack once.
    fn assert_complete(&self) {
        let slots = u32::try_from(self.slots.len()).unwrap();
        let all = self.pop(slots + 1);
        let mut sorted = all.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..slots).collect::<Vec<_>>(), "on the stack: {all:?}");
        assert!(self.pop(1).is_empty());
    }
}

/// The table in `stack.rs`: one thread pops while another makes the top go away and come back.
/// 3 slots, 2 threads, 6 operations, any number of preemptions.
#[test]
fn a_top_that_came_back_is_not_mistaken_for_one_that_stayed() {
    explore(None, || {
        let shared = Shared::new(3);
        let other = shared.clone();
        let thread = thread::spawn(move || {
            let top = other.pop(1);
            let next = other.pop(1);
            other.push(&top);
            next
        });
        let mine = shared.pop(1);
        let theirs = thread.join().unwrap();
        shared.push(&mine);
        shared.push(&theirs);
        shared.assert_complete();
    });
}

/// Chains of 2 against singles: 3 slots, 2 threads beside the main one, each popping and pushing; at most 3 preemptions.
#[test]
fn chains_and_singles_keep_every_slot_with_one_owner() {
    explore(Some(3), || {
        let shared = Shared::new(3);
        let threads: Vec<_> = [2, 1]
            .map(|most| {
                let shared = shared.clone();
                thread::spawn(move || {
                    let owned = shared.pop(most);
                    shared.push(&owned);
                })
            })
            .into();
        let owned = shared.pop(2);
        shared.push(&owned);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        shared.assert_complete();
    });
}

/// One thread empties the stack while another fills it: 2 slots, 2 threads, 6 operations, any number of preemptions.
#[test]
fn an_empty_stack_is_empty_and_not_broken() {
    explore(None, || {
        let shared = Shared::new(2);
        let other = shared.clone();
        let thread = thread::spawn(move || {
            let both = other.pop(2);
            other.push(&both);
        });
        let first = shared.pop(1);
        let second = shared.pop(1);
        shared.push(&first);
        shared.push(&second);
        thread.join().unwrap();
        shared.assert_complete();
    });
}
