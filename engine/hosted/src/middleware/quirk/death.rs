//! Sockets that die.

use std::collections::HashMap;
use std::ptr::null_mut;
use std::sync::Mutex;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS,
};

use crate::kernel::lock::hold;
use crate::middleware::{Call, Canceller, Completion, Event, EventArguments, Function, Middleware};

/// [`Quirk::Dying`](super::Quirk::Dying).
#[derive(Debug)]
pub(super) struct Dying {
    after: u32,
    /// By socket.
    lives: Mutex<HashMap<u64, Life>>,
}

#[derive(Debug, Default)]
struct Life {
    callbacks: u32,
    is_over: bool,
    /// Packets under way, by number.
    pending: HashMap<u64, Canceller>,
}

impl Dying {
    pub(super) fn new(after: u32) -> Self {
        Self { after, lives: Mutex::default() }
    }
}

impl Middleware for Dying {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let Some(socket) = call.socket().map(|socket| socket.id()) else { return call.pass() };
        let is_end = matches!(
            call.function(),
            Function::CloseSocket | Function::ReleaseDatagrams | Function::ReleaseData
        );
        if is_end {
            if call.function() == Function::CloseSocket {
                hold(&self.lives).remove(&socket);
            }
            return call.pass();
        }
        {
            let mut lives = hold(&self.lives);
            let life = lives.entry(socket).or_default();
            if !life.is_over {
                if let (Some(packet), Some(canceller)) = (call.packet(), call.canceller()) {
                    life.pending.insert(packet, canceller);
                }
                drop(lives);
                return call.pass();
            }
        }
        call.complete(STATUS_FILE_FORCED_CLOSED, 0)
    }

    fn complete(&self, mut completion: Completion) {
        if let Some(socket) = completion.socket().map(|socket| socket.id())
            && let Some(life) = hold(&self.lives).get_mut(&socket)
        {
            life.pending.remove(&completion.packet());
            if life.is_over && completion.status == STATUS_CANCELLED {
                completion.status = STATUS_FILE_FORCED_CLOSED;
            }
        }
        completion.pass();
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        let mut pending = Vec::new();
        {
            let mut lives = hold(&self.lives);
            let life = lives.entry(event.socket().id()).or_default();
            if life.is_over {
                return match event.arguments {
                    EventArguments::Accept { .. } => STATUS_REQUEST_NOT_ACCEPTED,
                    _ => STATUS_SUCCESS,
                };
            }
            life.callbacks += 1;
            if life.callbacks > self.after {
                life.is_over = match &mut event.arguments {
                    EventArguments::ReceiveFrom { data_indication, .. } => {
                        *data_indication = null_mut();
                        true
                    }
                    EventArguments::Receive { data_indication, bytes_indicated, .. } => {
                        (*data_indication, *bytes_indicated) = (null_mut(), 0);
                        true
                    }
                    EventArguments::Accept { accept_socket, .. } => {
                        *accept_socket = null_mut();
                        true
                    }
                    EventArguments::Inspect { inspect_id, .. } => {
                        *inspect_id = null_mut();
                        true
                    }
                    // These cannot say it.
                    EventArguments::Abort { .. }
                    | EventArguments::Disconnect { .. }
                    | EventArguments::SendBacklog { .. } => false,
                };
            }
            if life.is_over {
                pending.extend(life.pending.drain().map(|(_, canceller)| canceller));
            } else {
                drop(lives);
                return event.pass();
            }
        }
        let is_accept = event.function() == crate::middleware::EventFunction::Accept;
        let _answered = event.pass();
        pending.into_iter().for_each(Canceller::cancel);
        // What was to be indicated is lost with the socket.
        if is_accept { STATUS_REQUEST_NOT_ACCEPTED } else { STATUS_SUCCESS }
    }
}
