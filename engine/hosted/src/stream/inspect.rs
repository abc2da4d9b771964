//! Conditional accept: connections that the client decides on.
//!
//! WSK asks before it answers a connection request, so that a refused one was never established. An ordinary stack has
//! no such question: here the connection is established when it is inspected, the other end sees it connect, and a
//! refusal resets it. What the other end sends meanwhile waits. A connection is not asked for any more when the other end
//! has ended or reset it.

// UNSAFETY: calls the client's callbacks.
#![expect(unsafe_code, reason = "event callbacks are functions of the client, with its context")]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER};
use skua_engine::abi::wsk::{
    WSK_INSPECT_ACTION, WSK_INSPECT_ID, WskInspectAccept, WskInspectPend, WskInspectReject,
};

use super::accept::Incoming;
use super::socket::StreamSocket;
use super::state::Stage;
use crate::kernel::lock::hold;
use crate::os::tcp::{BACKLOG, Watched};

/// The connections of one listening socket that are not accepted.
#[derive(Default)]
pub(super) struct Inspections {
    /// SO_CONDITIONAL_ACCEPT.
    asked_for: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    undecided: Vec<Undecided>,
    /// To be taken by WskAccept or the accept event, oldest first.
    ready: VecDeque<Incoming>,
    serial: u32,
}

/// A connection that the client is asked about, or has left pending.
struct Undecided {
    id: WSK_INSPECT_ID,
    incoming: Incoming,
    /// WskInspectEvent has not returned.
    is_inside: bool,
    /// What WskInspectComplete said before it did.
    decision: Option<WSK_INSPECT_ACTION>,
}

impl Inspections {
    pub(super) fn ask_for(&self, on: bool) {
        self.asked_for.store(on, Ordering::SeqCst);
    }

    pub(super) fn are_asked_for(&self) -> bool {
        self.asked_for.load(Ordering::SeqCst)
    }

    pub(super) fn take_ready(&self) -> Option<Incoming> {
        hold(&self.state).ready.pop_front()
    }

    /// Puts back what was taken and not accepted.
    pub(super) fn put_back(&self, incoming: Incoming) {
        hold(&self.state).ready.push_front(incoming);
    }

    /// Whether there is room for one more, as in the stack's own backlog.
    pub(super) fn has_room(&self) -> bool {
        let state = hold(&self.state);
        state.undecided.len() + state.ready.len() < usize::try_from(BACKLOG).unwrap_or_default()
    }

    /// The sockets of those that are left pending.
    pub(super) fn watched(&self) -> Vec<Watched> {
        hold(&self.state).undecided.iter().filter_map(|undecided| undecided.incoming.wire.watched()).collect()
    }

    /// Resets all of them.
    pub(super) fn clear(&self) {
        let mut state = hold(&self.state);
        state.undecided.drain(..).for_each(|undecided| undecided.incoming.wire.abort());
        state.ready.drain(..).for_each(|incoming| incoming.wire.abort());
    }

    fn add(&self, mut incoming: Incoming) -> WSK_INSPECT_ID {
        let mut state = hold(&self.state);
        state.serial = state.serial.wrapping_add(1);
        let id =
            WSK_INSPECT_ID { Key: std::ptr::from_ref(self).addr(), SerialNumber: state.serial, _padding: 0 };
        incoming.id = Some(id);
        state.undecided.push(Undecided { id, incoming, is_inside: true, decision: None });
        id
    }

    /// The event has returned `action`.
    fn inspected(&self, id: WSK_INSPECT_ID, action: WSK_INSPECT_ACTION) {
        let mut state = hold(&self.state);
        let Some(undecided) = state.undecided.iter_mut().find(|undecided| undecided.id == id) else { return };
        undecided.is_inside = false;
        let decision = if action == WskInspectPend { undecided.decision } else { Some(action) };
        if let Some(decision) = decision {
            state.decide(id, decision);
        }
    }

    fn complete(&self, id: WSK_INSPECT_ID, action: WSK_INSPECT_ACTION) -> Result<(), NTSTATUS> {
        let mut state = hold(&self.state);
        let undecided = state.undecided.iter_mut().find(|undecided| undecided.id == id);
        let undecided =
            undecided.filter(|undecided| undecided.decision.is_none()).ok_or(STATUS_INVALID_PARAMETER)?;
        undecided.decision = Some(action);
        if !undecided.is_inside {
            state.decide(id, action);
        }
        Ok(())
    }

    /// Takes out those that are not asked for any more.
    fn take_dropped(&self) -> Vec<WSK_INSPECT_ID> {
        let mut dropped = Vec::new();
        hold(&self.state).undecided.retain(|undecided| {
            let is_dropped = !undecided.is_inside && undecided.incoming.wire.has_hung_up();
            if is_dropped {
                dropped.push(undecided.id);
            }
            !is_dropped
        });
        dropped
    }
}

impl State {
    fn decide(&mut self, id: WSK_INSPECT_ID, action: WSK_INSPECT_ACTION) {
        let Some(position) = self.undecided.iter().position(|undecided| undecided.id == id) else { return };
        let undecided = self.undecided.remove(position);
        if action == WskInspectAccept {
            self.ready.push_back(undecided.incoming);
        } else {
            undecided.incoming.wire.abort();
        }
    }
}

impl StreamSocket {
    /// WskInspectComplete. STATUS_INVALID_PARAMETER for a connection that is not pending, or not any more.
    pub(super) fn inspect_complete(
        &self,
        id: Option<WSK_INSPECT_ID>,
        action: WSK_INSPECT_ACTION,
    ) -> Result<usize, NTSTATUS> {
        match self.stage() {
            Stage::Listening => {}
            Stage::Ended(status) => return Err(status),
            _ => return Err(STATUS_INVALID_DEVICE_STATE),
        }
        if action != WskInspectAccept && action != WskInspectReject {
            return Err(STATUS_INVALID_PARAMETER);
        }
        self.inspections.complete(id.ok_or(STATUS_INVALID_PARAMETER)?, action)?;
        self.wake();
        Ok(0)
    }

    /// Asks the client about a connection. The pump's.
    pub(super) fn inspect(&self, incoming: Incoming) {
        let (mut local, mut remote) =
            (SOCKADDR_INET::from(incoming.local), SOCKADDR_INET::from(incoming.remote));
        let id = self.inspections.add(incoming);
        let (raised, _) = self.raise();
        let action = self.events.inspect.call(&self.kernel, 0, |callback, context| {
            let mut copy = id;
            // SAFETY: the client promises a callback for its context until the socket is closed, which waits for this.
            unsafe { callback(context, local.as_mut_ptr(), remote.as_mut_ptr(), &raw mut copy) }
        });
        drop(raised);
        self.inspections.inspected(id, action.unwrap_or(WskInspectReject));
    }

    /// Tells the client of connections that are not asked for any more. The pump's.
    pub(super) fn abort_dropped(&self) {
        for mut id in self.inspections.take_dropped() {
            let (raised, _) = self.raise();
            let _ = self.events.abort.call(&self.kernel, 0, |callback, context| {
                // SAFETY: as above.
                unsafe { callback(context, &raw mut id) }
            });
            drop(raised);
        }
    }
}
