//! A socket over TCP, of any of the three categories.

// UNSAFETY: calls the functions of a socket's table.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::cell::Cell;
use core::net::SocketAddr;
use core::ops::Deref;
use core::ptr;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_INSPECT_ID, WSK_DATA_INDICATION, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET,
    WSK_FLAG_STREAM_SOCKET, WSK_INSPECT_ACTION, WSK_INSPECT_ID, WSK_PROVIDER_BASIC_DISPATCH, WskIoctl,
};
use skua_engine::{Dispatch, Kernel};

use super::super::datagram::Address;
use super::super::handle::Handle;
use super::super::memory::{Owned, Zeroed};
use super::super::request::{self, Done, Request};
use super::super::{Arguments, Client, needs};
use super::events::{Tables, release};
use super::record::Arrival;
use super::recorder::StreamRecorder;
use crate::outcome::{Outcome, expect_at};

/// What a socket over TCP was created as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Listen,
    Connection,
    Stream,
}

impl Kind {
    const fn flags(self) -> u32 {
        match self {
            Self::Listen => WSK_FLAG_LISTEN_SOCKET,
            Self::Connection => WSK_FLAG_CONNECTION_SOCKET,
            Self::Stream => WSK_FLAG_STREAM_SOCKET,
        }
    }

    /// The client's table.
    const fn dispatch<K: Kernel>(self) -> *const core::ffi::c_void {
        match self {
            Self::Listen => ptr::from_ref(Tables::<K>::LISTEN).cast(),
            Self::Connection => ptr::from_ref(Tables::<K>::CONNECTION).cast(),
            Self::Stream => ptr::from_ref(Tables::<K>::STREAM).cast(),
        }
    }
}

/// A socket over TCP with its events, closed when dropped; what its receive event retained is released before.
pub(crate) struct StreamSocket<'c, K: Kernel> {
    // Before the recorder, which the events of the open socket use.
    handle: Handle<'c, K>,
    pub(crate) event: StreamRecorder<'c, K>,
    pub(super) kind: Kind,
    /// Requests start at DISPATCH_LEVEL.
    raised: Cell<bool>,
}

impl<'c, K: Kernel> Deref for StreamSocket<'c, K> {
    type Target = Handle<'c, K>;

    fn deref(&self) -> &Handle<'c, K> {
        &self.handle
    }
}

impl<'c, K: Kernel> StreamSocket<'c, K> {
    /// A socket of the family of `local`, not bound, with all events.
    pub(crate) fn open(client: &'c Client<'_, K>, kind: Kind, local: SocketAddr) -> Result<Self, Outcome> {
        Self::open_with(client, kind, local, kind.dispatch::<K>())
    }

    /// The same with another table of events.
    pub(crate) fn open_with(
        client: &'c Client<'_, K>,
        kind: Kind,
        local: SocketAddr,
        dispatch: *const core::ffi::c_void,
    ) -> Result<Self, Outcome> {
        client.needs_tcp()?;
        client.needs_family(local)?;
        let event = StreamRecorder::new(client.bench())?;
        let arguments =
            Arguments { context: event.context(), dispatch, ..Arguments::tcp(local, kind.flags()) };
        let handle = client.open(arguments)?;
        Ok(Self::of(handle, event, kind))
    }

    /// A socket whose events have `event` as their context.
    pub(super) fn of(handle: Handle<'c, K>, event: StreamRecorder<'c, K>, kind: Kind) -> Self {
        event.attach(handle.raw());
        Self { handle, event, kind, raised: Cell::new(false) }
    }

    /// Opens and binds.
    pub(crate) fn bound(client: &'c Client<'_, K>, kind: Kind, local: SocketAddr) -> Result<Self, Outcome> {
        let socket = Self::open(client, kind, local)?;
        expect_at("WskBind", STATUS_SUCCESS, socket.bind(local)?)?;
        Ok(socket)
    }

    /// From now on requests start at DISPATCH_LEVEL.
    pub(crate) fn raise(&self) {
        self.raised.set(true);
    }

    /// Hands the IRP over, at the level that a check asked for.
    pub(super) fn start(
        &self,
        request: &Request<'_, K>,
        call: impl FnOnce(*mut IRP) -> NTSTATUS,
    ) -> NTSTATUS {
        if self.raised.get() {
            Dispatch::with(self.bench().kernel(), |_| request.start(call))
        } else {
            request.start(call)
        }
    }

    /// WskBind with any flags.
    pub(crate) fn bind_with(&self, local: SocketAddr, flags: u32) -> Result<Done, Outcome> {
        let address = Address::of(self, local)?;
        let call = self.bind_function().ok_or(MISSING)?;
        request::run(self.bench(), "WskBind", |irp| {
            // SAFETY: a live socket; the address outlives the request.
            unsafe { call(self.raw(), address.as_ptr().cast(), flags, irp) }
        })
    }

    /// WskBind.
    pub(crate) fn bind(&self, local: SocketAddr) -> Result<NTSTATUS, Outcome> {
        Ok(self.bind_with(local, 0)?.status)
    }

    /// WskListen.
    pub(crate) fn listen(&self) -> Result<NTSTATUS, Outcome> {
        let call = self.stream().WskListen.ok_or(MISSING)?;
        // SAFETY: a live stream socket.
        let done = request::run(self.bench(), "WskListen", |irp| unsafe { call(self.raw(), irp) })?;
        Ok(done.status)
    }

    /// WskGetLocalAddress: the status, and the address where it is a success.
    pub(crate) fn local_address(&self) -> Result<(NTSTATUS, Option<SocketAddr>), Outcome> {
        let address = Owned::<Address, K>::new(self.bench())?;
        let call = self.local_function().ok_or(MISSING)?;
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

    /// WskGetRemoteAddress: the status, and the address where it is a success.
    pub(crate) fn remote_address(&self) -> Result<(NTSTATUS, Option<SocketAddr>), Outcome> {
        let address = Owned::<Address, K>::new(self.bench())?;
        let call = self.remote_function().ok_or(MISSING)?;
        let done = request::run(self.bench(), "WskGetRemoteAddress", |irp| {
            // SAFETY: a live socket; the address outlives the request.
            unsafe { call(self.raw(), address.as_ptr().cast(), irp) }
        })?;
        Ok((done.status, address.0.to_socket_addr()))
    }

    /// The address that it is connected to.
    pub(crate) fn remote(&self) -> Result<SocketAddr, Outcome> {
        let (status, address) = self.remote_address()?;
        expect_at("WskGetRemoteAddress", STATUS_SUCCESS, status)?;
        address.ok_or(Outcome::NotApplicable { why: "an address of no known family" })
    }

    /// The `index`th connection that the accept event took, once it is there.
    pub(crate) fn arrived(&self, index: usize) -> Result<(Arrival, Self), Outcome> {
        let (arrival, event) = self.event.claim(index)?;
        let handle = Handle::of(self.bench(), arrival.socket);
        Ok((arrival, Self::of(handle, event, Kind::Connection)))
    }

    /// WskInspectComplete.
    pub(crate) fn inspect_complete(
        &self,
        id: WSK_INSPECT_ID,
        action: WSK_INSPECT_ACTION,
    ) -> Result<NTSTATUS, Outcome> {
        let call = self.listening().WskInspectComplete.ok_or(MISSING)?;
        let place = Owned::<Identity, K>::new(self.bench())?;
        // SAFETY: nobody else has it yet.
        unsafe { place.as_ptr().write(Identity(id)) };
        let done = request::run(self.bench(), "WskInspectComplete", |irp| {
            // SAFETY: a live listening socket; the identity outlives the request.
            unsafe { call(self.raw(), place.as_ptr().cast(), action, irp) }
        })?;
        Ok(done.status)
    }

    /// An I/O control that answers with a SIZE_T; the check is not applicable where the provider does not know.
    pub(crate) fn size(&self, code: u32) -> Result<(NTSTATUS, usize), Outcome> {
        let output = size_of::<usize>();
        let control = super::super::handle::Control { kind: WskIoctl, code, level: 0, input: &[], output };
        let controlled = self.control(control)?;
        let status = controlled.done.status;
        needs(status != skua_engine::abi::status::STATUS_NOT_SUPPORTED, "the provider cannot tell")?;
        let mut size = [0; size_of::<usize>()];
        for (place, byte) in size.iter_mut().zip(controlled.output()) {
            *place = *byte;
        }
        Ok((status, usize::from_ne_bytes(size)))
    }

    /// SIO_WSK_QUERY_INSPECT_ID: the status, and the identity where it is a success.
    pub(crate) fn query_inspect_id(&self) -> Result<(NTSTATUS, WSK_INSPECT_ID), Outcome> {
        let call = self.handle.table::<WSK_PROVIDER_BASIC_DISPATCH>().WskControlSocket.ok_or(MISSING)?;
        let place = Owned::<Identity, K>::new(self.bench())?;
        let (nothing, size) = (ptr::null_mut(), size_of::<WSK_INSPECT_ID>());
        let code = SIO_WSK_QUERY_INSPECT_ID;
        let (output, irp) = (place.as_ptr().cast(), ptr::null_mut());
        // SAFETY: a live socket, and room for an identity; without an IRP the room is not used behind the call.
        let status =
            unsafe { call(self.raw(), WskIoctl, code, 0, 0, nothing, size, output, ptr::null_mut(), irp) };
        Ok((status, place.0))
    }

    /// WskRelease.
    pub(crate) fn release(&self, list: *mut WSK_DATA_INDICATION) -> NTSTATUS {
        // SAFETY: a live connection; its table and that of stream sockets have the function at the same place.
        unsafe { release(self.raw(), list) }
    }

    /// Closes and waits; what the receive event retained is released before.
    pub(crate) fn close(self) -> Result<Done, Outcome> {
        let (handle, event) = self.settled();
        let done = handle.close();
        drop(event);
        done
    }

    /// WskCloseSocket; what the call returned, and the request.
    pub(crate) fn start_close(self) -> Result<(NTSTATUS, Closing<'c, K>), Outcome> {
        let request = Request::new(self.bench())?;
        let (handle, event) = self.settled();
        let returned = handle.start_close(&request);
        Ok((returned, Closing { request, event }))
    }

    /// An event began to close it.
    pub(crate) fn leave_to_callback(self) -> StreamRecorder<'c, K> {
        let (handle, event) = self.settled();
        handle.leave_to_callback();
        event
    }

    /// Its parts, with nothing retained, and without the release when it is dropped.
    fn settled(self) -> (Handle<'c, K>, StreamRecorder<'c, K>) {
        self.release_all();
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: moved out of a value that is not dropped.
        let handle = unsafe { ptr::read(&raw const this.handle) };
        // SAFETY: as above.
        let event = unsafe { ptr::read(&raw const this.event) };
        (handle, event)
    }

    fn release_all(&self) {
        self.event.keep(super::record::Keep::Nothing);
        self.event.wait_until_idle();
        for list in self.event.take_all_retained() {
            let _status = self.release(list);
        }
    }
}

impl<K: Kernel> Drop for StreamSocket<'_, K> {
    fn drop(&mut self) {
        self.release_all();
    }
}

/// A WskCloseSocket that is out, or was.
pub(crate) struct Closing<'c, K: Kernel> {
    // First: dropping it waits, and the events are used until then.
    pub(crate) request: Request<'c, K>,
    pub(crate) event: StreamRecorder<'c, K>,
}

/// A function that every table of the category has is null.
pub(super) const MISSING: Outcome = Outcome::NotApplicable { why: "the table has no such function" };

/// A WSK_INSPECT_ID that outlives a request.
#[repr(transparent)]
struct Identity(WSK_INSPECT_ID);

// SAFETY: zeroes are a value of it.
unsafe impl Zeroed for Identity {}
