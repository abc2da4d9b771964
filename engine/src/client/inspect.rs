//! Connections that are decided on before they are accepted.

use crate::abi::wsk::{
    WSK_INSPECT_ACTION, WSK_INSPECT_ID, WskInspectAccept, WskInspectPend, WskInspectReject,
};

/// Names a connection that is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InspectId(pub(super) WSK_INSPECT_ID);

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspection {
    /// It is accepted.
    Accept,
    /// It is turned away.
    Reject,
    /// It waits for [`ListenSocket::inspect_complete`](crate::ListenSocket::inspect_complete).
    Pend,
}

impl Inspection {
    pub(super) fn action(self) -> WSK_INSPECT_ACTION {
        match self {
            Self::Accept => WskInspectAccept,
            Self::Reject => WskInspectReject,
            Self::Pend => WskInspectPend,
        }
    }
}
