//! A list of indications, and the least that anybody can do with one.

// UNSAFETY: follows the links of a list and reads what it describes.
#![expect(unsafe_code, reason = "indications are linked by address")]

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use skua_engine::abi::nt::MDL;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_DATAGRAM_INDICATION;
use skua_hosted::Prepared;

/// Bytes that are read of each datagram.
pub const READ: usize = 16;

/// A list that the hosted provider built, as it would indicate it.
///
/// # Invariants
/// `first` is the first node of `_prepared`, linked as it was when it was indicated, and nobody indicates it any more.
/// Every payload is in one piece, mapped, and of at least [`READ`] bytes.
pub struct Indications {
    pub(crate) first: NonNull<WSK_DATAGRAM_INDICATION>,
    pub(crate) _prepared: Prepared,
}

impl Indications {
    /// Adds up the first [`READ`] bytes of each datagram: a loop over the list and nothing else.
    #[inline]
    #[must_use]
    pub fn walk(&self) -> u64 {
        // SAFETY: the list is whole, by the invariant.
        unsafe { sum(self.first.as_ptr()) }
    }

    /// The same behind one call that the compiler cannot see through, which is how a provider calls.
    #[inline]
    #[must_use]
    pub fn walk_behind_call(&self) -> u64 {
        let callback: crate::tap::Callback = std::hint::black_box(walk_event);
        let mut total = 0_u64;
        // SAFETY: the context is a sum, the list is whole.
        let status = unsafe { callback((&raw mut total).cast(), 0, self.first.as_ptr()) };
        debug_assert!(status.is_success());
        total
    }

    /// Copies each datagram behind `header` bytes into `to`, from its start again when it is full: what a record costs
    /// when nobody counts or checks.
    #[inline]
    pub fn copy(&self, header: &[u8], to: &mut [u8], at: &mut usize) {
        let mut next = self.first.as_ptr();
        while let Some(node) = NonNull::new(next) {
            // SAFETY: a node of the list.
            let indication = unsafe { node.as_ref() };
            // SAFETY: as above.
            let source = unsafe { payload(indication) };
            let end = *at + header.len() + indication.Buffer.Length;
            if end > to.len() {
                *at = 0;
                continue;
            }
            // SAFETY: the payload is in one piece and mapped.
            let bytes = unsafe { std::slice::from_raw_parts(source, indication.Buffer.Length) };
            let (head, body) = to[*at..end].split_at_mut(header.len());
            head.copy_from_slice(header);
            body.copy_from_slice(bytes);
            *at = end.next_multiple_of(8);
            next = indication.Next;
        }
    }
}

unsafe extern "C" fn walk_event(
    context: *mut c_void,
    _flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the caller's list.
    let total = unsafe { sum(list) };
    // SAFETY: the caller's sum.
    unsafe { context.cast::<u64>().write(total) };
    STATUS_SUCCESS
}

/// # Safety
/// `next` is null or begins a list as [`Indications`] has it.
#[inline]
unsafe fn sum(mut next: *mut WSK_DATAGRAM_INDICATION) -> u64 {
    let mut total = 0_u64;
    while let Some(node) = NonNull::new(next) {
        // SAFETY: a node of the list.
        let indication = unsafe { node.as_ref() };
        // SAFETY: as above.
        let source = unsafe { payload(indication) }.cast::<[u64; READ / 8]>();
        // SAFETY: at least READ bytes are there; where they begin is the allocator's choice.
        let words = unsafe { ptr::read_unaligned(source) };
        total = words.iter().fold(total, |total, word| total.wrapping_add(*word));
        next = indication.Next;
    }
    total
}

/// Where a datagram begins.
///
/// # Safety
/// The indication is of a list as [`Indications`] has it.
#[inline]
unsafe fn payload(indication: &WSK_DATAGRAM_INDICATION) -> *const u8 {
    let mdl: *const MDL = indication.Buffer.Mdl;
    // SAFETY: every datagram has an MDL.
    let start = unsafe { (*mdl).MappedSystemVa };
    start.cast::<u8>().wrapping_add(indication.Buffer.Offset as usize)
}
