//! WskReceive: requests that wait for data, and the zero-length one, which lets the receive event be called again.

// UNSAFETY: follows the MDL chain that a client lent with its request.
#![expect(unsafe_code, reason = "buffers are described by MDLs")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_BUF, WSK_FLAG_DRAIN, WSK_FLAG_WAITALL};

use super::socket::StreamSocket;
use crate::HostKernel;
use crate::buffer::Pieces;
use crate::request::Request;
use crate::socket::close::Hold;
use crate::socket::handle::context;
use crate::socket::pending::{Progress, Waiting};

/// Where a client wants data, and how much of it has come.
pub(super) struct StreamReceive {
    /// A copy: the header is the client's again when the call returns.
    pub(super) buffer: WSK_BUF,
    pub(super) flags: u32,
    /// Bytes received so far.
    pub(super) received: usize,
}

// SAFETY: the client lent the buffer until the request completes, on whichever thread that is.
unsafe impl Send for StreamReceive {}

impl Progress for StreamReceive {
    /// What has come is in the buffer and nowhere else.
    fn bytes(&self) -> usize {
        self.received
    }
}

impl StreamSocket {
    /// WskReceive. WAITALL and DRAIN exclude each other, DRAIN takes an empty buffer, and other flags are not supported.
    ///
    /// An empty buffer without DRAIN receives nothing and completes at once.
    pub(super) fn receive(
        self: &Arc<Self>,
        request: Request,
        buffer: Option<WSK_BUF>,
        flags: u32,
    ) -> NTSTATUS {
        let kernel = &self.kernel;
        let buffer = match self.check_receive(buffer, flags) {
            Ok(buffer) => buffer,
            Err(status) => return request.complete(kernel, status, 0),
        };
        if buffer.Length == 0 && flags & WSK_FLAG_DRAIN == 0 {
            self.rearm();
            return request.complete(kernel, STATUS_SUCCESS, 0);
        }
        let Some(hold) = Hold::new(self) else {
            return request.complete(kernel, STATUS_INVALID_DEVICE_STATE, 0);
        };
        let waiting = Waiting { request, item: StreamReceive { buffer, flags, received: 0 }, hold };
        match self.receives.submit(context(self), waiting) {
            Ok(pending) => {
                self.rearm();
                pending
            }
            Err((waiting, status)) => waiting.refuse(kernel, status, 0),
        }
    }

    fn check_receive(&self, buffer: Option<WSK_BUF>, flags: u32) -> Result<WSK_BUF, NTSTATUS> {
        self.require_connected()?;
        let buffer = buffer.ok_or(STATUS_INVALID_PARAMETER)?;
        match flags {
            0 | WSK_FLAG_WAITALL => {}
            WSK_FLAG_DRAIN if buffer.Length == 0 => {}
            _ if flags & !(WSK_FLAG_WAITALL | WSK_FLAG_DRAIN) != 0 => return Err(STATUS_NOT_SUPPORTED),
            _ => return Err(STATUS_INVALID_PARAMETER),
        }
        check_buffer(&self.kernel, &buffer)?;
        Ok(buffer)
    }

    /// The client asks for data: the receive event may be called again, behind the requests that wait.
    fn rearm(&self) {
        self.armed.store(true, Ordering::SeqCst);
        self.wire().wake();
    }
}

/// What is wrong with a buffer that the client just handed over.
pub(super) fn check_buffer(kernel: &HostKernel, buffer: &WSK_BUF) -> Result<(), NTSTATUS> {
    // SAFETY: the client's contract: the chain is valid and the provider's until the request completes.
    let mut pieces = unsafe { Pieces::new(kernel, buffer) };
    pieces.try_for_each(|piece| piece.map(|_| ()))
}
