//! Puts datagrams together for one system call: their pieces of memory, in place.

// UNSAFETY: makes slices of the client's memory.
#![expect(unsafe_code, reason = "the stack reads the client's buffers in place")]

use std::io::IoSlice;
use std::ops::Range;

use arrayvec::ArrayVec;
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use skua_engine::abi::wsk::WSK_BUF;

use super::messages::Messages;
use crate::HostKernel;
use crate::buffer::Pieces;
use crate::os::Message;

/// Datagrams in one system call at most.
const MESSAGES: usize = 64;
/// Pieces of all of them at most; a datagram of more cannot be sent.
const PARTS: usize = 256;

/// Bytes of one message that is cut by the stack at most: what any IP packet has room for.
const LARGEST_CUT: usize = 65_000;
/// Datagrams that a stack cuts one message into at most (UDP_MAX_SEGMENTS of older Linux).
const MOST_CUT: usize = 64;

/// What is left of a request, and how it is to be cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) messages: Messages,
    /// Bytes of the first buffer that are sent already.
    pub(super) skip: usize,
    /// Datagrams have so many bytes at most.
    pub(super) segment: Option<u16>,
}

impl Left {
    /// Steps over `message`, which was sent.
    pub(super) fn step(&mut self, message: &Message) {
        if message.is_last {
            self.skip = 0;
            self.messages.advance();
        } else {
            self.skip += message.bytes;
        }
    }

    /// Bytes of one message: one datagram where the stack does not cut, else as many as it takes at once.
    fn most(&self, stack_cuts: bool) -> usize {
        match self.segment.map(usize::from) {
            None => usize::MAX,
            Some(segment) if stack_cuts => segment * MOST_CUT.min(LARGEST_CUT / segment).max(1),
            Some(segment) => segment,
        }
    }
}

/// Some of a request's messages.
pub(super) struct Gathered<'a> {
    pub(super) messages: ArrayVec<Message, MESSAGES>,
    pub(super) parts: ArrayVec<IoSlice<'a>, PARTS>,
    /// What was wrong with the buffer after the last one here.
    pub(super) failed: Option<NTSTATUS>,
}

impl<'a> Gathered<'a> {
    /// As much of what is `left`, from the first on, as fits. Nothing, and no failure, when nothing is left.
    ///
    /// # Safety
    /// The slices are used only while the request that lent the messages is not completed.
    pub(super) unsafe fn collect(kernel: &HostKernel, mut left: Left, stack_cuts: bool) -> Self {
        let mut gathered = Self { messages: ArrayVec::new(), parts: ArrayVec::new(), failed: None };
        let most = left.most(stack_cuts);
        while let Some(buffer) = left.messages.first() {
            let first = gathered.parts.len();
            let behind = buffer.Length.saturating_sub(left.skip);
            let bytes = behind.min(most);
            let is_last = bytes == behind;
            // SAFETY: the chain is the provider's.
            let added = unsafe { gathered.add(kernel, &buffer, left.skip..left.skip + bytes, is_last) };
            match added {
                Ok(()) => {
                    let message = Message { first, parts: gathered.parts.len() - first, bytes, is_last };
                    left.step(&message);
                    gathered.messages.push(message);
                }
                Err(status) => {
                    gathered.parts.truncate(first);
                    // What did not fit behind others has its turn in the next system call.
                    let later = status == STATUS_INSUFFICIENT_RESOURCES && !gathered.messages.is_empty();
                    gathered.failed = (!later).then_some(status);
                    break;
                }
            }
        }
        gathered
    }

    /// Adds the pieces of memory behind `bytes` of `buffer`. Before the first of several messages the whole chain is
    /// looked at, so that nothing is sent of a buffer that is broken.
    ///
    /// # Safety
    /// As for [`Pieces::new`], and as long as the slices are used.
    unsafe fn add(
        &mut self,
        kernel: &HostKernel,
        buffer: &WSK_BUF,
        bytes: Range<usize>,
        is_last: bool,
    ) -> Result<(), NTSTATUS> {
        if self.messages.is_full() {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        // SAFETY: the caller's promise.
        let pieces = || unsafe { Pieces::new(kernel, buffer) };
        if bytes.start == 0 && !is_last {
            pieces().try_for_each(|piece| piece.map(drop))?;
        }
        let mut at = 0;
        for piece in pieces() {
            let piece = piece?;
            let from = bytes.start.saturating_sub(at).min(piece.bytes);
            let to = bytes.end.saturating_sub(at).min(piece.bytes);
            at += piece.bytes;
            if from < to {
                // SAFETY: within a piece that is live and the provider's to read while the request lasts.
                let part = unsafe { std::slice::from_raw_parts(piece.at.wrapping_add(from), to - from) };
                self.parts.try_push(IoSlice::new(part)).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
            }
            if at >= bytes.end {
                break;
            }
        }
        Ok(())
    }
}
