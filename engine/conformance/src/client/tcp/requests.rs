//! What is asked of a connection: to connect, to send, to receive, to disconnect.

// UNSAFETY: calls the functions of a socket's table.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::net::SocketAddr;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_BUF, WSK_FLAG_WAITALL};

use super::super::buffer::{Buffer, digest, digest_on};
use super::super::datagram::Address;
use super::super::memory::Owned;
use super::super::request::{Done, Request};
use super::socket::{MISSING, StreamSocket};
use crate::outcome::{Outcome, expect_at};

impl<'c, K: Kernel> StreamSocket<'c, K> {
    /// WskConnect with any flags; the request is out then.
    pub(crate) fn start_connect(&self, remote: SocketAddr, flags: u32) -> Result<Connecting<'c, K>, Outcome> {
        let call = self.connect_function().ok_or(MISSING)?;
        let (request, address) = (Request::new(self.bench())?, Address::of(self, remote)?);
        let _returned = self.start(&request, |irp| {
            // SAFETY: a live socket; the address outlives the request.
            unsafe { call(self.raw(), address.as_ptr().cast(), flags, irp) }
        });
        Ok(Connecting { request, _address: address })
    }

    /// WskConnect.
    pub(crate) fn connect(&self, remote: SocketAddr) -> Result<NTSTATUS, Outcome> {
        Ok(self.start_connect(remote, 0)?.request.wait("WskConnect")?.status)
    }

    /// WskConnectEx.
    pub(crate) fn connect_ex(
        &self,
        remote: SocketAddr,
        buffer: Option<&Buffer<'_, K>>,
        flags: u32,
    ) -> Result<Done, Outcome> {
        let call = self.connect_ex_function().ok_or(MISSING)?;
        let (request, address) = (Request::new(self.bench())?, Address::of(self, remote)?);
        let mut header = buffer.map(Buffer::header);
        let header = header.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let _returned = self.start(&request, |irp| {
            // SAFETY: a live socket; address and buffer outlive the request.
            unsafe { call(self.raw(), address.as_ptr().cast(), header, flags, irp) }
        });
        request.wait("WskConnectEx")
    }

    /// WskSend: hands the IRP over. What the header describes outlives the request.
    pub(crate) fn start_send(&self, request: &Request<'_, K>, mut header: WSK_BUF, flags: u32) -> NTSTATUS {
        let Some(call) = self.send_function() else { return STATUS_INVALID_HANDLE };
        // SAFETY: a live socket; the buffer outlives the request.
        self.start(request, |irp| unsafe { call(self.raw(), &raw mut header, flags, irp) })
    }

    /// WskSend of what a header describes.
    pub(crate) fn send_header(&self, header: WSK_BUF, flags: u32) -> Result<Done, Outcome> {
        let _function = self.send_function().ok_or(MISSING)?;
        let request = Request::new(self.bench())?;
        let _returned = self.start_send(&request, header, flags);
        request.wait("WskSend")
    }

    /// WskSend of bytes in one part.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<Done, Outcome> {
        let buffer = Buffer::of(self.bench(), &[bytes])?;
        self.send_header(buffer.header(), 0)
    }

    /// A send that succeeds.
    pub(crate) fn deliver(&self, bytes: &[u8]) -> Result<(), Outcome> {
        let done = self.send(bytes)?.succeeds("WskSend")?;
        expect_at("WskSend, IoStatus.Information", bytes.len(), done.information).map(drop)
    }

    /// WskReceive into parts of these sizes; the request is out then.
    pub(crate) fn start_receive(&self, parts: &[usize], flags: u32) -> Result<Receiving<'c, K>, Outcome> {
        let buffer = Buffer::room(self.bench(), parts)?;
        let header = buffer.header();
        self.start_receive_with(buffer, header, flags)
    }

    /// The same with any header over `buffer`.
    pub(crate) fn start_receive_with(
        &self,
        buffer: Buffer<'c, K>,
        mut header: WSK_BUF,
        flags: u32,
    ) -> Result<Receiving<'c, K>, Outcome> {
        let call = self.receive_function().ok_or(MISSING)?;
        let request = Request::new(self.bench())?;
        // SAFETY: a live socket; the buffer outlives the request.
        let _returned = self.start(&request, |irp| unsafe { call(self.raw(), &raw mut header, flags, irp) });
        Ok(Receiving { request, buffer })
    }

    /// WskReceive of no bytes.
    pub(crate) fn start_empty_receive(&self, flags: u32) -> Result<Receiving<'c, K>, Outcome> {
        let buffer = Buffer::room(self.bench(), &[1])?;
        let header = WSK_BUF { Length: 0, ..buffer.header() };
        self.start_receive_with(buffer, header, flags)
    }

    /// WskReceive into one part of `room` bytes, which is waited for.
    pub(crate) fn receive(&self, room: usize) -> Result<Received<'c, K>, Outcome> {
        let receiving = self.start_receive(&[room], 0)?;
        let done = receiving.wait()?;
        Ok(Received { done, receiving })
    }

    /// Whether the next bytes of the stream are these.
    pub(crate) fn receives(&self, expected: &[u8]) -> Result<bool, Outcome> {
        let receiving = self.start_receive(&[expected.len()], WSK_FLAG_WAITALL)?;
        let done = receiving.wait()?.succeeds("WskReceive")?;
        Ok(done.information == expected.len() && receiving.bytes() == expected)
    }

    /// Receives `total` bytes, or less where the stream ends before; how many, and the digest of every `stride`th.
    pub(crate) fn drink(&self, total: usize, stride: usize) -> Result<(usize, u64), Outcome> {
        let (mut taken, mut sum) = (0, digest([]));
        while taken < total {
            let received = self.receive((total - taken).min(256 << 10))?;
            let bytes = received.bytes()?;
            if bytes.is_empty() {
                break;
            }
            let first = taken.next_multiple_of(stride) - taken;
            sum = bytes.iter().skip(first).step_by(stride).fold(sum, |sum, byte| digest_on(sum, *byte));
            taken += bytes.len();
        }
        Ok((taken, sum))
    }

    /// Whether the other end ends the stream here, without a byte more.
    pub(crate) fn is_at_end(&self) -> Result<bool, Outcome> {
        let received = self.receive(16)?;
        Ok(received.done.status == STATUS_SUCCESS && received.done.information == 0)
    }

    /// Whether nothing more comes: the other end has ended the stream or broken it.
    pub(crate) fn is_over(&self) -> Result<bool, Outcome> {
        let received = self.receive(16)?;
        Ok(!received.done.status.is_success() || received.done.information == 0)
    }

    /// WskDisconnect: hands the IRP over. What the header describes outlives the request.
    pub(crate) fn start_disconnect(
        &self,
        request: &Request<'_, K>,
        mut header: Option<WSK_BUF>,
        flags: u32,
    ) -> NTSTATUS {
        let Some(call) = self.disconnect_function() else { return STATUS_INVALID_HANDLE };
        let header = header.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        // SAFETY: a live socket; the buffer outlives the request.
        self.start(request, |irp| unsafe { call(self.raw(), header, flags, irp) })
    }

    /// WskDisconnect without data.
    pub(crate) fn disconnect(&self, flags: u32) -> Result<NTSTATUS, Outcome> {
        let _function = self.disconnect_function().ok_or(MISSING)?;
        let request = Request::new(self.bench())?;
        let _returned = self.start_disconnect(&request, None, flags);
        Ok(request.wait("WskDisconnect")?.status)
    }

    /// WskDisconnect behind last data.
    pub(crate) fn disconnect_with(&self, data: &[u8], flags: u32) -> Result<NTSTATUS, Outcome> {
        let _function = self.disconnect_function().ok_or(MISSING)?;
        let (request, buffer) = (Request::new(self.bench())?, Buffer::of(self.bench(), &[data])?);
        let _returned = self.start_disconnect(&request, Some(buffer.header()), flags);
        Ok(request.wait("WskDisconnect")?.status)
    }
}

/// A WskConnect that is out, or was.
pub(crate) struct Connecting<'c, K: Kernel> {
    // First: dropping it cancels and waits, and the address is used until then.
    pub(crate) request: Request<'c, K>,
    _address: Owned<'c, Address, K>,
}

/// A WskReceive that is out, or was.
pub(crate) struct Receiving<'c, K: Kernel> {
    // First: dropping it cancels and waits, and the buffer is used until then.
    pub(crate) request: Request<'c, K>,
    buffer: Buffer<'c, K>,
}

impl<K: Kernel> Receiving<'_, K> {
    /// Waits for the completion.
    pub(crate) fn wait(&self) -> Result<Done, Outcome> {
        self.request.wait("WskReceive")
    }

    /// The whole buffer.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }
}

/// A WskReceive that is over.
pub(crate) struct Received<'c, K: Kernel> {
    pub(crate) done: Done,
    receiving: Receiving<'c, K>,
}

impl<K: Kernel> Received<'_, K> {
    /// What came; the check ends where the receive failed.
    pub(crate) fn bytes(&self) -> Result<&[u8], Outcome> {
        let done = self.done.succeeds("WskReceive")?;
        Ok(&self.receiving.bytes()[..done.information.min(self.receiving.bytes().len())])
    }
}
