//! What the pump has received and the client has not: it fills requests, and is indicated.

// UNSAFETY: receives into pieces, and copies into buffers that clients lent.
#![expect(unsafe_code, reason = "pieces and buffers are raw memory")]

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_INSUFFICIENT_RESOURCES, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_FLAG_DRAIN, WSK_FLAG_RELEASE_ASAP, WSK_FLAG_WAITALL};
use socket2::MaybeUninitSlice;

use super::piece::{PIECE_BYTES, Piece};
use super::receive::StreamReceive;
use super::socket::StreamSocket;
use crate::buffer::{PIECES, pieces_behind};
use crate::os::tcp::Attempt;

/// Pieces of one indication list at most.
const LIST: usize = 4;

/// See the head of the file.
///
/// # Invariants
/// `held` lacks nothing of the stream but its first `start` bytes, which are fewer than its first piece has.
#[derive(Default)]
pub(super) struct Intake {
    held: VecDeque<Piece>,
    start: usize,
    /// Empty pieces, so that few are allocated.
    spare: Vec<Piece>,
}

impl Intake {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Fills a request as far as there is data; `Done` says what it ends with, `Failed` that the connection is broken.
    pub(super) fn serve(&mut self, socket: &StreamSocket, receive: &mut StreamReceive) -> Attempt<Served> {
        if receive.flags & WSK_FLAG_DRAIN != 0 {
            return self.drain(socket);
        }
        loop {
            // SAFETY: the client lent the buffer until the request completes.
            let room = match unsafe { pieces_behind(&socket.kernel, &receive.buffer, receive.received) } {
                Ok(room) => room,
                Err(status) => return Attempt::Done(Served { status, ended: false }),
            };
            let received = if room.is_empty() {
                return Attempt::Done(Served::ENOUGH);
            } else if self.is_empty() {
                let mut slices: ArrayVec<MaybeUninitSlice<'_>, PIECES> = ArrayVec::new();
                for piece in &room {
                    // SAFETY: live for its length and the provider's to write.
                    let slice = unsafe { std::slice::from_raw_parts_mut(piece.at.cast(), piece.bytes) };
                    slices.push(MaybeUninitSlice::new(slice));
                }
                match socket.wire().receive(&mut slices) {
                    Attempt::Done(0) => return Attempt::Done(Served::AT_END),
                    Attempt::Done(bytes) => bytes,
                    Attempt::NotYet => return Attempt::NotYet,
                    Attempt::Failed(status) => return Attempt::Failed(status),
                }
            } else {
                let bytes = self.copy(room[0].at, room[0].bytes);
                self.note(socket);
                bytes
            };
            receive.received += received;
            // What is held goes on into the next piece of the buffer; what is not, waits for the next segment.
            let goes_on = receive.flags & WSK_FLAG_WAITALL != 0 || !self.is_empty();
            if !goes_on {
                return Attempt::Done(Served::ENOUGH);
            }
        }
    }

    /// Receives from the stack into pieces, and says how much.
    pub(super) fn fill(&mut self, socket: &StreamSocket) -> Attempt<usize> {
        let mut pieces: ArrayVec<Piece, LIST> = ArrayVec::new();
        while let Some(piece) = self.spare.pop().or_else(|| Piece::new(&socket.kernel)) {
            pieces.push(piece);
            if pieces.is_full() {
                break;
            }
        }
        if pieces.is_empty() {
            return Attempt::Failed(STATUS_INSUFFICIENT_RESOURCES);
        }
        let mut slices: ArrayVec<MaybeUninitSlice<'_>, LIST> = ArrayVec::new();
        for piece in &pieces {
            let data = piece.data().cast::<MaybeUninit<u8>>();
            // SAFETY: the piece's own bytes, which nobody else has.
            slices.push(MaybeUninitSlice::new(unsafe { std::slice::from_raw_parts_mut(data, PIECE_BYTES) }));
        }
        let received = socket.wire().receive(&mut slices);
        let mut left = if let Attempt::Done(bytes) = received { bytes } else { 0 };
        for piece in pieces {
            let length = left.min(PIECE_BYTES);
            left -= length;
            piece.set_length(length);
            if length > 0 { self.held.push_back(piece) } else { self.spare.push(piece) }
        }
        self.note(socket);
        received
    }

    /// Calls the receive event with what is held. Returns whether it was called.
    pub(super) fn indicate(&mut self, socket: &StreamSocket) -> bool {
        let indicated = self.bytes();
        let mut list = std::ptr::null_mut();
        let mut nodes = Vec::with_capacity(self.held.len());
        for (index, piece) in self.held.iter().enumerate().rev() {
            list = piece.indicate(if index == 0 { self.start } else { 0 }, list);
            nodes.push(list.addr());
        }
        nodes.reverse();
        socket.kernel.ledger().indications.add(nodes.len());
        // Before the callback: a client may release inside it.
        self.held.drain(..).for_each(|piece| socket.lent.add(piece));
        // Before the callback too: what it or another thread asks for meanwhile counts.
        socket.armed.store(false, Ordering::SeqCst);
        let many = socket.lent.count() >= socket.kernel.provider().blocks as usize / 2;
        let (raised, level) = socket.raise();
        let flags = level | if many { WSK_FLAG_RELEASE_ASAP } else { 0 };
        let mut accepted = indicated;
        let status = socket.events.receive.call(&socket.kernel, 0, |callback, context| {
            // SAFETY: the client promises a callback for its context until the socket is closed, which waits for this.
            unsafe { callback(context, flags, list, indicated, &raw mut accepted) }
        });
        drop(raised);
        let consumed = match status {
            Some(STATUS_PENDING) => {
                self.start = 0;
                socket.armed.store(true, Ordering::SeqCst);
                self.note(socket);
                return true;
            }
            // Not called, or nothing taken.
            None | Some(STATUS_DATA_NOT_ACCEPTED) => 0,
            Some(_) => accepted.min(indicated),
        };
        for node in nodes {
            if let Some(piece) = socket.lent.take(node) {
                socket.kernel.ledger().indications.remove(1);
                self.held.push_back(piece);
            }
        }
        self.consume(consumed);
        if status.is_none() || consumed == indicated {
            socket.armed.store(true, Ordering::SeqCst);
        }
        self.note(socket);
        status.is_some()
    }

    /// Bytes that are held.
    fn bytes(&self) -> usize {
        self.held.iter().map(Piece::length).sum::<usize>() - self.start
    }

    /// Copies to `to`, at most `room` bytes and from the first piece only, and says how much.
    fn copy(&mut self, to: *mut u8, room: usize) -> usize {
        let Some(piece) = self.held.front() else { return 0 };
        let bytes = (piece.length() - self.start).min(room);
        let from = piece.data().wrapping_add(self.start);
        // SAFETY: both are live for `bytes`, and a piece is never part of a buffer that a client lends for receiving.
        unsafe { std::ptr::copy(from, to, bytes) };
        self.consume(bytes);
        bytes
    }

    /// Steps over `bytes`.
    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        while let Some(length) = self.held.front().map(Piece::length)
            && self.start >= length
        {
            self.start -= length;
            let spare = self.held.pop_front();
            if self.spare.len() < LIST {
                self.spare.extend(spare);
            }
        }
        if self.held.is_empty() {
            self.start = 0;
        }
    }

    fn drain(&mut self, socket: &StreamSocket) -> Attempt<Served> {
        loop {
            self.consume(self.bytes());
            match self.fill(socket) {
                Attempt::Done(0) => return Attempt::Done(Served::AT_END),
                Attempt::Done(_) => {}
                Attempt::NotYet => return Attempt::NotYet,
                Attempt::Failed(status) => return Attempt::Failed(status),
            }
        }
    }

    fn note(&self, socket: &StreamSocket) {
        socket.held.store(self.bytes(), Ordering::Relaxed);
    }
}

/// What a request ends with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) status: NTSTATUS,
    /// Whether the stream has ended.
    pub(super) ended: bool,
}

impl Served {
    const ENOUGH: Self = Self { status: STATUS_SUCCESS, ended: false };
    const AT_END: Self = Self { status: STATUS_SUCCESS, ended: true };
}
