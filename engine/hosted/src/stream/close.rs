//! How a socket over TCP ends: by its connection, by the client, by its transport.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE, STATUS_NOT_SUPPORTED,
};

use super::socket::StreamSocket;
use super::state::Stage;
use crate::HostKernel;
use crate::addresses::{Holder, Space};
use crate::kernel::registration::Client;
use crate::os::StackEndpoint;
use crate::socket::address_change::{AddressChanges, Watches};
use crate::socket::close::{Closable, Hold, Rundown};

impl StreamSocket {
    /// Nothing more comes of the connection: completes all that waits for it.
    pub(super) fn end(&self, status: NTSTATUS) {
        self.set_ended(status);
        self.close_queues(status);
    }

    /// Ends the connection without a word to the other end. What waits for it ends as what is asked of it from now on.
    pub(super) fn fall_silent(&self) -> Result<(), NTSTATUS> {
        // Its documentation: not on loopback.
        if self.state().remote.is_none_or(|remote| remote.ip().to_canonical().is_loopback()) {
            return Err(STATUS_NOT_SUPPORTED);
        }
        self.wire().silence()?;
        let mut state = self.state();
        if state.stage == Stage::Connected {
            state.stage = Stage::Silent;
        }
        drop(state);
        self.close_queues(STATUS_INVALID_DEVICE_STATE);
        self.wire().wake();
        Ok(())
    }

    /// Resets the connection for the client.
    pub(super) fn abort(&self, status: NTSTATUS) {
        // First, so that whoever is at the host's socket knows why it is gone.
        self.set_ended(status);
        self.wire().abort();
        self.close_queues(status);
        self.wire().wake();
    }

    /// What a call on the host's socket failed for: `status`, unless the connection was ended from here.
    pub(super) fn reason(&self, status: NTSTATUS) -> NTSTATUS {
        if let Stage::Ended(reason) = self.stage() { reason } else { status }
    }

    fn set_ended(&self, status: NTSTATUS) {
        let mut state = self.state();
        if !matches!(state.stage, Stage::Ended(_)) {
            state.stage = Stage::Ended(status);
        }
    }

    /// The transport goes away below the socket. The pump says so to the client.
    pub(crate) fn kill(self: &Arc<Self>) {
        let Some(_hold) = Hold::new(self) else { return };
        if self.is_closing() || self.killed.swap(true, Ordering::SeqCst) {
            return;
        }
        // Whatever it ended with before.
        self.state().stage = Stage::Ended(STATUS_FILE_FORCED_CLOSED);
        self.abort(STATUS_FILE_FORCED_CLOSED);
        self.changes.close(&self.kernel, STATUS_FILE_FORCED_CLOSED);
    }

    fn close_queues(&self, status: NTSTATUS) {
        self.accepts.close(&self.kernel, status);
        self.connects.close(&self.kernel, status);
        self.sends.close(&self.kernel, status);
        self.disconnects.close(&self.kernel, status);
        self.receives.close(&self.kernel, status);
    }
}

impl Watches for StreamSocket {
    fn changes(&self) -> &AddressChanges {
        &self.changes
    }
}

impl Holder for StreamSocket {
    fn share_address(&self) {
        self.wire().share_address();
    }
}

impl Closable for StreamSocket {
    fn kernel(&self) -> &HostKernel {
        &self.kernel
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn rundown(&self) -> &Rundown {
        &self.rundown
    }

    fn begin_closing(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.events.close(&self.kernel);
        self.close_queues(STATUS_CANCELLED);
        self.changes.close(&self.kernel, STATUS_CANCELLED);
        self.wire().wake();
    }

    /// Closes the connection: gracefully when both directions were ended, else with a reset.
    fn finish(&self) {
        let state = self.state();
        let has_ended = state.ended_sending && (state.ended_receiving || self.wire().has_hung_up());
        let is_connected = state.stage == Stage::Connected;
        let local = state.local;
        drop(state);
        if is_connected && !has_ended {
            self.wire().abort();
        }
        self.inspections.clear();
        self.wire().close();
        if let Some(local) = local {
            self.kernel.addresses().release(Space::Tcp, &local, std::ptr::from_ref(self).cast());
        }
        self.kernel.sockets().remove_stream(self);
        self.kernel.ledger().sockets.remove(1);
    }

    fn has_lent(&self) -> bool {
        !self.lent.is_empty()
    }
}
