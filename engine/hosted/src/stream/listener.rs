//! The thread of a listening socket: takes connections from the stack and gives them to whoever wants them.

// UNSAFETY: calls the client's callbacks.
#![expect(unsafe_code, reason = "event callbacks are functions of the client, with its context")]

use std::sync::Arc;
use std::time::Duration;

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_CLIENT_CONNECTION_DISPATCH;
use std::sync::atomic::Ordering;

use super::accept::Incoming;
use super::socket::StreamSocket;
use super::state::Stage;
use super::targets::Targets;
use crate::os::tcp::{Attempt, Interest};
use crate::socket::close::discard;

/// How long the thread rests when the host has no descriptor left for a connection.
const ERROR_REST: Duration = Duration::from_millis(10);

/// Works until the socket closes.
pub(super) fn run(socket: &Arc<StreamSocket>) {
    let mut told_death = false;
    while !socket.is_closing() {
        let mut interest = Interest::NONE;
        if socket.stage() == Stage::Listening {
            interest.read = serve(socket);
        } else if !std::mem::replace(&mut told_death, true) {
            socket.inspections.clear();
            tell_death(socket);
        }
        if !socket.is_closing() {
            let watched = socket.inspections.watched();
            socket.wire().wait(interest, &watched);
        }
    }
}

/// Does all that can be done now. True when more connections are wanted than have come.
fn serve(socket: &Arc<StreamSocket>) -> bool {
    socket.abort_dropped();
    let mut wants_more = false;
    if socket.inspections.are_asked_for() {
        while socket.inspections.has_room() && !socket.is_closing() {
            match socket.wire().accept() {
                Attempt::Done((wire, local, remote)) => {
                    socket.inspect(Incoming { wire, local, remote, id: None });
                }
                Attempt::NotYet => {
                    wants_more = true;
                    break;
                }
                Attempt::Failed(_) => {
                    rest(socket);
                    wants_more = true;
                    break;
                }
            }
        }
    }
    while (!socket.accepts.is_empty() || socket.events.accept.is_enabled()) && !socket.is_closing() {
        match socket.next_incoming() {
            Attempt::Done(incoming) => deliver(socket, incoming),
            Attempt::NotYet => return wants_more || !socket.inspections.are_asked_for(),
            Attempt::Failed(_) if socket.stage() == Stage::Listening => rest(socket),
            Attempt::Failed(_) => return false,
        }
    }
    wants_more
}

/// Requests come before the event.
fn deliver(socket: &Arc<StreamSocket>, incoming: Incoming) {
    let Some(waiting) = socket.accepts.take() else { return indicate(socket, incoming) };
    match socket.hand_over(incoming, &waiting.item) {
        Ok(accepted) => waiting.complete(&socket.kernel, STATUS_SUCCESS, accepted),
        Err(status) => waiting.complete(&socket.kernel, status, 0),
    }
}

/// Calls the accept event. Without one that is enabled, the connection waits.
fn indicate(socket: &Arc<StreamSocket>, incoming: Incoming) {
    let mut incoming = Some(incoming);
    let (raised, flags) = socket.raise();
    let taken = socket.events.accept.call(&socket.kernel, 0, |callback, context| {
        let Incoming { wire, local, remote, id } = incoming.take()?;
        let accepted = StreamSocket::accepted(socket, wire, [local, remote], id);
        let (mut local, mut remote) = (SOCKADDR_INET::from(local), SOCKADDR_INET::from(remote));
        let mut accepted_context = std::ptr::null_mut();
        let mut table: *const WSK_CLIENT_CONNECTION_DISPATCH = std::ptr::null();
        let pointer = accepted.client_pointer();
        // SAFETY: the client promises a callback for its context until the socket is closed, which waits for this.
        let status: NTSTATUS = unsafe {
            callback(
                context,
                flags,
                local.as_mut_ptr(),
                remote.as_mut_ptr(),
                pointer,
                &raw mut accepted_context,
                &raw mut table,
            )
        };
        // SAFETY: the client's contract: null or a table of callbacks that outlives the socket.
        let targets = unsafe { Targets::connection(accepted_context, table) };
        Some((accepted, status, targets))
    });
    drop(raised);
    if let Some(incoming) = incoming {
        socket.inspections.put_back(incoming);
    }
    let Some((accepted, status, targets)) = taken.flatten() else { return };
    if status != STATUS_SUCCESS {
        // Not accepted: the provider closes it.
        discard(&accepted);
        return;
    }
    // When no thread can be had for it, the client finds out by using it.
    let _ = accepted.take_over(&targets, socket.inherited.load(Ordering::SeqCst));
}

/// The events are called with NULL.
fn tell_death(socket: &Arc<StreamSocket>) {
    let nothing = std::ptr::null_mut();
    let (raised, flags) = socket.raise();
    let _ = socket.events.accept.call(&socket.kernel, 0, |callback, context| {
        let (mut accepted_context, mut table) = (std::ptr::null_mut(), std::ptr::null());
        let nobody = std::ptr::null_mut();
        // SAFETY: as above.
        unsafe {
            callback(
                context,
                flags,
                nobody,
                nobody,
                std::ptr::null_mut(),
                &raw mut accepted_context,
                &raw mut table,
            )
        }
    });
    let _ = socket.events.inspect.call(&socket.kernel, 0, |callback, context| {
        // SAFETY: as above.
        unsafe { callback(context, nothing, nothing, std::ptr::null_mut()) }
    });
    drop(raised);
}

fn rest(socket: &StreamSocket) {
    if !socket.is_closing() {
        std::thread::sleep(ERROR_REST);
    }
}
