//! What a listener tells about itself.

use crate::abi::status::{NTSTATUS, STATUS_FILE_FORCED_CLOSED};
use crate::socket::{MembershipError, OpenSocketError};

/// What a listener is at one moment, and what it went through. Ticks are of the performance counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerStats {
    /// What it is.
    pub state: ListenerState,
    /// Failures in a row, of opening, of joining or by dying; 0 when it is all it should be.
    pub attempts: u32,
    /// The latest failure, also when it is over; `None` if there was none.
    pub failure: Option<ListenerFailure>,
    /// Openings after the first.
    pub reopened: u64,
    /// Ticks without a socket since the first poll, the present ones included; up to the last poll once it is closed.
    pub closed_ticks: u64,
    /// Since when there is no socket; the provider's word, not the poll that noticed. `None` while there is one, and once
    /// the listener is closed.
    pub closed_since: Option<u64>,
}

/// Whether a listener hears anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenerState {
    /// It is bound.
    Open {
        /// Groups that it could not join yet.
        unjoined: u32,
    },
    /// There is no socket.
    Waiting {
        /// When the next attempt is due.
        until: u64,
    },
    /// It was closed, and stays so.
    Closed,
}

/// What a listener met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenerFailure {
    /// Its socket could not be opened.
    #[error(transparent)]
    Open(#[from] OpenSocketError),
    /// One of its groups could not be joined: the first of them.
    #[error(transparent)]
    Join(#[from] MembershipError),
    /// Its socket died.
    #[error("the network stack closed the socket: its transport or its address went away")]
    Died,
}

impl ListenerFailure {
    /// The status a driver reports for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::Open(error) => error.status(),
            Self::Join(error) => error.status(),
            Self::Died => STATUS_FILE_FORCED_CLOSED,
        }
    }
}
