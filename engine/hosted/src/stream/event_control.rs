//! SO_WSK_EVENT_CALLBACK of sockets over TCP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER};
use skua_engine::abi::wsk::{
    WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_EVENT_SEND_BACKLOG,
};

use super::socket::StreamSocket;
use super::state::Stage;
use super::targets::CONNECTION_EVENTS;
use crate::socket::control::{ControlRequest, OptionalRequest};

impl StreamSocket {
    /// Enabling takes any set of flags, disabling one flag a call; either may come with a request or without.
    pub(super) fn control_events(
        self: &Arc<Self>,
        control: &ControlRequest,
        answer: OptionalRequest,
    ) -> NTSTATUS {
        let mask = match control.event_mask() {
            Ok(mask) => mask,
            Err(status) => return answer.conclude(&self.kernel, Err(status)),
        };
        if mask & WSK_EVENT_DISABLE != 0 {
            return self.disable_event(mask & !WSK_EVENT_DISABLE, answer);
        }
        let enabled = self.enable_events(mask);
        self.wake();
        answer.conclude(&self.kernel, enabled.map(|()| 0))
    }

    /// A listening socket takes the events of connections too, as defaults for what its event accepts; whether those have
    /// callbacks shows only then.
    fn enable_events(&self, mask: u32) -> Result<(), NTSTATUS> {
        let allowed = match self.stage() {
            Stage::Listening => WSK_EVENT_ACCEPT | CONNECTION_EVENTS,
            Stage::Connected => CONNECTION_EVENTS,
            Stage::Ended(status) => return Err(status),
            _ => return Err(STATUS_INVALID_DEVICE_STATE),
        };
        if mask == 0 || mask & !allowed != 0 {
            return Err(STATUS_INVALID_PARAMETER);
        }
        if self.stage() == Stage::Listening {
            if mask & WSK_EVENT_ACCEPT != 0 && !self.events.accept.enable().is_success() {
                return Err(STATUS_INVALID_PARAMETER);
            }
            self.inherited.fetch_or(mask & CONNECTION_EVENTS, Ordering::SeqCst);
            return Ok(());
        }
        if let Some(early) = &mut self.state().early {
            *early |= mask;
            return Ok(());
        }
        let has_callbacks = [
            (WSK_EVENT_RECEIVE, self.events.receive.has_callback()),
            (WSK_EVENT_DISCONNECT, self.events.disconnect.has_callback()),
            (WSK_EVENT_SEND_BACKLOG, self.events.backlog.has_callback()),
        ];
        if has_callbacks.iter().any(|(event, has)| mask & event != 0 && !has) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        self.events.enable_connection(mask);
        Ok(())
    }

    fn disable_event(&self, event: u32, answer: OptionalRequest) -> NTSTATUS {
        let (kernel, stage) = (&self.kernel, self.stage());
        let is_set_up = matches!(stage, Stage::Listening | Stage::Connected | Stage::Ended(_));
        match event {
            WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG
                if !is_set_up =>
            {
                answer.conclude(kernel, Err(STATUS_INVALID_DEVICE_STATE))
            }
            WSK_EVENT_ACCEPT if stage != Stage::Connected => {
                self.events.accept.disable(kernel, answer.request)
            }
            // Defaults for accepted sockets cannot be taken back.
            WSK_EVENT_RECEIVE if stage != Stage::Listening => {
                self.events.receive.disable(kernel, answer.request)
            }
            WSK_EVENT_DISCONNECT if stage != Stage::Listening => {
                self.events.disconnect.disable(kernel, answer.request)
            }
            WSK_EVENT_SEND_BACKLOG if stage != Stage::Listening => {
                self.events.backlog.disable(kernel, answer.request)
            }
            _ => answer.conclude(kernel, Err(STATUS_INVALID_PARAMETER)),
        }
    }
}
