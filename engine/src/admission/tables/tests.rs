//! The table of [`RuleTables`], step by step: each interleaving is played by one thread.

// UNSAFETY: memory for the tables under test.
#![expect(unsafe_code, reason = "Memory is an unsafe trait")]

use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::net::Ipv4Addr;
use std::vec::Vec;

use skua_pools::MEMORY_ALIGNMENT;

use super::*;
use crate::admission::Prefix;

#[derive(Clone)]
struct Heap;

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, MEMORY_ALIGNMENT).unwrap()
}

// SAFETY: the allocator gives zeroed memory of this size and alignment, which is held until it is freed.
unsafe impl Memory for Heap {
    fn allocate(&self, bytes: usize, _: Tag) -> Option<NonNull<u8>> {
        // SAFETY: `bytes` is not 0.
        NonNull::new(unsafe { alloc_zeroed(layout(bytes)) })
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, _: Tag) {
        // SAFETY: it was allocated with this layout, and is freed once.
        unsafe { dealloc(address.as_ptr(), layout(bytes)) }
    }
}

/// List number n: 10.n.0.0/16 and 11.n.0.0/16.
fn list(number: u8) -> [Prefix; 2] {
    [10, 11].map(|first| Prefix::new(Ipv4Addr::new(first, number, 0, 0).into(), 16).unwrap())
}

/// Tables with list number 1 in force, which is generation 1.
fn tables() -> RuleTables<Heap> {
    RuleTables::open(Heap, Tag::new(b"test"), 2, Allow::Only(&list(1))).unwrap()
}

/// Copies while lists `replacing` come into force one after the other, after the first rule was copied. Returns what each
/// attempt copied, and the generation that was settled for.
fn copied_while(tables: &RuleTables<Heap>, replacing: &[u8]) -> (Vec<Vec<Prefix>>, u64) {
    let (mut attempts, mut replacing) = (Vec::new(), replacing.iter());
    let (generation, _) = tables.copy(|rules| {
        let mut attempt = Vec::new();
        for rule in rules {
            attempt.push(rule.load().prefix());
            replacing.by_ref().for_each(|&number| tables.replace(Allow::Only(&list(number))).unwrap());
        }
        attempts.push(attempt);
    });
    (attempts, generation)
}

#[test]
fn a_list_replaced_once_while_it_is_copied_is_still_whole() {
    let (attempts, generation) = copied_while(&tables(), &[2]);
    assert_eq!((attempts, generation), (Vec::from([list(1).to_vec()]), 1));
}

#[test]
fn a_list_written_over_while_it_is_copied_is_copied_again() {
    let (attempts, generation) = copied_while(&tables(), &[2, 3]);
    let torn = Vec::from([list(1)[0], list(3)[1]]);
    assert_eq!((attempts, generation), (Vec::from([torn, list(3).to_vec()]), 3));
}

#[test]
fn a_list_that_does_not_fit_spoils_the_idle_table_alone() {
    let tables = tables();
    let all = [list(2), list(3)].concat();
    let mut attempts = 0;
    let (generation, shape) = tables.copy(|_| {
        attempts += 1;
        assert!(tables.replace(Allow::Only(&all)).is_err());
    });
    assert_eq!((generation, shape.total, attempts), (1, 2, 1));
    assert_eq!(copied_while(&tables, &[]).0, [list(1)]);
}

#[test]
fn while_one_replaces_others_are_told_so() {
    let tables = tables();
    let other = tables.generations.begin().unwrap();
    assert_eq!(tables.replace(Allow::Everyone), Err(ReplaceError::Busy));
    assert_eq!(copied_while(&tables, &[]).0, [list(1)]);
    drop(other);
    assert_eq!(tables.replace(Allow::Everyone), Ok(()));
    assert_eq!(tables.replace(Allow::Only(&list(2))), Ok(()), "the one before gave it back");
}

#[test]
fn who_reads_hits_is_told_of_a_replacement() {
    let tables = tables();
    let mut shown = 0;
    let outcome = tables.read(core::iter::empty(), |_| {
        shown += 1;
        tables.replace(Allow::Only(&list(2))).unwrap();
    });
    assert_eq!((outcome, shown), (Err(Replaced), 1));
}
