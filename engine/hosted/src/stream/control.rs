//! WskControlSocket of sockets over TCP: what only they have, and what all sockets have.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::sockaddr::{SO_CONDITIONAL_ACCEPT, SOL_SOCKET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_QUERY_RECEIVE_BACKLOG,
    SO_WSK_EVENT_CALLBACK,
};

use super::socket::{Category, StreamSocket};
use super::state::Stage;
use crate::os::{Buffer, StackEndpoint};
use crate::socket::control::{ControlRequest, Kind, OptionalRequest};

impl StreamSocket {
    /// Serves one call and completes its request.
    pub(super) fn control(self: &Arc<Self>, control: &ControlRequest, answer: OptionalRequest) -> NTSTATUS {
        if let Err(status) = self.require_alive() {
            return answer.conclude(&self.kernel, Err(status));
        }
        match (control.kind, control.code) {
            (Kind::Set, SO_WSK_EVENT_CALLBACK) if control.level == SOL_SOCKET => {
                self.control_events(control, answer)
            }
            // The one that takes no request.
            (Kind::Ioctl, SIO_WSK_QUERY_INSPECT_ID) => {
                let outcome = if answer.request.is_some() {
                    Err(STATUS_INVALID_PARAMETER)
                } else {
                    self.inspect_id(control)
                };
                answer.conclude(&self.kernel, outcome)
            }
            _ => answer.conclude_with(&self.kernel, || self.serve_control(control)),
        }
    }

    fn serve_control(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        match (control.kind, control.level, control.code) {
            (Kind::Set, SOL_SOCKET, SO_CONDITIONAL_ACCEPT) => self.set_conditional_accept(control),
            (Kind::Get, SOL_SOCKET, SO_CONDITIONAL_ACCEPT) => {
                self.require_listening_kind()?;
                control.put(u32::from(self.inspections.are_asked_for()))
            }
            (Kind::Ioctl, _, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG) => {
                self.require_connected()?;
                control.put(self.wire().buffer(Buffer::Send)? as usize)
            }
            (Kind::Ioctl, _, SIO_WSK_QUERY_RECEIVE_BACKLOG) => {
                self.require_connected()?;
                control.put(self.held.load(Ordering::Relaxed) + self.wire().readable()?)
            }
            (Kind::Set, ..) => {
                let size = self.controls.serve(control)?;
                // What the send buffer is may have changed.
                self.wake();
                Ok(size)
            }
            _ => self.controls.serve(control),
        }
    }

    fn inspect_id(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        control.put(self.inspect_id.ok_or(STATUS_INVALID_DEVICE_REQUEST)?)
    }

    /// Before bind, and with callbacks to ask.
    fn set_conditional_accept(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        self.require_listening_kind()?;
        let on = control.input::<u32>()? != 0;
        if self.stage() != Stage::Open {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        if on && !(self.events.inspect.has_callback() && self.events.abort.has_callback()) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        self.inspections.ask_for(on);
        Ok(0)
    }

    fn require_listening_kind(&self) -> Result<(), NTSTATUS> {
        if self.category == Category::Connection { Err(STATUS_NOT_SUPPORTED) } else { Ok(()) }
    }
}
