//! Lookaside lists. They keep nothing, as under Driver Verifier: each entry is allocated, and freed for good.

// UNSAFETY: exports under NT's names; lists are reached by address, and call the driver's routines.
#![expect(unsafe_code, reason = "lists live in the driver's memory")]

use std::ffi::c_void;

use skua_engine::abi::nt::{LOOKASIDE_LIST_EX, NPAGED_LOOKASIDE_LIST, POOL_TYPE};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};

use crate::pool::{ExAllocatePoolWithTag, ExFreePool};

/// The driver's own allocation, of either kind of list: the older one ignores the last argument.
type Allocate = unsafe extern "C" fn(POOL_TYPE, usize, u32, *mut c_void) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// What a list of either kind holds.
#[repr(C)]
#[derive(Clone, Copy)]
struct List {
    allocate: Option<Allocate>,
    free: Option<Free>,
    size: usize,
    pool_type: POOL_TYPE,
    tag: u32,
}
const _: () = assert!(size_of::<List>() <= size_of::<LOOKASIDE_LIST_EX>());
const _: () = assert!(size_of::<List>() <= size_of::<NPAGED_LOOKASIDE_LIST>());

routines! {
    /// ExInitializeNPagedLookasideList.
    contract fn ExInitializeNPagedLookasideList(
        list: *mut NPAGED_LOOKASIDE_LIST,
        allocate: Option<Allocate>,
        free: Option<Free>,
        _flags: u32,
        size: usize,
        tag: u32,
        _depth: u16,
    ) {
        list.cast::<List>().write(List { allocate, free, size, pool_type: 0, tag })
    }

    /// ExInitializePagedLookasideList.
    contract fn ExInitializePagedLookasideList(
        list: *mut NPAGED_LOOKASIDE_LIST,
        allocate: Option<Allocate>,
        free: Option<Free>,
        _flags: u32,
        size: usize,
        tag: u32,
        _depth: u16,
    ) {
        list.cast::<List>().write(List { allocate, free, size, pool_type: 1, tag })
    }

    /// ExDeleteNPagedLookasideList.
    contract fn ExDeleteNPagedLookasideList(list: *mut NPAGED_LOOKASIDE_LIST) {
        list.write_bytes(0, 1)
    }

    /// ExAllocateFromNPagedLookasideList.
    contract fn ExAllocateFromNPagedLookasideList(list: *mut NPAGED_LOOKASIDE_LIST) -> *mut c_void {
        take(list.cast())
    }

    /// ExFreeToNPagedLookasideList.
    contract fn ExFreeToNPagedLookasideList(list: *mut NPAGED_LOOKASIDE_LIST, entry: *mut c_void) {
        give(list.cast(), entry)
    }

    /// ExInitializeLookasideListEx.
    contract fn ExInitializeLookasideListEx(
        list: *mut LOOKASIDE_LIST_EX,
        allocate: Option<Allocate>,
        free: Option<Free>,
        pool_type: POOL_TYPE,
        _flags: u32,
        size: usize,
        tag: u32,
        _depth: u16,
    ) -> NTSTATUS {
        list.cast::<List>().write(List { allocate, free, size, pool_type, tag });
        STATUS_SUCCESS
    }

    /// ExDeleteLookasideListEx.
    contract fn ExDeleteLookasideListEx(list: *mut LOOKASIDE_LIST_EX) {
        list.write_bytes(0, 1)
    }

    /// ExFlushLookasideListEx: there is nothing to flush.
    fn ExFlushLookasideListEx(_list: *mut LOOKASIDE_LIST_EX) {}

    /// ExAllocateFromLookasideListEx.
    contract fn ExAllocateFromLookasideListEx(list: *mut LOOKASIDE_LIST_EX) -> *mut c_void {
        take(list.cast())
    }

    /// ExFreeToLookasideListEx.
    contract fn ExFreeToLookasideListEx(list: *mut LOOKASIDE_LIST_EX, entry: *mut c_void) {
        give(list.cast(), entry)
    }
}

/// # Safety
/// `list` is initialised.
unsafe fn take(list: *mut List) -> *mut c_void {
    // SAFETY: the caller's promise.
    let known = unsafe { list.read() };
    match known.allocate {
        // SAFETY: the driver's routine, as it asked.
        Some(allocate) => unsafe { allocate(known.pool_type, known.size, known.tag, list.cast()) },
        None => ExAllocatePoolWithTag(known.pool_type, known.size, known.tag),
    }
}

/// # Safety
/// `list` is initialised, and `entry` came from it.
unsafe fn give(list: *mut List, entry: *mut c_void) {
    // SAFETY: the caller's promise.
    match unsafe { (*list).free } {
        // SAFETY: the driver's routine, as it asked.
        Some(free) => unsafe { free(entry, list.cast()) },
        // SAFETY: the caller's promise.
        None => unsafe { ExFreePool(entry) },
    }
}
