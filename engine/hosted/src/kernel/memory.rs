//! Nonpaged pool: the system allocator with accounts.

// UNSAFETY: calls the system allocator.
#![expect(unsafe_code, reason = "memory comes from and goes to the system allocator")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ptr::NonNull;
use std::sync::Mutex;

use skua_pools::{MEMORY_ALIGNMENT, Tag};

use super::lock::hold;
use crate::verifier::Stack;

/// What is charged to one tag, in bytes and in allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagUse {
    /// The tag.
    pub tag: Tag,
    /// Bytes allocated and not freed.
    pub in_use: usize,
    /// The most bytes that were in use at once.
    pub high_water: usize,
    /// Successful allocations so far.
    pub allocations: u64,
}

/// A live allocation.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) bytes: usize,
    pub(crate) tag: Tag,
    /// Where it was allocated, in a verified kernel.
    pub(crate) created: Option<Stack>,
}

/// The accounts of one kernel's memory. Everything happens at PASSIVE_LEVEL, so one lock does.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Live allocations by address, so that a free with other numbers than the allocation's is noticed.
    live: HashMap<usize, Live>,
    /// By tag, in the order in which poolmon would sort its characters.
    tags: BTreeMap<u32, TagUse>,
    in_use: usize,
    /// The allocation that is to fail, counted down; 0 for none.
    fail_in: u64,
}

impl Accounts {
    /// `created` is where from, in a verified kernel.
    pub(crate) fn allocate(&self, bytes: usize, tag: Tag, created: Option<Stack>) -> Option<NonNull<u8>> {
        let mut books = hold(&self.books);
        if books.fail_in > 0 {
            books.fail_in -= 1;
            if books.fail_in == 0 {
                return None;
            }
        }
        let layout = layout(bytes)?;
        // SAFETY: the layout's size is not zero.
        let address = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        books.live.insert(address.as_ptr().addr(), Live { bytes, tag, created });
        books.in_use += bytes;
        let account =
            books.tags.entry(tag.0).or_insert(TagUse { tag, in_use: 0, high_water: 0, allocations: 0 });
        account.in_use += bytes;
        account.high_water = account.high_water.max(account.in_use);
        account.allocations += 1;
        Some(address)
    }

    /// Frees what [`Accounts::allocate`] returned. Otherwise leaves what is there, and returns it.
    ///
    /// # Safety
    /// Nobody uses the memory any more.
    pub(crate) unsafe fn free(
        &self,
        address: NonNull<u8>,
        bytes: usize,
        tag: Tag,
    ) -> Result<(), Option<Live>> {
        let mut books = hold(&self.books);
        match books.live.entry(address.as_ptr().addr()) {
            Entry::Vacant(_) => return Err(None),
            Entry::Occupied(live) if (live.get().bytes, live.get().tag) != (bytes, tag) => {
                return Err(Some(live.get().clone()));
            }
            Entry::Occupied(live) => drop(live.remove()),
        }
        books.in_use -= bytes;
        if let Some(account) = books.tags.get_mut(&tag.0) {
            account.in_use -= bytes;
        }
        if let Some(layout) = layout(bytes) {
            // SAFETY: the entry in `live` proves that it came from `alloc_zeroed` with this layout and was not freed.
            unsafe { dealloc(address.as_ptr(), layout) };
        }
        Ok(())
    }

    /// What is allocated at `address`.
    pub(crate) fn find(&self, address: NonNull<u8>) -> Option<Live> {
        hold(&self.books).live.get(&address.as_ptr().addr()).cloned()
    }

    /// The live allocations by address.
    pub(crate) fn live(&self) -> Vec<(usize, Live)> {
        hold(&self.books).live.iter().map(|(address, live)| (*address, live.clone())).collect()
    }

    pub(crate) fn in_use(&self) -> usize {
        hold(&self.books).in_use
    }

    pub(crate) fn by_tag(&self) -> Vec<TagUse> {
        hold(&self.books).tags.values().copied().collect()
    }

    /// The `nth` allocation from now fails, once; 0 calls it off.
    pub(crate) fn fail(&self, nth: u64) {
        hold(&self.books).fail_in = nth;
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, MEMORY_ALIGNMENT).ok().filter(|layout| layout.size() > 0)
}
