//! Requests that end with a connection: WskAccept and WskSocketConnect.

// UNSAFETY: calls WSK's functions, which give a socket by address.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::cell::Cell;
use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr;

use skua_engine::abi::sockaddr::{IPPROTO_TCP, SOCK_STREAM, SOCKADDR_INET};
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::WSK_SOCKET;
use skua_engine::{Dispatch, Kernel};

use super::super::handle::Handle;
use super::super::memory::{Owned, Zeroed};
use super::super::request::{Done, Request};
use super::super::{Bench, Client};
use super::events::Tables;
use super::recorder::StreamRecorder;
use super::socket::{Kind, MISSING, StreamSocket};
use crate::outcome::Outcome;

/// Two addresses that outlive a request.
#[repr(C)]
struct Ends {
    local: SOCKADDR_INET,
    remote: SOCKADDR_INET,
}

// SAFETY: zeroes are two unspecified addresses.
unsafe impl Zeroed for Ends {}

/// A request that ends with a connection socket, out or over. A socket that nobody took is closed when this is dropped.
pub(crate) struct Arriving<'c, K: Kernel> {
    pub(crate) request: Request<'c, K>,
    ends: Owned<'c, Ends, K>,
    /// The context of the socket, until it is taken.
    event: Cell<Option<StreamRecorder<'c, K>>>,
    bench: &'c Bench<K>,
}

/// How WskAccept is called.
#[derive(Clone, Copy)]
pub(crate) struct Accepting {
    pub(crate) flags: u32,
    /// With a context and a table of events.
    pub(crate) events: bool,
    /// With room for the addresses.
    pub(crate) addresses: bool,
}

/// How WskSocketConnect is called.
#[derive(Clone, Copy)]
pub(crate) struct SocketConnecting {
    pub(crate) socket_type: u16,
    pub(crate) protocol: u32,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) flags: u32,
    /// With a context and a table of events.
    pub(crate) events: bool,
    /// At DISPATCH_LEVEL.
    pub(crate) raised: bool,
}

impl SocketConnecting {
    /// Over TCP with all events.
    pub(crate) const fn tcp(local: SocketAddr, remote: SocketAddr) -> Self {
        let (socket_type, protocol) = (SOCK_STREAM, IPPROTO_TCP);
        Self { socket_type, protocol, local, remote, flags: 0, events: true, raised: false }
    }
}

impl<'c, K: Kernel> Arriving<'c, K> {
    fn new(bench: &'c Bench<K>) -> Result<Self, Outcome> {
        Ok(Self {
            request: Request::new(bench)?,
            ends: Owned::new(bench)?,
            event: Cell::new(Some(StreamRecorder::new(bench)?)),
            bench,
        })
    }

    fn context(&self) -> *mut c_void {
        let event = self.event.take();
        let context = event.as_ref().map_or(ptr::null_mut(), StreamRecorder::context);
        self.event.set(event);
        context
    }

    /// Waits for the completion.
    pub(crate) fn wait(&self) -> Result<Done, Outcome> {
        self.request.wait("a connection")
    }

    /// The two addresses that were written.
    pub(crate) fn ends(&self) -> [Option<SocketAddr>; 2] {
        [self.ends.local.to_socket_addr(), self.ends.remote.to_socket_addr()]
    }

    /// The socket, once it is there.
    pub(crate) fn socket(&self) -> Result<StreamSocket<'c, K>, Outcome> {
        let done = self.wait()?.succeeds("a connection")?;
        let event =
            self.event.take().ok_or(Outcome::NotApplicable { why: "the connection was taken already" })?;
        let handle = Handle::of(self.bench, socket_of(done));
        Ok(StreamSocket::of(handle, event, Kind::Connection))
    }
}

impl<K: Kernel> Drop for Arriving<'_, K> {
    fn drop(&mut self) {
        let Some(event) = self.event.take() else { return };
        if !self.request.is_complete() {
            self.request.cancel();
        }
        if let Ok(done) = self.wait()
            && done.status == STATUS_SUCCESS
            && done.information != 0
        {
            drop(Handle::of(self.bench, socket_of(done)));
        }
        drop(event);
    }
}

fn socket_of(done: Done) -> *mut WSK_SOCKET {
    ptr::with_exposed_provenance_mut(done.information)
}

impl<'c, K: Kernel> StreamSocket<'c, K> {
    /// WskAccept; the request is out then.
    pub(crate) fn start_accept(&self) -> Result<Arriving<'c, K>, Outcome> {
        self.start_accept_as(Accepting { flags: 0, events: true, addresses: true })
    }

    /// WskAccept in any way.
    pub(crate) fn start_accept_as(&self, accepting: Accepting) -> Result<Arriving<'c, K>, Outcome> {
        let call = self.accept_function().ok_or(MISSING)?;
        let arriving = Arriving::new(self.bench())?;
        let Accepting { flags, events, addresses } = accepting;
        let context = if events { arriving.context() } else { ptr::null_mut() };
        let table = if events { ptr::from_ref(Tables::<K>::CONNECTION) } else { ptr::null() };
        let ends = arriving.ends.as_ptr();
        // SAFETY: within the two addresses.
        let local = unsafe { &raw mut (*ends).local };
        // SAFETY: within the two addresses.
        let remote = unsafe { &raw mut (*ends).remote };
        let nowhere = ptr::null_mut();
        let (local, remote) = if addresses { (local, remote) } else { (nowhere, nowhere) };
        let _returned = self.start(&arriving.request, |irp| {
            // SAFETY: a live socket; context and addresses outlive the request, and the context the accepted socket.
            unsafe { call(self.raw(), flags, context, table, local.cast(), remote.cast(), irp) }
        });
        Ok(arriving)
    }

    /// Accepts one connection.
    pub(crate) fn accept(&self) -> Result<Self, Outcome> {
        self.start_accept()?.socket()
    }
}

impl<K: Kernel> Client<'_, K> {
    /// WskSocketConnect; the request is out then.
    pub(crate) fn start_socket_connect(
        &self,
        connecting: SocketConnecting,
    ) -> Result<Arriving<'_, K>, Outcome> {
        self.needs_tcp()?;
        self.needs_family(connecting.local)?;
        let call = self.functions().WskSocketConnect.ok_or(MISSING)?;
        let arriving = Arriving::new(self.bench())?;
        let SocketConnecting { socket_type, protocol, local, remote, flags, events, raised } = connecting;
        let context = if events { arriving.context() } else { ptr::null_mut() };
        let table = if events { ptr::from_ref(Tables::<K>::CONNECTION) } else { ptr::null() };
        let ends = arriving.ends.as_ptr();
        // SAFETY: the request does not have it yet.
        unsafe { ends.write(Ends { local: local.into(), remote: remote.into() }) };
        // SAFETY: within the two addresses.
        let local = unsafe { &raw mut (*ends).local };
        // SAFETY: within the two addresses.
        let remote = unsafe { &raw mut (*ends).remote };
        let (client, process, thread, security) =
            (self.npi().Client, ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let start = |irp| {
            // SAFETY: a captured client; context and addresses outlive the request, and the context the socket.
            unsafe {
                call(
                    client,
                    socket_type,
                    protocol,
                    local.cast(),
                    remote.cast(),
                    flags,
                    context,
                    table,
                    process,
                    thread,
                    security,
                    irp,
                )
            }
        };
        let request = &arriving.request;
        let _returned = if raised {
            Dispatch::with(self.kernel(), |_| request.start(start))
        } else {
            request.start(start)
        };
        Ok(arriving)
    }
}
