//! A datagram socket and its receive event.

// UNSAFETY: calls the functions of a datagram socket's table.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::net::SocketAddr;
use core::ops::Deref;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage};
use skua_engine::abi::nt::IRP;
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_BUF_LIST, WSK_DATAGRAM_INDICATION, WSK_EVENT_RECEIVE_FROM, WSK_PROVIDER_DATAGRAM_DISPATCH,
};

use super::buffer::Buffer;
use super::control_area::ControlArea;
use super::handle::Handle;
use super::memory::{Owned, Zeroed};
use super::recorder::{self, Recorder};
use super::request::{self, Done, Request};
use super::{Arguments, Bench, Client, LOCALHOST};
use crate::outcome::{Outcome, expect_at};

/// A datagram socket, closed when dropped; what its event retained is released before.
pub(crate) struct DatagramSocket<'c, K: Kernel> {
    // Before the recorder, which the event of the open socket uses.
    handle: Handle<'c, K>,
    pub(crate) event: Recorder<'c, K>,
    /// Where [`DatagramSocket::ask_local_address`] puts it.
    address: Owned<'c, Address, K>,
}

impl<'c, K: Kernel> Deref for DatagramSocket<'c, K> {
    type Target = Handle<'c, K>;

    fn deref(&self) -> &Handle<'c, K> {
        &self.handle
    }
}

impl<'c, K: Kernel> DatagramSocket<'c, K> {
    /// A socket of the family of `local`, not bound, with a receive event.
    pub(crate) fn open(client: &'c Client<'_, K>, local: SocketAddr) -> Result<Self, Outcome> {
        client.needs_family(local)?;
        let event = Recorder::new(client.bench())?;
        let arguments = Arguments {
            context: event.context(),
            dispatch: ptr::from_ref(Recorder::<K>::DISPATCH).cast(),
            ..Arguments::datagram(local)
        };
        let handle = client.open(arguments)?;
        event.attach(handle.raw());
        Ok(Self { handle, event, address: Owned::new(client.bench())? })
    }

    /// Opens and binds.
    pub(crate) fn bound(client: &'c Client<'_, K>, local: SocketAddr) -> Result<Self, Outcome> {
        let socket = Self::open(client, local)?;
        expect_at("WskBind", STATUS_SUCCESS, socket.bind(local)?)?;
        Ok(socket)
    }

    /// Opens, binds, and enables the receive event.
    pub(crate) fn hearing(client: &'c Client<'_, K>, local: SocketAddr) -> Result<Self, Outcome> {
        let socket = Self::bound(client, local)?;
        expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, socket.set_events(WSK_EVENT_RECEIVE_FROM))?;
        Ok(socket)
    }

    /// A sender, and a receiver whose event is enabled.
    pub(crate) fn pair(client: &'c Client<'_, K>) -> Result<(Self, Self), Outcome> {
        Ok((Self::bound(client, LOCALHOST)?, Self::hearing(client, LOCALHOST)?))
    }

    fn functions(&self) -> &'c WSK_PROVIDER_DATAGRAM_DISPATCH {
        self.handle.table()
    }

    /// WskBind with any flags.
    pub(crate) fn bind_with(&self, local: SocketAddr, flags: u32) -> Result<Done, Outcome> {
        let address = Address::of(self, local)?;
        let Some(call) = self.functions().WskBind else { return Err(MISSING) };
        request::run(self.bench(), "WskBind", |irp| {
            // SAFETY: a live socket; the address outlives the request.
            unsafe { call(self.raw(), address.as_ptr().cast(), flags, irp) }
        })
    }

    /// WskBind.
    pub(crate) fn bind(&self, local: SocketAddr) -> Result<NTSTATUS, Outcome> {
        Ok(self.bind_with(local, 0)?.status)
    }

    /// WskGetLocalAddress: the status, and the address where it is a success.
    pub(crate) fn local_address(&self) -> Result<(NTSTATUS, Option<SocketAddr>), Outcome> {
        let address = Owned::<Address, K>::new(self.bench())?;
        let Some(call) = self.functions().WskGetLocalAddress else { return Err(MISSING) };
        let done = request::run(self.bench(), "WskGetLocalAddress", |irp| {
            // SAFETY: a live socket; the address outlives the request.
            unsafe { call(self.raw(), address.as_ptr().cast(), irp) }
        })?;
        Ok((done.status, address.0.to_socket_addr()))
    }

    /// The address that it is bound to.
    pub(crate) fn local(&self) -> Result<SocketAddr, Outcome> {
        let (status, address) = self.local_address()?;
        expect_at("WskGetLocalAddress", STATUS_SUCCESS, status)?;
        address.ok_or(Outcome::NotApplicable { why: "an address of no known family" })
    }

    /// A control whose input is an address of the socket's family, or nothing.
    pub(crate) fn ioctl_address(&self, code: u32, address: Option<SocketAddr>) -> Result<NTSTATUS, Outcome> {
        let Some(address) = address else { return self.ioctl(code, &[]) };
        let inet = SOCKADDR_INET::from(address);
        // SAFETY: plain bytes, as many as the address has.
        self.ioctl(code, unsafe { core::slice::from_raw_parts(inet.as_ptr().cast::<u8>(), inet.len()) })
    }

    /// WskSendTo with everything a check may say.
    pub(crate) fn send(&self, sending: Sending<'_, '_, K>) -> Result<Done, Outcome> {
        let request = Request::new(self.bench())?;
        let remote = sending.remote.map(|remote| Address::of(self, remote)).transpose()?;
        let buffer = sending.header;
        let _returned = self.start_send(&request, buffer, sending.flags, remote.as_ref(), sending.control);
        request.wait("WskSendTo")
    }

    /// WskSendTo: hands the IRP over. Address and control messages are used in the call, and live until completion here.
    pub(crate) fn start_send(
        &self,
        request: &Request<'_, K>,
        mut buffer: WSK_BUF,
        flags: u32,
        remote: Option<&Owned<'c, Address, K>>,
        control: Option<&ControlArea<'_, K>>,
    ) -> NTSTATUS {
        let Some(call) = self.functions().WskSendTo else { return STATUS_INVALID_HANDLE };
        let remote = remote.map_or(ptr::null_mut(), |remote| remote.as_ptr().cast());
        let (length, area) = control.map_or((0, ptr::null_mut()), ControlArea::parts);
        request.start(|irp| {
            // SAFETY: a live socket; buffer, address and control messages outlive the request.
            unsafe { call(self.raw(), &raw mut buffer, flags, remote, length, area, irp) }
        })
    }

    /// WskSendTo of bytes in one part.
    pub(crate) fn send_to(&self, remote: SocketAddr, payload: &[u8]) -> Result<Done, Outcome> {
        let buffer = Buffer::of(self.bench(), &[payload])?;
        self.send(Sending::of(&buffer).to(remote))
    }

    /// A send that succeeds.
    pub(crate) fn deliver(&self, remote: SocketAddr, payload: &[u8]) -> Result<(), Outcome> {
        self.send_to(remote, payload)?.succeeds("WskSendTo").map(drop)
    }

    /// WskSendMessages of one datagram for each buffer.
    pub(crate) fn send_messages(
        &self,
        remote: Option<SocketAddr>,
        buffers: &[&Buffer<'_, K>],
        flags: u32,
        control: Option<&ControlArea<'_, K>>,
    ) -> Result<Done, Outcome> {
        let nodes = Owned::<Node, K>::run(self.bench(), buffers.len())?;
        let list = if buffers.is_empty() { ptr::null_mut() } else { nodes.as_ptr().cast() };
        for (index, buffer) in buffers.iter().enumerate() {
            let next = if index + 1 < buffers.len() {
                nodes.as_ptr().wrapping_add(index + 1)
            } else {
                ptr::null_mut()
            };
            let node = WSK_BUF_LIST { Next: next.cast(), Buffer: buffer.header() };
            // SAFETY: as many nodes as buffers.
            unsafe { nodes.as_ptr().wrapping_add(index).write(Node(node)) };
        }
        let remote = remote.map(|remote| Address::of(self, remote)).transpose()?;
        let remote = remote.as_ref().map_or(ptr::null_mut(), |remote| remote.as_ptr().cast());
        let (length, area) = control.map_or((0, ptr::null_mut()), ControlArea::parts);
        let Some(call) = self.functions().WskSendMessages else { return Err(MISSING) };
        request::run(self.bench(), "WskSendMessages", |irp| {
            // SAFETY: a live socket; nodes, buffers, address and control messages outlive the request.
            unsafe { call(self.raw(), list, flags, remote, length, area, irp) }
        })
    }

    /// WskReceiveFrom, into parts of these sizes and `control` bytes of control messages; the request is out then.
    pub(crate) fn receive_from(&self, parts: &[usize], control: usize) -> Result<Receiving<'c, K>, Outcome> {
        self.receive_with(parts, control, 0, |_| ())
    }

    /// The same with any flags, and with something done to the request before.
    pub(crate) fn receive_with(
        &self,
        parts: &[usize],
        control: usize,
        flags: u32,
        prepare: impl FnOnce(&Request<'c, K>),
    ) -> Result<Receiving<'c, K>, Outcome> {
        let request = Request::new(self.bench())?;
        prepare(&request);
        let buffer = Buffer::room(self.bench(), parts)?;
        let target = Owned::<Target, K>::new(self.bench())?;
        let area = ControlArea::room(self.bench(), control)?;
        let Some(call) = self.functions().WskReceiveFrom else { return Err(MISSING) };
        let mut header = buffer.header();
        let place = target.as_ptr();
        let (length, messages) = area.parts();
        // SAFETY: the target is this function's still.
        unsafe { (*place).control_length = length };
        let _returned = request.start(|irp| {
            // SAFETY: within the target.
            let remote = unsafe { (&raw mut (*place).remote).cast() };
            // SAFETY: within the target.
            let length = unsafe { &raw mut (*place).control_length };
            let length = if control == 0 { ptr::null_mut() } else { length };
            // SAFETY: within the target.
            let control_flags = unsafe { &raw mut (*place).flags };
            // SAFETY: a live socket; buffer, target and area outlive the request.
            unsafe { call(self.raw(), &raw mut header, flags, remote, length, messages, control_flags, irp) }
        });
        Ok(Receiving { request, buffer, target, area })
    }

    /// WskRelease.
    pub(crate) fn release(&self, list: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
        let Some(call) = self.functions().WskRelease else { return STATUS_INVALID_HANDLE };
        // SAFETY: a live socket; the list is what a check says.
        unsafe { call(self.raw(), list) }
    }

    /// Unlinks an indication that is retained, and releases it by itself.
    pub(crate) fn release_one(&self, node: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
        if !node.is_null() {
            // SAFETY: retained, so it is the client's.
            unsafe { (*node).Next = ptr::null_mut() };
        }
        self.release(node)
    }

    /// WskGetLocalAddress with an IRP of the caller's, into memory of the socket.
    pub(crate) fn ask_local_address(&self, irp: *mut IRP) -> NTSTATUS {
        let Some(call) = self.functions().WskGetLocalAddress else { return STATUS_INVALID_HANDLE };
        // SAFETY: a live socket; the address lives as long as it.
        unsafe { call(self.raw(), self.address.as_ptr().cast(), irp) }
    }

    /// Closes and waits; what the event retained is released before.
    pub(crate) fn close(self) -> Result<Done, Outcome> {
        let Parts { handle, event } = self.settled();
        let done = handle.close();
        drop(event);
        done
    }

    /// WskCloseSocket; what the call returned, and the request.
    pub(crate) fn start_close(self) -> Result<(NTSTATUS, Closing<'c, K>), Outcome> {
        let request = Request::new(self.bench())?;
        let Parts { handle, event } = self.settled();
        let returned = handle.start_close(&request);
        Ok((returned, Closing { request, event }))
    }

    /// The event began to close it.
    pub(crate) fn leave_to_callback(self) -> Recorder<'c, K> {
        let Parts { handle, event } = self.settled();
        handle.leave_to_callback();
        event
    }

    /// Itself, with nothing retained, and without the release when it is dropped.
    fn settled(self) -> Parts<'c, K> {
        self.release_all();
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: moved out of a value that is not dropped.
        let handle = unsafe { ptr::read(&raw const this.handle) };
        // SAFETY: as above.
        let event = unsafe { ptr::read(&raw const this.event) };
        // SAFETY: as above.
        drop(unsafe { ptr::read(&raw const this.address) });
        Parts { handle, event }
    }

    fn release_all(&self) {
        for node in self.event.take_all_retained() {
            let _status = self.release_one(node);
        }
    }
}

/// A WskCloseSocket that is out, or was.
pub(crate) struct Closing<'c, K: Kernel> {
    // First: dropping it waits, and the event is used until then.
    pub(crate) request: Request<'c, K>,
    pub(crate) event: Recorder<'c, K>,
}

struct Parts<'c, K: Kernel> {
    handle: Handle<'c, K>,
    event: Recorder<'c, K>,
}

impl<K: Kernel> Drop for DatagramSocket<'_, K> {
    fn drop(&mut self) {
        self.event.answer(recorder::Answer::Consume);
        self.release_all();
    }
}

/// A function that every datagram table has is null.
const MISSING: Outcome = Outcome::NotApplicable { why: "the table has no such function" };

/// An address that outlives a request.
#[repr(transparent)]
pub(crate) struct Address(pub(crate) SOCKADDR_INET);

// SAFETY: zeroes are the unspecified address.
unsafe impl Zeroed for Address {}

impl Address {
    pub(crate) fn of<'c, K: Kernel>(
        socket: &Handle<'c, K>,
        address: SocketAddr,
    ) -> Result<Owned<'c, Self, K>, Outcome> {
        Self::new(socket.bench(), address)
    }

    pub(crate) fn new<K: Kernel>(
        bench: &Bench<K>,
        address: SocketAddr,
    ) -> Result<Owned<'_, Self, K>, Outcome> {
        let owned = Owned::<Self, K>::new(bench)?;
        // SAFETY: nobody else has it yet.
        unsafe { owned.as_ptr().write(Self(address.into())) };
        Ok(owned)
    }
}

#[repr(transparent)]
struct Node(WSK_BUF_LIST);

// SAFETY: zeroes are an empty list.
unsafe impl Zeroed for Node {}

/// The arguments of a WskSendTo.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a, 'b, K: Kernel> {
    /// Where the data is.
    pub(crate) header: WSK_BUF,
    pub(crate) flags: u32,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) control: Option<&'a ControlArea<'b, K>>,
}

impl<'a, 'b, K: Kernel> Sending<'a, 'b, K> {
    /// All of `buffer`, to where the socket sends anyhow.
    pub(crate) fn of(buffer: &Buffer<'_, K>) -> Self {
        Self { header: buffer.header(), flags: 0, remote: None, control: None }
    }

    pub(crate) const fn to(mut self, remote: SocketAddr) -> Self {
        self.remote = Some(remote);
        self
    }

    pub(crate) const fn with(mut self, control: &'a ControlArea<'b, K>) -> Self {
        self.control = Some(control);
        self
    }
}

/// Where WskReceiveFrom puts what it knows of a datagram.
#[repr(C)]
struct Target {
    remote: SOCKADDR_INET,
    control_length: u32,
    flags: u32,
}

// SAFETY: zeroes are a value of every field.
unsafe impl Zeroed for Target {}

/// A WskReceiveFrom that is out, or was.
pub(crate) struct Receiving<'c, K: Kernel> {
    // First: dropping it cancels and waits, and the rest is used until then.
    pub(crate) request: Request<'c, K>,
    buffer: Buffer<'c, K>,
    target: Owned<'c, Target, K>,
    area: ControlArea<'c, K>,
}

impl<K: Kernel> Receiving<'_, K> {
    /// Waits for the completion.
    pub(crate) fn wait(&self) -> Result<Done, Outcome> {
        self.request.wait("WskReceiveFrom")
    }

    /// The whole buffer.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.target.remote.to_socket_addr()
    }

    /// The control flags, `MSG_`.
    pub(crate) fn flags(&self) -> u32 {
        self.target.flags
    }

    /// The length of the control messages that was written.
    pub(crate) fn control_length(&self) -> usize {
        self.target.control_length as usize
    }

    /// The payload of a control message, if there is one of the kind; at most its first 24 bytes.
    pub(crate) fn control(&self, message: ControlMessage) -> Option<[u8; 24]> {
        let (room, area) = self.area.parts();
        let length = self.control_length().min(room as usize);
        // SAFETY: the area is that long, and the request is over.
        unsafe { recorder::find(area.cast_const().cast::<CMSGHDR>(), length, message) }
    }
}
