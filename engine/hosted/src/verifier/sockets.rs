//! Rules of a socket's life: who is inside its functions, and when it may be closed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::ThreadId;
use std::time::Duration;

use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::kernel::lock::hold;
use crate::middleware::LayeredSocket;

/// How long a close that is a finding waits for those who are inside before it goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// The open sockets of one verified kernel, by the client's pointer, with where each was made.
#[derive(Default)]
pub(crate) struct Sockets {
    open: Mutex<BTreeMap<usize, Option<Stack>>>,
}

/// What a verifier knows of one socket. Empty where there is none.
#[derive(Default)]
pub(crate) struct Notes {
    state: Mutex<State>,
    /// Somebody has left.
    left: Condvar,
}

#[derive(Default)]
struct State {
    created: Option<Stack>,
    /// Whose calls have not returned; a thread is there once for each.
    inside: Vec<ThreadId>,
    phase: Phase,
}

#[derive(Clone, Default)]
enum Phase {
    #[default]
    Open,
    /// WskCloseSocket was called.
    Closing(Stack),
    /// It was called and has completed.
    Closed(Stack),
}

/// A call on a socket that has not returned.
pub(crate) struct Inside(Arc<LayeredSocket>);

impl Drop for Inside {
    fn drop(&mut self) {
        let me = std::thread::current().id();
        let mut state = self.0.notes.state();
        if let Some(position) = state.inside.iter().position(|thread| *thread == me) {
            state.inside.swap_remove(position);
        }
        drop(state);
        self.0.notes.left.notify_all();
    }
}

fn object(socket: &LayeredSocket) -> Object {
    Object::at(ObjectKind::Socket, socket.client_pointer())
}

impl Notes {
    fn state(&self) -> MutexGuard<'_, State> {
        hold(&self.state)
    }

    pub(crate) fn created(&self) -> Option<Stack> {
        self.state().created.clone()
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

impl Verifier {
    /// The client gets a socket, which it asked for at `created`.
    pub(crate) fn socket_created(&self, socket: &LayeredSocket, created: Option<Stack>) {
        socket.notes.state().created.clone_from(&created);
        hold(&self.sockets.open).insert(socket.client_pointer().addr(), created);
    }

    /// The client did not take the socket.
    pub(crate) fn socket_refused(&self, socket: &LayeredSocket) {
        hold(&self.sockets.open).remove(&socket.client_pointer().addr());
    }

    /// The close of a socket has completed.
    pub(crate) fn socket_closed(&self, socket: &LayeredSocket) {
        let mut state = socket.notes.state();
        if let Phase::Closing(at) = std::mem::take(&mut state.phase) {
            state.phase = Phase::Closed(at);
        }
        drop(state);
        hold(&self.sockets.open).remove(&socket.client_pointer().addr());
    }

    /// Its close has failed, so that it stays open.
    pub(crate) fn socket_not_closed(&self, socket: &LayeredSocket) {
        socket.notes.state().phase = Phase::Open;
    }

    /// `function` is called on a socket. `None` when it must not be passed on.
    pub(crate) fn enter_socket(&self, socket: &Arc<LayeredSocket>, function: &str) -> Option<Inside> {
        let mut state = socket.notes.state();
        let (rule, what, at) = match &state.phase {
            Phase::Open => {
                state.inside.push(std::thread::current().id());
                drop(state);
                return Some(Inside(Arc::clone(socket)));
            }
            Phase::Closing(at) => (Rule::SocketUsedWhileClosing, "is being closed", at),
            Phase::Closed(at) => (Rule::SocketUsedAfterClose, "is closed", at),
        };
        let message =
            format!("{function} was called on the WSK_SOCKET at {:p}, which {what}", socket.client_pointer());
        let finding = Finding::new(rule, object(socket), message)
            .here()
            .created(state.created.clone())
            .related("closed", Some(at));
        drop(state);
        self.report(vec![finding]);
        None
    }

    /// WskCloseSocket is called, by whoever has entered.
    pub(crate) fn closing_socket(&self, socket: &Arc<LayeredSocket>) {
        let me = std::thread::current().id();
        let mut state = socket.notes.state();
        let others = state.inside.iter().filter(|thread| **thread != me).count();
        let created = state.created.clone();
        state.phase = Phase::Closing(Stack::capture());
        drop(state);
        let retained = self.retained_of(socket);
        let place = socket.client_pointer();
        if others > 0 {
            let message = format!(
                "WskCloseSocket was called on the WSK_SOCKET at {place:p} while {others} calls of other threads are \
                 inside its functions"
            );
            self.find(Rule::SocketClosedInUse, object(socket), created, message);
            self.wait_until_left(socket, me);
        } else if retained > 0 {
            let message = format!(
                "WskCloseSocket was called on the WSK_SOCKET at {place:p} while the client retains {retained} indications"
            );
            self.find(Rule::SocketClosedWithIndications, object(socket), created, message);
        }
    }

    /// The open sockets, as leaks.
    pub(super) fn sockets_left(&self) -> Vec<Finding> {
        let open = hold(&self.sockets.open);
        let left = open.iter().map(|(address, created)| {
            let message =
                format!("the last handle of the kernel is gone, and the WSK_SOCKET at {address:#x} is open");
            let object = Object { kind: ObjectKind::Socket, address: *address };
            Finding::new(Rule::Leaked, object, message).created(created.clone())
        });
        left.collect()
    }

    /// Goes on as the client should have done.
    fn wait_until_left(&self, socket: &LayeredSocket, me: ThreadId) {
        let state = socket.notes.state();
        let are_inside = |state: &mut State| state.inside.iter().any(|thread| *thread != me);
        drop(socket.notes.left.wait_timeout_while(state, PATIENCE, are_inside));
    }
}
