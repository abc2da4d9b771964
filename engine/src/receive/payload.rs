//! The bytes of a datagram, where the provider left them.

// UNSAFETY: reads memory that the provider lends, through the addresses its MDLs give.
#![expect(unsafe_code, reason = "an MDL of a lent indication describes mapped memory until it is given back")]

use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};

use crate::abi::nt::{MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL};
use crate::abi::wsk::WSK_BUF;
use crate::kernel::Kernel;
use crate::reason::DropReason;

/// MDLs that one datagram may span: 65,535 bytes in fragments of the smallest IPv6 link are 53 of them. A chain beyond it
/// is malformed, which also ends a chain that runs in a circle.
const MDLS: usize = 64;

/// MDLs that one piece of a stream may span, likewise: as many as its bytes, but not more than this.
pub(super) const STREAM_MDLS: usize = 4096;

/// Flags of an MDL that has a system address.
const MAPPED: u16 = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL;

/// The bytes of one datagram: the first span at hand, the rest behind a chain of MDLs.
///
/// They lie in memory that is lent: a network card or a sender on the same machine may still write there. So a view
/// copies bytes out, each read once, and never shows them as a slice.
///
/// # Invariants
/// `first` points at `first_length` mapped bytes, and every MDL of `rest` that `length` reaches is mapped, until the
/// indication is given back.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    first: NonNull<u8>,
    first_length: u32,
    length: u32,
    rest: *mut MDL,
    lent: PhantomData<&'a ()>,
}

impl Payload<'_> {
    /// A datagram without bytes.
    pub(crate) const EMPTY: Payload<'static> = Payload {
        first: NonNull::dangling(),
        first_length: 0,
        length: 0,
        rest: null_mut(),
        lent: PhantomData,
    };

    /// Bytes that lie in a buffer of the engine's own.
    pub(crate) fn in_buffer<'a>(data: NonNull<u8>, length: u32) -> Payload<'a> {
        Payload { first: data, first_length: length, length, rest: null_mut(), lent: PhantomData }
    }

    /// Checks what `buffer` describes against its MDL chain, and maps what is not mapped.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] where lengths and chain contradict each other, [`DropReason::MapFailed`] where the
    /// system has no mapping to give, [`DropReason::Oversize`] beyond 65,535 bytes.
    ///
    /// # Safety
    /// `buffer` is part of an indication that is lent for `'a`.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub(crate) unsafe fn of<'a, K: Kernel>(kernel: &K, buffer: &WSK_BUF) -> Result<Payload<'a>, DropReason> {
        if buffer.Length > usize::from(u16::MAX) {
            return Err(DropReason::Oversize);
        }
        // SAFETY: the caller's promise.
        unsafe { Self::within(kernel, buffer, MDLS) }
    }

    /// The same for a buffer of several datagrams, which may span as many MDLs as they do together.
    ///
    /// # Errors
    /// As [`Payload::of`].
    ///
    /// # Safety
    /// As [`Payload::of`].
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(super) unsafe fn of_coalesced<'a, K: Kernel>(
        kernel: &K,
        buffer: &WSK_BUF,
    ) -> Result<Payload<'a>, DropReason> {
        if buffer.Length > usize::from(u16::MAX) {
            return Err(DropReason::Oversize);
        }
        // SAFETY: the caller's promise.
        unsafe { Self::within(kernel, buffer, STREAM_MDLS) }
    }

    /// The same for a piece of a stream, which may be as long as 32 bits can say.
    ///
    /// # Errors
    /// As [`Payload::of`].
    ///
    /// # Safety
    /// As [`Payload::of`].
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) unsafe fn of_stream<'a, K: Kernel>(
        kernel: &K,
        buffer: &WSK_BUF,
    ) -> Result<Payload<'a>, DropReason> {
        // SAFETY: the caller's promise.
        unsafe { Self::within(kernel, buffer, STREAM_MDLS) }
    }

    /// # Safety
    /// As [`Payload::of`].
    #[inline]
    unsafe fn within<'a, K: Kernel>(
        kernel: &K,
        buffer: &WSK_BUF,
        mdls: usize,
    ) -> Result<Payload<'a>, DropReason> {
        let WSK_BUF { Mdl: mdl, Offset: offset, Length: length } = *buffer;
        if length == 0 {
            return Ok(Payload::EMPTY);
        }
        let Ok(length) = u32::try_from(length) else { return Err(DropReason::Oversize) };
        if mdl.is_null() {
            return Err(DropReason::Malformed);
        }
        // SAFETY: the MDL is part of the lent indication.
        let (address, bytes) = unsafe { map(kernel, mdl) }?;
        let Some(room) = bytes.checked_sub(offset) else { return Err(DropReason::Malformed) };
        // SAFETY: `offset` is at most `bytes`, which are mapped at `address`.
        let first = unsafe { address.add(offset as usize) };
        // SAFETY: as for `mdl`.
        let rest = unsafe { (*mdl).Next };
        let payload = Payload { first, first_length: room.min(length), length, rest, lent: PhantomData };
        if room < length {
            // SAFETY: the chain is part of the lent indication.
            unsafe { map_rest(kernel, rest, length - room, mdls) }?;
        }
        Ok(payload)
    }

    /// What [`Payload::from_spans`] makes it of again.
    #[inline]
    pub(super) fn spans(&self) -> (NonNull<u8>, u32, u32, *mut MDL) {
        (self.first, self.first_length, self.length, self.rest)
    }

    /// `length` bytes: `first_length` at `first`, and what is left of them behind the chain `rest`.
    ///
    /// # Safety
    /// They are lent for `'a` and mapped, as the type's invariant has it.
    #[inline]
    pub(super) unsafe fn from_spans<'a>(
        first: NonNull<u8>,
        first_length: u32,
        length: u32,
        rest: *mut MDL,
    ) -> Payload<'a> {
        Payload { first, first_length, length, rest, lent: PhantomData }
    }

    /// Bytes in the datagram.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether the datagram has no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether the bytes lie in one piece.
    #[inline]
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        self.first_length == self.length
    }

    /// How many bytes lie in one piece from the first on: all, unless the stack has split the datagram.
    #[inline]
    #[must_use]
    pub fn first_len(&self) -> u32 {
        self.first_length
    }

    /// Where the first byte lies: for comparing addresses, not for reading.
    #[inline]
    #[must_use]
    pub fn address(&self) -> *const u8 {
        self.first.as_ptr()
    }

    /// Copies from the start of the datagram into `to`; how many bytes were there.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub fn copy_to(&self, to: &mut [u8]) -> usize {
        if to.len() <= self.first_length as usize {
            // A copy whose length the caller's code knows is a few moves.
            // SAFETY: the span is mapped for `first_length` bytes, `to` is writable, and is no lent memory.
            unsafe { core::ptr::copy_nonoverlapping(self.first.as_ptr(), to.as_mut_ptr(), to.len()) };
            return to.len();
        }
        // SAFETY: `to` is writable for its length.
        unsafe { self.copy_to_ptr(to.as_mut_ptr(), to.len()) }
    }

    /// Copies at most `room` bytes from the start of the datagram to `to`; how many were copied.
    ///
    /// # Safety
    /// `to` is writable for `room` bytes and overlaps no lent memory.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub unsafe fn copy_to_ptr(&self, to: *mut u8, room: usize) -> usize {
        let first = (self.first_length as usize).min(room);
        // SAFETY: the span is mapped for `first_length` bytes, `to` is writable for `room`, and they do not overlap.
        unsafe { core::ptr::copy_nonoverlapping(self.first.as_ptr(), to, first) };
        if first == room || self.first_length == self.length {
            return first;
        }
        // SAFETY: `first` is below `room`.
        let to = unsafe { to.add(first) };
        // SAFETY: the caller's promise, less what is written.
        first + unsafe { self.copy_rest(to, 0, room.min(self.len()) - first) }
    }

    /// The first `N` bytes; `None` where the datagram has fewer.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    #[must_use]
    pub fn read<const N: usize>(&self) -> Option<[u8; N]> {
        if N <= self.first_length as usize {
            // SAFETY: the span is mapped for `first_length` bytes; an array of octets has no alignment to keep.
            return Some(unsafe { self.first.cast::<[u8; N]>().read() });
        }
        if N > self.len() {
            return None;
        }
        let mut bytes = [0; N];
        // By value, so that a payload that is read only here needs no place in memory.
        let Self { first, first_length, length, rest, .. } = *self;
        // SAFETY: `bytes` is writable for N bytes, and the spans are this payload's.
        let copied = unsafe { copy_spans(first, first_length, length, rest, bytes.as_mut_ptr(), N) };
        (copied == N).then_some(bytes)
    }

    /// Copies what comes after the first `skip` bytes into `to`; how many bytes were there.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn copy_from(&self, skip: usize, to: &mut [u8]) -> usize {
        let room = to.len().min(self.len().saturating_sub(skip));
        let in_first = (self.first_length as usize).saturating_sub(skip).min(room);
        if in_first != 0 {
            // SAFETY: `skip` is below `first_length`.
            let from = unsafe { self.first.add(skip) };
            // SAFETY: the span is mapped for `in_first` bytes more, `to` is writable, and is no lent memory.
            unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), in_first) };
        }
        let Some(rest) = to.get_mut(in_first..room).filter(|rest| !rest.is_empty()) else { return in_first };
        let skip = skip.saturating_sub(self.first_length as usize);
        // SAFETY: `rest` is writable for its length, and is no lent memory.
        in_first + unsafe { self.copy_rest(rest.as_mut_ptr(), skip, rest.len()) }
    }

    /// Copies `wanted` bytes of the chain behind the first MDL, after `skip` of them; how many were there.
    ///
    /// # Safety
    /// `to` is writable for `wanted` bytes and overlaps no lent memory.
    unsafe fn copy_rest(&self, to: *mut u8, mut skip: usize, wanted: usize) -> usize {
        let mut copied = 0;
        let mut mdl = self.rest;
        // The chain was walked when it was mapped; it is bounded again because it lies in memory that is not ours.
        for _ in 0..STREAM_MDLS {
            if copied == wanted || mdl.is_null() {
                break;
            }
            // SAFETY: the MDL is part of the lent indication.
            let part = unsafe { mdl.read() };
            mdl = part.Next;
            let skipped = skip.min(part.ByteCount as usize);
            skip -= skipped;
            let bytes = (part.ByteCount as usize - skipped).min(wanted - copied);
            if bytes == 0 {
                continue;
            }
            let Some(from) = NonNull::new(part.MappedSystemVa.cast::<u8>()) else { break };
            // SAFETY: `skipped` is at most ByteCount, for which the MDL was mapped.
            let from = unsafe { from.add(skipped) };
            // SAFETY: `copied` is below `wanted`.
            let at = unsafe { to.add(copied) };
            // SAFETY: the MDL was mapped for ByteCount bytes, `at` has room for `wanted - copied`.
            unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), at, bytes) };
            copied += bytes;
        }
        copied
    }
}

/// [`Payload::copy_to_ptr`] of a payload in its parts.
///
/// # Safety
/// The spans are a payload's, and `to` as [`Payload::copy_to_ptr`] wants it.
#[cold]
#[inline(never)]
unsafe fn copy_spans(
    first: NonNull<u8>,
    first_length: u32,
    length: u32,
    rest: *mut MDL,
    to: *mut u8,
    room: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let payload = unsafe { Payload::from_spans(first, first_length, length, rest) };
    // SAFETY: the caller's promise.
    unsafe { payload.copy_to_ptr(to, room) }
}

/// Where a buffer begins, and its length, if it lies in one span that is mapped. `None` for any other, also for one that is no
/// good. The length is what the buffer says: it is for the caller to see that it is no more than a datagram's, and only then
/// do the bytes lie there.
///
/// # Safety
/// `buffer` is part of a lent indication.
#[inline]
pub(super) unsafe fn in_one_span(buffer: &WSK_BUF) -> Option<(NonNull<u8>, usize)> {
    let WSK_BUF { Mdl: mdl, Offset: offset, Length: length } = *buffer;
    // SAFETY: the MDL is part of the lent indication, and nobody maps it meanwhile.
    let mdl = unsafe { mdl.as_ref() }?;
    if mdl.MdlFlags & MAPPED == 0 {
        return None;
    }
    // A length that makes this wrap is more than a datagram's.
    if (offset as usize).wrapping_add(length) > mdl.ByteCount as usize {
        return None;
    }
    // An MDL with one of these flags has a system address: MmGetSystemAddressForMdlSafe takes it unseen (wdm.h).
    let start = mdl.MappedSystemVa.cast::<u8>().wrapping_add(offset as usize);
    // SAFETY: an offset into memory that is mapped does not lead to null.
    Some((unsafe { NonNull::new_unchecked(start) }, length))
}

/// Maps the chain from `mdl` on until it holds `wanted` bytes.
///
/// # Safety
/// The chain is part of a lent indication.
unsafe fn map_rest<K: Kernel>(
    kernel: &K,
    mut mdl: *mut MDL,
    mut wanted: u32,
    mdls: usize,
) -> Result<(), DropReason> {
    for _ in 0..mdls {
        if mdl.is_null() {
            break;
        }
        // SAFETY: the caller's promise.
        let (_, bytes) = unsafe { map(kernel, mdl) }?;
        if bytes >= wanted {
            return Ok(());
        }
        wanted -= bytes;
        // SAFETY: the caller's promise.
        mdl = unsafe { (*mdl).Next };
    }
    Err(DropReason::Malformed)
}

/// MmGetSystemAddressForMdlSafe: the system address of an MDL, and how many bytes are there.
///
/// # Safety
/// `mdl` is part of a lent indication.
#[inline]
unsafe fn map<K: Kernel>(kernel: &K, mdl: *mut MDL) -> Result<(NonNull<u8>, u32), DropReason> {
    // SAFETY: the caller's promise.
    let flags = unsafe { (*mdl).MdlFlags };
    // SAFETY: the caller's promise.
    let bytes = unsafe { (*mdl).ByteCount };
    if bytes == 0 {
        return Ok((NonNull::dangling(), 0));
    }
    let address = if flags & MAPPED != 0 {
        // SAFETY: the caller's promise.
        unsafe { (*mdl).MappedSystemVa }
    } else {
        // SAFETY: a lent MDL describes locked pages (WSK docs, WSK_BUF).
        unsafe { kernel.mm_map_locked_pages_specify_cache(mdl) }
    };
    NonNull::new(address.cast()).map(|address| (address, bytes)).ok_or(DropReason::MapFailed)
}
