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
    SIO_WSK_SET_TCP_SILENT_MODE, SO_WSK_EVENT_CALLBACK,
};

use super::socket::{Category, StreamSocket};
use super::state::Stage;
use crate::os::{Buffer, Query, StackEndpoint};
use crate::socket::control::{ControlRequest, Kind, OptionalRequest};
use crate::socket::controls;

impl StreamSocket {
    /// Serves one call and completes its request.
    pub(super) fn control(self: &Arc<Self>, control: &ControlRequest, answer: OptionalRequest) -> NTSTATUS {
        if let Err(status) = self.require_alive() {
            return answer.conclude(&self.kernel, Err(status));
        }
        if !answer.obeys(control.irp()) {
            return answer.conclude(&self.kernel, Err(STATUS_INVALID_PARAMETER));
        }
        match (control.kind, control.code, control.level) {
            (Kind::Set, SO_WSK_EVENT_CALLBACK, SOL_SOCKET) => self.control_events(control, answer),
            (Kind::Set, SO_CONDITIONAL_ACCEPT, SOL_SOCKET)
            | (Kind::Get, SO_CONDITIONAL_ACCEPT, SOL_SOCKET)
            | (
                Kind::Ioctl,
                SIO_WSK_QUERY_INSPECT_ID
                | SIO_WSK_QUERY_IDEAL_SEND_BACKLOG
                | SIO_WSK_QUERY_RECEIVE_BACKLOG
                | SIO_WSK_SET_TCP_SILENT_MODE,
                _,
            ) => answer.conclude_with(&self.kernel, || self.serve_control(control)),
            _ => {
                let status = controls::serve(self, &self.controls, control, answer);
                // What the send buffer is may have changed.
                self.wake();
                status
            }
        }
    }

    fn serve_control(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        match (control.kind, control.code) {
            (Kind::Set, _) => self.set_conditional_accept(control),
            (Kind::Get, _) => {
                self.require_listening_kind()?;
                control.put(u32::from(self.inspections.are_asked_for()))
            }
            (_, SIO_WSK_QUERY_INSPECT_ID) => self.inspect_id(control),
            (_, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG) => {
                self.require_connection_kind()?;
                self.require_connected()?;
                control.put(self.wire().query(Query::Buffer(Buffer::Send))? as usize)
            }
            (_, SIO_WSK_QUERY_RECEIVE_BACKLOG) => {
                self.require_connection_kind()?;
                self.require_connected()?;
                control.put(self.held.load(Ordering::Relaxed) + self.wire().readable()?)
            }
            _ => {
                self.require_connection_kind()?;
                self.require_connected()?;
                if !self.sends.is_empty() || !self.disconnects.is_empty() {
                    return Err(STATUS_INVALID_DEVICE_STATE);
                }
                self.fall_silent().map(|()| 0)
            }
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

    fn require_connection_kind(&self) -> Result<(), NTSTATUS> {
        if self.category == Category::Listen { Err(STATUS_NOT_SUPPORTED) } else { Ok(()) }
    }
}
