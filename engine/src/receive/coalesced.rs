//! A coalesced buffer: several datagrams of one size in one indication, handed on one by one where they lie.

// UNSAFETY: follows the MDL chain of an indication that is lent.
#![expect(unsafe_code, reason = "the chain was mapped when the indication was gathered, and stays lent")]

use core::ptr::NonNull;

use crate::abi::nt::MDL;
use crate::abi::wsk::WSK_DATAGRAM_INDICATION;
use crate::receive::ancillary::Ancillary;
use crate::receive::entry::{Entry, Facts};
use crate::receive::payload::{Payload, STREAM_MDLS};

/// What is left of a coalesced buffer.
///
/// All parts have the size that UDP_COALESCED_INFO gave, and the last one what is left (WSK docs, UDP Receive
/// Segment Coalescing Offload).
/// They share the indication: no part is lent on its own, so what a handler keeps of one is copied.
///
/// # Invariants
/// `in_span` bytes at `at` are mapped, and the chain from `rest` on was mapped for what `left` goes beyond them.
pub(crate) struct Split {
    node: NonNull<WSK_DATAGRAM_INDICATION>,
    at: NonNull<u8>,
    in_span: u32,
    rest: *mut MDL,
    left: u32,
    size: u32,
    pub facts: Facts,
}

// SAFETY: addresses of lent memory, used by the one thread that holds the shard.
unsafe impl Send for Split {}

impl Split {
    /// Begins at the first part of `payload`, which has more than one; `size` is not 0.
    pub(super) fn new(
        node: NonNull<WSK_DATAGRAM_INDICATION>,
        payload: &Payload<'_>,
        size: u32,
        facts: Facts,
    ) -> Self {
        let (at, in_span, left, rest) = payload.spans();
        Self { node, at, in_span, rest, left, size, facts }
    }

    /// The indication that all parts are of.
    pub(super) fn node(&self) -> NonNull<WSK_DATAGRAM_INDICATION> {
        self.node
    }

    /// The next part; `None` after the last.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Entry> {
        if self.left == 0 {
            return None;
        }
        let length = self.size.min(self.left);
        self.left -= length;
        if length >= self.in_span {
            return Some(self.at_end_of_span(length));
        }
        let part = Entry::part(self.node, self.at, length, 0, self.rest);
        self.move_in_span(length);
        Some(part)
    }

    /// A part that takes all that its first span has left, and perhaps more.
    #[cold]
    fn at_end_of_span(&mut self, length: u32) -> Entry {
        let beyond = length - self.in_span;
        let part = Entry::part(self.node, self.at, self.in_span, beyond, self.rest);
        self.in_span = 0;
        let mut passed = beyond;
        // Bounded once more, because the chain lies in memory that is not ours. Where it has become shorter than it was, the
        // parts that it no longer holds are seen to be without bytes by whoever copies them.
        for _ in 0..STREAM_MDLS {
            let Some(mdl) = NonNull::new(self.rest) else { break };
            // SAFETY: the MDL is part of the lent indication.
            let mdl = unsafe { mdl.read() };
            self.rest = mdl.Next;
            if mdl.ByteCount <= passed {
                passed -= mdl.ByteCount;
                continue;
            }
            if let Some(start) = NonNull::new(mdl.MappedSystemVa.cast::<u8>()) {
                self.at = start;
                self.in_span = mdl.ByteCount;
                self.move_in_span(passed);
            }
            break;
        }
        part
    }

    /// Moves by `bytes`, which the span has.
    #[inline]
    fn move_in_span(&mut self, bytes: u32) {
        // SAFETY: at most `in_span` bytes on.
        self.at = unsafe { self.at.add(bytes as usize) };
        self.in_span -= bytes;
    }
}

/// How many datagrams a buffer of `length` bytes holds: one where it is longer than any that is taken apart.
pub(super) fn parts(length: usize, size: Option<u32>) -> u64 {
    match size {
        Some(size) if size != 0 && (size as usize) < length && length <= usize::from(u16::MAX) => {
            length.div_ceil(size as usize) as u64
        }
        _ => 1,
    }
}

/// How many datagrams an indication says that it holds.
///
/// # Safety
/// The indication is lent.
#[cold]
pub(super) unsafe fn datagrams(indication: &WSK_DATAGRAM_INDICATION) -> u64 {
    // SAFETY: the control data is part of the lent indication.
    let said = unsafe { Ancillary::read(indication.ControlInfo, indication.ControlInfoLength) };
    parts(indication.Buffer.Length, said.ok().and_then(|said| said.coalesced))
}
