//! The state of a socket over TCP, and what its functions answer because of it.

use std::net::SocketAddr;

use skua_engine::abi::status::{NTSTATUS, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE};

use super::socket::StreamSocket;

/// Where a socket is in its life; see the drawing in the module above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Open,
    Bound,
    Listening,
    Connecting(SocketAddr),
    Connected,
    /// Was connected, and says nothing any more, not even that it is closed.
    Silent,
    /// Nothing more will come of it; what needs a connection is answered with this.
    Ended(NTSTATUS),
}

/// What changes together.
#[derive(Default)]
pub(super) struct State {
    pub(super) stage: Stage,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    /// WskDisconnect was called.
    pub(super) disconnecting: bool,
    /// The other end was told that nothing more will be sent.
    pub(super) ended_sending: bool,
    /// The other end has said that it sends nothing more, and all it sent was read.
    pub(super) ended_receiving: bool,
    pub(super) has_pump: bool,
    /// Events that were enabled on a connection whose callbacks are not known yet: the client has it from its accept event,
    /// which has not returned. `None` when they are.
    pub(super) early: Option<u32>,
}

impl StreamSocket {
    /// What a function answers that needs a connection, when there is none.
    pub(super) fn require_connected(&self) -> Result<(), NTSTATUS> {
        match self.stage() {
            Stage::Connected => Ok(()),
            Stage::Ended(status) => Err(status),
            _ => Err(STATUS_INVALID_DEVICE_STATE),
        }
    }

    /// What every function answers on a socket that was killed.
    pub(super) fn require_alive(&self) -> Result<(), NTSTATUS> {
        if self.is_killed() { Err(STATUS_FILE_FORCED_CLOSED) } else { Ok(()) }
    }
}
