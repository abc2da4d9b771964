//! What the provider can carry, and when that changes.

// UNSAFETY: WskControlClient with the caller's array, or a request's IRP.
#![expect(unsafe_code, reason = "the codes take what the documentation says")]

use core::ptr::null_mut;

use crate::abi::nt::IRP;
use crate::abi::status::{NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_NOT_SUPPORTED};
use crate::abi::wsk::{WSK_TRANSPORT, WSK_TRANSPORT_LIST_CHANGE, WSK_TRANSPORT_LIST_QUERY};
use crate::client::Done;
use crate::kernel::Kernel;
use crate::registration::Provider;
use crate::request::slot::Slot;
use crate::request::{Pending, RequestError, Requests, Targets};

/// Why [`Provider::transports`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportsError {
    /// There are more than the array has room for.
    #[error("{needed} transports do not fit: ask again with room for them")]
    TooMany {
        /// How many there are.
        needed: usize,
    },
    /// The provider refused.
    #[error("WSK_TRANSPORT_LIST_QUERY failed with {0}")]
    Refused(NTSTATUS),
}

impl TransportsError {
    /// The status a driver returns for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::TooMany { .. } => STATUS_BUFFER_OVERFLOW,
            Self::Refused(status) => status,
        }
    }
}

impl<K: Kernel> Provider<K> {
    /// The combinations of family, type and protocol that sockets can be made of; how many there are. A family of
    /// AF_UNSPEC stands for both.
    ///
    /// # Errors
    /// [`TransportsError::TooMany`] says how much room it takes; 0 is a way to ask.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn transports(&self, to: &mut [WSK_TRANSPORT]) -> Result<usize, TransportsError> {
        let room = size_of_val(to);
        let array = if to.is_empty() { null_mut() } else { to.as_mut_ptr().cast() };
        // SAFETY: the array is writable for `room` bytes; the code takes no input.
        let (status, bytes) =
            unsafe { self.control_for(WSK_TRANSPORT_LIST_QUERY, (0, null_mut()), (room, array)) };
        let count = bytes.div_ceil(size_of::<WSK_TRANSPORT>());
        match status {
            STATUS_BUFFER_OVERFLOW => Err(TransportsError::TooMany { needed: count }),
            status if status.is_success() => Ok(count.min(to.len())),
            status => Err(TransportsError::Refused(status)),
        }
    }

    /// Ends when a transport comes or goes, or with [`RequestError::Cancelled`] when this client leaves.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn transport_change(&self, requests: &Requests<K>) -> Pending<K, Done> {
        if requests.kernel().instance() != self.kernel().instance() {
            return Pending::failed(RequestError::OtherKernel);
        }
        let Some(buffer) = requests.take() else { return Pending::failed(RequestError::NoSlot) };
        let (function, client) = (self.dispatch().WskControlClient, self.npi().Client);
        let call = |_: &Slot<K>, irp: *mut IRP| match function {
            // SAFETY: the code takes neither input nor output.
            Some(control) => unsafe {
                control(client, WSK_TRANSPORT_LIST_CHANGE, 0, null_mut(), 0, null_mut(), null_mut(), irp)
            },
            None => STATUS_NOT_SUPPORTED,
        };
        let targets = Targets { of: core::ptr::null(), made: core::ptr::null() };
        // SAFETY: one function, with nothing by address.
        unsafe { Pending::begin(buffer, Done("WskControlClient"), targets, call) }
    }
}
