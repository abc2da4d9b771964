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

    /// Bytes of one message, which the stack cuts into `segments` datagrams at most.
    fn most(&self, segments: usize) -> usize {
        match self.segment.map(usize::from) {
            None => usize::MAX,
            Some(segment) => segment * segments.min(LARGEST_CUT / segment).max(1),
        }
    }
}

/// Some of a request's messages.
pub(super) struct Gathered<'a> {
    pub(super) messages: ArrayVec<Message, MESSAGES>,
    pub(super) parts: ArrayVec<IoSlice<'a>, PARTS>,
    /// What was wrong with the buffer after the last one here.
    pub(super) failed: Option<NTSTATUS>,
    /// What is left behind the last one here.
    pub(super) behind: Left,
    /// Bytes of all messages.
    pub(super) bytes: usize,
}

impl<'a> Gathered<'a> {
    /// Nothing yet of what is `left`.
    #[inline]
    pub(super) fn of(left: Left) -> Self {
        Self { messages: ArrayVec::new(), parts: ArrayVec::new(), failed: None, behind: left, bytes: 0 }
    }

    /// Adds as much, from the first on, as fits, where the stack cuts a message into `segments` datagrams. Nothing, and no
    /// failure, when nothing is left.
    ///
    /// # Safety
    /// The slices are used only while the request that lent the messages is not completed.
    pub(super) unsafe fn collect(&mut self, kernel: &HostKernel, segments: usize) {
        let most = self.behind.most(segments);
        while let Some(buffer) = self.behind.messages.first() {
            let first = self.parts.len();
            let skip = self.behind.skip;
            let rest = buffer.Length.saturating_sub(skip);
            let bytes = rest.min(most);
            let is_last = bytes == rest;
            // SAFETY: the chain is the provider's.
            let added = unsafe { self.add(kernel, &buffer, skip..skip + bytes, is_last) };
            match added {
                Ok(()) => {
                    let message = Message { first, parts: self.parts.len() - first, bytes, is_last };
                    self.behind.step(&message);
                    self.bytes += bytes;
                    self.messages.push(message);
                }
                Err(status) => {
                    self.parts.truncate(first);
                    // What did not fit behind others has its turn in the next system call.
                    let later = status == STATUS_INSUFFICIENT_RESOURCES && !self.messages.is_empty();
                    self.failed = (!later).then_some(status);
                    break;
                }
            }
        }
    }

    /// Adds the pieces of memory behind `bytes` of `buffer`. Before the first of several messages the whole chain is
    /// looked at, so that nothing is sent of a buffer that is broken.
    ///
    /// # Safety
    /// As for [`Pieces::new`], and as long as the slices are used.
    #[inline]
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
