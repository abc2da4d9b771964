//! WskBind and WskListen.

use std::sync::Arc;

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
};

use super::socket::{Category, StreamSocket};
use super::state::{Stage, State};
use crate::addresses::{Holder, Space};

impl StreamSocket {
    /// Binds; a listening socket listens from then on. When that fails another address can be tried.
    pub(super) fn bind(self: &Arc<Self>, local: &SOCKADDR_INET) -> Result<(), NTSTATUS> {
        self.require_alive()?;
        let local =
            local.to_socket_addr().filter(|local| self.takes(local)).ok_or(STATUS_INVALID_PARAMETER)?;
        let mut state = self.state();
        if state.stage != Stage::Open {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let holder: Arc<dyn Holder> = Arc::<Self>::clone(self);
        let claim = self.controls.claim(Space::Tcp, local, &self.context, Arc::downgrade(&holder));
        let bound = self.kernel.addresses().bind(claim, |shared| self.wire().bind(local, shared))?;
        self.controls.set_bound();
        state.local = Some(bound);
        state.stage = Stage::Bound;
        if self.category != Category::Listen {
            return Ok(());
        }
        self.begin_listening(&mut state)?;
        drop(state);
        self.start_pump()
    }

    /// WskListen: a bound stream socket that was given a table to listen with becomes a listening socket.
    pub(super) fn listen(self: &Arc<Self>) -> Result<(), NTSTATUS> {
        self.require_alive()?;
        if !self.may_become(true) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let mut state = self.state();
        if state.stage != Stage::Bound {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        self.begin_listening(&mut state)?;
        drop(state);
        self.start_pump()
    }

    fn begin_listening(&self, state: &mut State) -> Result<(), NTSTATUS> {
        self.wire().listen()?;
        if self.inspections.are_asked_for() {
            let _ = self.events.inspect.enable();
            let _ = self.events.abort.enable();
        }
        state.stage = Stage::Listening;
        Ok(())
    }
}
