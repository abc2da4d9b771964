//! Lists that several processors push to and pop from.

// UNSAFETY: exports under NT's names; lists are reached by address.
#![expect(unsafe_code, reason = "lists live in the driver's memory")]

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::nt::{KSPIN_LOCK, LIST_ENTRY};

use crate::host::kernel;

/// SLIST_ENTRY.
#[repr(C, align(16))]
pub(crate) struct SLIST_ENTRY {
    next: *mut SLIST_ENTRY,
}

/// SLIST_HEADER: the depth and whether somebody is at it, and the first entry.
#[repr(C, align(16))]
pub(crate) struct SLIST_HEADER {
    /// Twice the depth; odd while it is held.
    state: u64,
    first: *mut SLIST_ENTRY,
}

const HELD: u64 = 1;
const ONE: u64 = 2;

routines! {
    /// InitializeSListHead.
    contract fn InitializeSListHead(head: *mut SLIST_HEADER) {
        head.write(SLIST_HEADER { state: 0, first: ptr::null_mut() })
    }

    /// InterlockedPushEntrySList: the first entry before.
    contract fn InterlockedPushEntrySList(
        head: *mut SLIST_HEADER,
        entry: *mut SLIST_ENTRY,
    ) -> *mut SLIST_ENTRY {
        change(head, |first, depth| {
            (*entry).next = first;
            (entry, depth + ONE, first)
        })
    }

    /// InterlockedPopEntrySList.
    contract fn InterlockedPopEntrySList(head: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
        change(head, |first, depth| match first.as_ref() {
            Some(entry) => (entry.next, depth - ONE, first),
            None => (first, depth, first),
        })
    }

    /// InterlockedFlushSList: all entries.
    contract fn InterlockedFlushSList(head: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
        change(head, |first, _| (ptr::null_mut(), 0, first))
    }

    /// QueryDepthSList.
    contract fn QueryDepthSList(head: *mut SLIST_HEADER) -> u16 {
        u16::try_from(state(head).load(Ordering::SeqCst) / ONE).unwrap_or(u16::MAX)
    }

    /// ExInterlockedInsertHeadList: the first entry before, or null.
    contract fn ExInterlockedInsertHeadList(
        head: *mut LIST_ENTRY,
        entry: *mut LIST_ENTRY,
        lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY {
        insert(head, entry, lock, true)
    }

    /// ExInterlockedInsertTailList: the last entry before, or null.
    contract fn ExInterlockedInsertTailList(
        head: *mut LIST_ENTRY,
        entry: *mut LIST_ENTRY,
        lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY {
        insert(head, entry, lock, false)
    }

    /// ExInterlockedRemoveHeadList: the first entry, or null.
    contract fn ExInterlockedRemoveHeadList(
        head: *mut LIST_ENTRY,
        lock: *mut KSPIN_LOCK,
    ) -> *mut LIST_ENTRY {
        remove(head, lock)
    }
}

/// # Safety
/// `head` is initialised and outlives the reference.
unsafe fn state<'a>(head: *mut SLIST_HEADER) -> &'a AtomicU64 {
    // SAFETY: the caller's promise.
    let word = unsafe { &raw mut (*head).state };
    // SAFETY: aligned, and only atomics access it.
    unsafe { AtomicU64::from_ptr(word) }
}

/// Holds the list while `step` makes of its first entry and its depth the new ones, and what is returned.
///
/// # Safety
/// `head` is initialised, and its entries are there.
unsafe fn change(
    head: *mut SLIST_HEADER,
    step: impl FnOnce(*mut SLIST_ENTRY, u64) -> (*mut SLIST_ENTRY, u64, *mut SLIST_ENTRY),
) -> *mut SLIST_ENTRY {
    // SAFETY: the caller's promise.
    let state = unsafe { state(head) };
    let take = |value: u64| (value & HELD == 0).then_some(value | HELD);
    let depth = loop {
        match state.fetch_update(Ordering::Acquire, Ordering::Relaxed, take) {
            Ok(depth) => break depth,
            // The holder may have been preempted.
            Err(_) => std::thread::yield_now(),
        }
    };
    // SAFETY: held.
    let (first, depth, answer) = step(unsafe { (*head).first }, depth);
    // SAFETY: held.
    unsafe { (*head).first = first };
    state.store(depth, Ordering::Release);
    answer
}

/// # Safety
/// `head` is a list that `lock` guards, and `entry` is in none.
unsafe fn insert(
    head: *mut LIST_ENTRY,
    entry: *mut LIST_ENTRY,
    lock: *mut KSPIN_LOCK,
    first: bool,
) -> *mut LIST_ENTRY {
    // SAFETY: the caller's promise.
    let irql = unsafe { kernel().ke_acquire_spin_lock_raise_to_dpc(lock) };
    // SAFETY: the caller's promise; the lock is held.
    let ends = unsafe { head.read() };
    let (next, previous) = if first { (ends.Flink, head) } else { (head, ends.Blink) };
    // SAFETY: the caller's promise.
    unsafe { entry.write(LIST_ENTRY { Flink: next, Blink: previous }) };
    // SAFETY: entries of the list.
    unsafe { (*next).Blink = entry };
    // SAFETY: as above.
    unsafe { (*previous).Flink = entry };
    // SAFETY: held.
    unsafe { kernel().ke_release_spin_lock(lock, irql) };
    let neighbour = if first { next } else { previous };
    if neighbour == head { ptr::null_mut() } else { neighbour }
}

/// # Safety
/// `head` is a list that `lock` guards.
unsafe fn remove(head: *mut LIST_ENTRY, lock: *mut KSPIN_LOCK) -> *mut LIST_ENTRY {
    // SAFETY: the caller's promise.
    let irql = unsafe { kernel().ke_acquire_spin_lock_raise_to_dpc(lock) };
    // SAFETY: the caller's promise; the lock is held.
    let entry = unsafe { (*head).Flink };
    if entry != head {
        // SAFETY: an entry of the list.
        let next = unsafe { (*entry).Flink };
        // SAFETY: as above.
        unsafe { (*head).Flink = next };
        // SAFETY: as above.
        unsafe { (*next).Blink = head };
    }
    // SAFETY: held.
    unsafe { kernel().ke_release_spin_lock(lock, irql) };
    if entry == head { ptr::null_mut() } else { entry }
}
