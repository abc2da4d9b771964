//! WskReceiveFrom: requests that wait for a datagram.

// UNSAFETY: writes to the buffers that a client lent with its request.
#![expect(unsafe_code, reason = "the outputs of a receive are raw pointers")]

use std::ptr;

use skua_engine::abi::cmsg::{CMSGHDR, MSG_CTRUNC, MSG_TRUNC};
use skua_engine::abi::sockaddr::{AF_INET6, PSOCKADDR, SOCKADDR_IN, SOCKADDR_IN6};
use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_BUF;

use super::block::BlockRef;
use crate::HostKernel;
use crate::buffer::scatter;
use crate::socket::pending::Progress;

/// Where a client wants one datagram.
///
/// # Invariants
/// The pointers are null or stay valid and writable until the request is completed; the address has room for one of the
/// socket's family.
#[derive(Debug)]
pub(crate) struct ReceiveRequest {
    /// A copy: the header is the client's again when the call returns.
    pub(crate) buffer: WSK_BUF,
    pub(crate) remote: PSOCKADDR,
    pub(crate) control_length: *mut u32,
    pub(crate) control: *mut CMSGHDR,
    pub(crate) flags: *mut u32,
}

// SAFETY: the client lent what the pointers lead to until the request completes, on whichever thread that is.
unsafe impl Send for ReceiveRequest {}

impl Progress for ReceiveRequest {}

impl ReceiveRequest {
    /// Copies the datagram in `block` out, and says how the request ends. A datagram longer than the buffer fills it and
    /// ends with STATUS_BUFFER_OVERFLOW.
    pub(crate) fn take(&self, kernel: &HostKernel, block: BlockRef, delivery: u32) -> (NTSTATUS, usize) {
        let indication = block.filled();
        let length = indication.Buffer.Length;
        // SAFETY: the client lent the buffer until the request completes.
        let copied = match unsafe { scatter(kernel, &self.buffer, block.pieces(length)) } {
            Ok(copied) => copied,
            Err(status) => return (status, 0),
        };
        let mut flags = delivery;
        if copied < length {
            flags |= MSG_TRUNC;
        }
        self.write_address(block);
        flags |= self.write_control(block, indication.ControlInfoLength as usize);
        if !self.flags.is_null() {
            // SAFETY: not null, so writable.
            unsafe { self.flags.write(flags) };
        }
        (if copied < length { STATUS_BUFFER_OVERFLOW } else { STATUS_SUCCESS }, copied)
    }

    fn write_address(&self, block: BlockRef) {
        if self.remote.is_null() {
            return;
        }
        // SAFETY: the worker has the block, whose address was written with it.
        let address = unsafe { block.address().read() };
        let bytes =
            if address.family() == AF_INET6 { size_of::<SOCKADDR_IN6>() } else { size_of::<SOCKADDR_IN>() };
        // SAFETY: not null, so it has room for an address of the socket's family.
        unsafe { ptr::copy_nonoverlapping(address.as_ptr().cast::<u8>(), self.remote.cast::<u8>(), bytes) };
    }

    /// Copies the control messages if all of them fit; MSG_CTRUNC when they do not.
    fn write_control(&self, block: BlockRef, bytes: usize) -> u32 {
        if self.control_length.is_null() {
            return 0;
        }
        // SAFETY: not null, so readable.
        let room = unsafe { self.control_length.read() } as usize;
        let fits = bytes <= room && (!self.control.is_null() || bytes == 0);
        let written = if fits { bytes } else { 0 };
        if written > 0 {
            // SAFETY: the client lent `room` bytes.
            unsafe { ptr::copy_nonoverlapping(block.control(), self.control.cast::<u8>(), written) };
        }
        // SAFETY: not null, so writable.
        unsafe { self.control_length.write(u32::try_from(written).unwrap_or_default()) };
        if fits { 0 } else { MSG_CTRUNC }
    }
}
