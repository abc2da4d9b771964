//! Puts datagrams together for one system call: their pieces of memory, in place.

// UNSAFETY: makes slices of the client's memory.
#![expect(unsafe_code, reason = "the stack reads the client's buffers in place")]

use std::io::IoSlice;

use arrayvec::ArrayVec;
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use super::messages::Messages;
use crate::HostKernel;
use crate::buffer::Pieces;
use crate::os::Message;

/// Datagrams in one system call at most.
const MESSAGES: usize = 64;
/// Pieces of all of them at most; a datagram of more cannot be sent.
const PARTS: usize = 256;

/// Some of a request's datagrams.
pub(crate) struct Gathered<'a> {
    pub(crate) messages: ArrayVec<Message, MESSAGES>,
    pub(crate) parts: ArrayVec<IoSlice<'a>, PARTS>,
    /// What was wrong with the datagram after the last one here.
    pub(crate) failed: Option<NTSTATUS>,
}

impl<'a> Gathered<'a> {
    /// As many of `messages`, from the first on, as fit. None of them, and no failure, when none is left.
    ///
    /// # Safety
    /// The slices are used only while the request that lent `messages` is not completed.
    pub(crate) unsafe fn collect(kernel: &HostKernel, mut messages: Messages) -> Self {
        let mut gathered = Self { messages: ArrayVec::new(), parts: ArrayVec::new(), failed: None };
        while let Some(buffer) = messages.first() {
            let first = gathered.parts.len();
            let full = gathered.messages.is_full();
            // SAFETY: the chain is the provider's.
            let pieces = unsafe { Pieces::new(kernel, &buffer) };
            match if full { Err(STATUS_INSUFFICIENT_RESOURCES) } else { gathered.add(pieces) } {
                Ok(()) => {
                    let parts = gathered.parts.len() - first;
                    gathered.messages.push(Message { first, parts, bytes: buffer.Length });
                    messages.advance();
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

    fn add(&mut self, pieces: Pieces<'_>) -> Result<(), NTSTATUS> {
        for piece in pieces {
            let piece = piece?;
            // SAFETY: the piece is live and the provider's to read while the request lasts.
            let part = IoSlice::new(unsafe { std::slice::from_raw_parts(piece.at, piece.bytes) });
            self.parts.try_push(part).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        }
        Ok(())
    }
}
