//! A connection in memory: two flows of bytes, each with room for so many.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use skua_engine::abi::status::STATUS_CONNECTION_RESET;
use socket2::MaybeUninitSlice;

use crate::kernel::lock::hold;
use crate::os::tcp::Attempt;

/// Wakes the one thread that waits at a socket.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *hold(&self.rung) = true;
        self.changed.notify_all();
    }

    /// Waits for a ring since the last wait.
    pub(super) fn wait(&self) {
        let mut rung = hold(&self.rung);
        while !*rung {
            rung = self.changed.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        *rung = false;
    }
}

/// What two ends share.
struct Link {
    state: Mutex<State>,
    /// By side, who is told that something has changed there: the socket, and whoever watches it.
    bells: [Mutex<Vec<Weak<Bell>>>; 2],
}

struct State {
    /// By the side that sends.
    flows: [Flow; 2],
    is_reset: bool,
}

struct Flow {
    bytes: VecDeque<u8>,
    /// The most that waits to be received.
    room: usize,
    /// The sender has said that nothing more comes.
    has_ended: bool,
    /// The receiver takes nothing any more.
    is_refused: bool,
}

/// One end of a connection.
#[derive(Clone)]
pub(super) struct End {
    link: Arc<Link>,
    side: usize,
}

impl End {
    /// Both ends of a new connection, which buffer so many bytes of what is sent to them.
    pub(super) fn pair(rooms: [usize; 2]) -> [Self; 2] {
        let flow = |room| Flow { bytes: VecDeque::new(), room, has_ended: false, is_refused: false };
        // What one end sends waits at the other.
        let state = State { flows: [flow(rooms[1]), flow(rooms[0])], is_reset: false };
        let link = Arc::new(Link { state: Mutex::new(state), bells: Default::default() });
        [0, 1].map(|side| Self { link: Arc::clone(&link), side })
    }

    /// Has `bell` rung when something changes at this end, besides those that are already.
    pub(super) fn tell(&self, bell: &Arc<Bell>) {
        let mut bells = hold(&self.link.bells[self.side]);
        bells.retain(|known| known.strong_count() > 0);
        if !bells.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(bell))) {
            bells.push(Arc::downgrade(bell));
        }
    }

    /// Sends as much as there is room for.
    pub(super) fn send(&self, parts: &[IoSlice<'_>]) -> Attempt<usize> {
        let mut state = hold(&self.link.state);
        let flow = &mut state.flows[self.side];
        if flow.is_refused || flow.has_ended || state.is_reset {
            return Attempt::Failed(STATUS_CONNECTION_RESET);
        }
        let flow = &mut state.flows[self.side];
        let mut room = flow.room.saturating_sub(flow.bytes.len());
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        if room == 0 && wanted > 0 {
            return Attempt::NotYet;
        }
        let before = flow.bytes.len();
        for part in parts {
            let part = &part[..part.len().min(room)];
            room -= part.len();
            flow.bytes.extend(part);
        }
        let sent = flow.bytes.len() - before;
        drop(state);
        self.ring(1 - self.side);
        Attempt::Done(sent)
    }

    /// Receives what has come; 0 bytes are the end of the flow.
    pub(super) fn receive(&self, parts: &mut [MaybeUninitSlice<'_>]) -> Attempt<usize> {
        let mut state = hold(&self.link.state);
        if state.is_reset {
            return Attempt::Failed(STATUS_CONNECTION_RESET);
        }
        let flow = &mut state.flows[1 - self.side];
        if flow.bytes.is_empty() {
            return if flow.has_ended { Attempt::Done(0) } else { Attempt::NotYet };
        }
        let mut received = 0;
        for part in parts {
            let count = part.len().min(flow.bytes.len());
            for (to, from) in part.iter_mut().zip(flow.bytes.drain(..count)) {
                *to = MaybeUninit::new(from);
            }
            received += count;
        }
        drop(state);
        self.ring(1 - self.side);
        Attempt::Done(received)
    }

    /// Whether there is something to receive, or with `Done(false)` the end of the flow.
    pub(super) fn peek(&self) -> Attempt<bool> {
        let state = hold(&self.link.state);
        let flow = &state.flows[1 - self.side];
        match (state.is_reset, flow.bytes.is_empty(), flow.has_ended) {
            (true, ..) => Attempt::Failed(STATUS_CONNECTION_RESET),
            (_, false, _) => Attempt::Done(true),
            (_, _, true) => Attempt::Done(false),
            _ => Attempt::NotYet,
        }
    }

    /// Bytes that can be received.
    pub(super) fn readable(&self) -> usize {
        hold(&self.link.state).flows[1 - self.side].bytes.len()
    }

    /// Changes how much of what is sent to this end waits here.
    pub(super) fn set_room(&self, room: usize) {
        hold(&self.link.state).flows[1 - self.side].room = room;
        self.ring(1 - self.side);
    }

    /// Sends nothing more.
    pub(super) fn end_sending(&self) {
        hold(&self.link.state).flows[self.side].has_ended = true;
        self.ring(1 - self.side);
    }

    /// Neither end has anything of it any more.
    pub(super) fn reset(&self) {
        let mut state = hold(&self.link.state);
        state.is_reset = true;
        state.flows.iter_mut().for_each(|flow| flow.bytes.clear());
        drop(state);
        self.ring(0);
        self.ring(1);
    }

    /// Nobody is at this end any more.
    pub(super) fn leave(&self) {
        let mut state = hold(&self.link.state);
        state.flows[self.side].has_ended = true;
        state.flows[1 - self.side].is_refused = true;
        drop(state);
        self.ring(1 - self.side);
    }

    pub(super) fn is_reset(&self) -> bool {
        hold(&self.link.state).is_reset
    }

    /// The connection is broken, or the other end has said that nothing more comes, received or not.
    pub(super) fn has_hung_up(&self) -> bool {
        let state = hold(&self.link.state);
        state.is_reset || state.flows[1 - self.side].has_ended
    }

    fn ring(&self, side: usize) {
        hold(&self.link.bells[side]).iter().filter_map(Weak::upgrade).for_each(|bell| bell.ring());
    }
}
