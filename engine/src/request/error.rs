//! Why a request did not end as it was meant to.

use crate::abi::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CANCELLED,
    STATUS_CONNECTION_REFUSED, STATUS_DEVICE_NOT_READY, STATUS_FILE_FORCED_CLOSED,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT, STATUS_NO_MATCH,
    STATUS_NOT_SUPPORTED,
};

/// Why a [`Pending`](crate::Pending) gave no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Every slot of [`Requests`](crate::Requests) is under way or in somebody's hands.
    #[error(
        "all request slots are in use: drop buffers, wait for requests, or open Requests with more slots"
    )]
    NoSlot,
    /// Every slot of [`Connections`](crate::Connections) is a connection.
    #[error("all connections are in use: close some, or open Connections with more")]
    NoConnection,
    /// The socket is closing, or the socket that it belongs to is.
    #[error("the socket is closing: nothing more can be asked of it")]
    Closing,
    /// The thread has raised since it took its token.
    #[error("waiting above PASSIVE_LEVEL: call it outside of Dispatch::with")]
    NotPassive,
    /// Nonpaged pool is exhausted.
    #[error("no nonpaged memory for the socket (STATUS_INSUFFICIENT_RESOURCES): free memory and try again")]
    OutOfMemory,
    /// A step was cancelled when its time was over, and the provider did not end it. It is left to the closing list.
    #[error("the network stack does not answer; look for a filter driver that holds it up")]
    Unanswered,
    /// Sockets and slots are of different kernels or registrations.
    #[error("provider, requests and connections belong to different kernels: open all on the same")]
    OtherKernel,
    /// The address is not of the socket's family.
    #[error("the address is not of the socket's family: an IPv6 socket takes IPv4 addresses mapped")]
    Family,
    /// What is to be handed over does not fit a slot.
    #[error("{bytes} bytes do not fit a request slot: open Requests with more bytes a slot")]
    TooLong {
        /// Bytes it would take.
        bytes: usize,
    },
    /// It was cancelled: by its deadline, by the close of its socket, or by the provider.
    #[error("{call} was cancelled (STATUS_CANCELLED): its time was over, or the socket was closed")]
    Cancelled {
        /// The WSK function.
        call: &'static str,
    },
    /// The provider refused, then or later.
    #[error("{call} failed with {status}: {}", advice(*status))]
    Refused {
        /// The WSK function.
        call: &'static str,
        /// What it said.
        status: NTSTATUS,
    },
}

impl RequestError {
    /// The status a driver returns for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::NoSlot | Self::NoConnection | Self::OutOfMemory | Self::TooLong { .. } => {
                STATUS_INSUFFICIENT_RESOURCES
            }
            Self::Unanswered => STATUS_IO_TIMEOUT,
            Self::Closing => STATUS_FILE_FORCED_CLOSED,
            Self::NotPassive | Self::OtherKernel | Self::Family => STATUS_INVALID_PARAMETER,
            Self::Cancelled { .. } => STATUS_CANCELLED,
            Self::Refused { status, .. } => status,
        }
    }

    pub(crate) fn of(call: &'static str, status: NTSTATUS) -> Self {
        if status == STATUS_CANCELLED { Self::Cancelled { call } } else { Self::Refused { call, status } }
    }
}

fn advice(status: NTSTATUS) -> &'static str {
    match status {
        STATUS_ADDRESS_ALREADY_EXISTS => {
            "another program has the port; choose another port or stop that program"
        }
        STATUS_ACCESS_DENIED => "the address is reserved, not shared, or needs a privilege",
        STATUS_CONNECTION_REFUSED => "nobody listens there",
        STATUS_FILE_FORCED_CLOSED => "the socket has died; close it and open another",
        STATUS_NO_MATCH => "the name is not known",
        STATUS_DEVICE_NOT_READY => "the network stack is not up, or this client is leaving it",
        STATUS_NOT_SUPPORTED => "the provider does not have it",
        _ => "see the status",
    }
}

/// Why [`Pending::wait`](crate::Pending::wait) gave no result.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WaitError<P> {
    /// It ended without one.
    #[error(transparent)]
    Failed(#[from] RequestError),
    /// Its time was over, it was cancelled, and the provider has not ended it. It comes back: wait again, or drop it and
    /// its slot follows when the provider is done.
    #[error("the request's time was over and the provider does not end it: wait again, or drop it")]
    Outstanding(P),
    /// The thread has raised since it took its token. The request is still under way.
    #[error("waiting above PASSIVE_LEVEL: call it outside of Dispatch::with")]
    NotPassive(P),
}

impl<P> WaitError<P> {
    /// What it ended with, if it did.
    pub fn failed(&self) -> Option<RequestError> {
        match self {
            Self::Failed(error) => Some(*error),
            Self::Outstanding(_) | Self::NotPassive(_) => None,
        }
    }

    /// The request, if it is still under way.
    pub fn into_pending(self) -> Option<P> {
        match self {
            Self::Failed(_) => None,
            Self::Outstanding(pending) | Self::NotPassive(pending) => Some(pending),
        }
    }
}

impl<P> core::fmt::Debug for WaitError<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}
