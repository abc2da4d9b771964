//! What the provider calls for a listening socket.

// UNSAFETY: the provider calls these with addresses of its own; what they point at is lent until the return.
#![expect(unsafe_code, reason = "the callbacks' contract with WSK")]

use core::ffi::c_void;
use core::marker::PhantomData;
use core::net::SocketAddr;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use crate::abi::status::{NTSTATUS, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS};
use crate::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_INSPECT_ACTION, WSK_INSPECT_ID,
    WSK_SOCKET, WskInspectReject,
};
use crate::client::connection::ConnectionSocket;
use crate::client::connection_events::{Table, guard};
use crate::client::connections::{ConnectionBlock, Connections};
use crate::client::handler::{ConnectionHandler, ListenHandler};
use crate::client::inside::Inside;
use crate::client::inspect::InspectId;
use crate::client::listen::ListenBlock;
use crate::kernel::Kernel;
use crate::processor::Dispatch;

/// A connection that has come and nobody has taken.
pub struct Arriving<'a, K: Kernel, H: ConnectionHandler<K>> {
    connections: &'a Connections<K, H>,
    socket: NonNull<WSK_SOCKET>,
    category: u32,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

/// What a handler has made of an [`Arriving`]; made by its methods only.
#[must_use = "the provider waits for it"]
pub struct Acceptance<'a> {
    /// The block of the connection, as WSK's context; `None` refuses.
    context: Option<NonNull<c_void>>,
    /// Of this arrival, not of another.
    of: PhantomData<fn(&'a ()) -> &'a ()>,
}

impl<'a, K: Kernel, H: ConnectionHandler<K>> Arriving<'a, K, H> {
    /// The end that was connected to.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// The end that connects.
    #[must_use]
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Accepts it. The socket may be used from now on; its events may come before this callback has returned.
    ///
    /// # Errors
    /// The handler comes back, with a refusal, when every connection is in use.
    pub fn accept(self, handler: H) -> Result<(Acceptance<'a>, ConnectionSocket<K, H>), (Acceptance<'a>, H)> {
        let is_ipv6 = self.local.is_some_and(|local| local.is_ipv6());
        let block = match self.connections.take(handler, self.category, is_ipv6) {
            Ok(block) => block,
            Err(handler) => return Err((self.refuse(), handler)),
        };
        // SAFETY: taken just now.
        let taken = unsafe { block.as_ref() };
        // SAFETY: as above.
        unsafe { *taken.ends.get() = [self.local, self.remote] };
        taken.base.set_socket(self.socket.as_ptr());
        // Left by the event when it returns: a handle that is dropped before does not close a socket that is not there.
        let _entered = taken.base.calls.enter();
        // SAFETY: the block is this caller's.
        let socket = unsafe { ConnectionSocket::over(block) };
        Ok((Acceptance { context: Some(block.cast()), of: PhantomData }, socket))
    }

    /// Refuses it: the provider closes it.
    pub fn refuse(self) -> Acceptance<'a> {
        Acceptance { context: None, of: PhantomData }
    }
}

/// The table of every listening socket with a handler of this type.
pub(super) struct ListenTable<K, L>(PhantomData<(K, L)>);

impl<K: Kernel, L: ListenHandler<K>> ListenTable<K, L> {
    pub(super) const DISPATCH: &'static WSK_CLIENT_LISTEN_DISPATCH = &WSK_CLIENT_LISTEN_DISPATCH {
        WskAcceptEvent: Some(accept_event::<K, L>),
        WskInspectEvent: Some(inspect_event::<K, L>),
        WskAbortEvent: Some(abort_event::<K, L>),
    };
}

/// # Safety
/// `context` is a listening socket's block whose close is not through.
unsafe fn block<'a, K: Kernel, L: ListenHandler<K>>(context: *mut c_void) -> &'a ListenBlock<K, L> {
    // SAFETY: the caller's promise.
    unsafe { &*context.cast::<ListenBlock<K, L>>() }
}

/// WskAcceptEvent.
///
/// # Safety
/// `context` is the socket's block; the addresses are lent; the outputs are the provider's variables.
unsafe extern "C" fn accept_event<K: Kernel, L: ListenHandler<K>>(
    context: *mut c_void,
    flags: u32,
    local: PSOCKADDR,
    remote: PSOCKADDR,
    socket: *mut WSK_SOCKET,
    accepted_context: *mut *mut c_void,
    accepted_dispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let block = unsafe { block::<K, L>(context) };
    // SAFETY: the flags of this callback.
    let _dispatch = unsafe { guard(&block.base.kernel, flags) };
    let Some(_inside) = block.base.enter() else { return STATUS_REQUEST_NOT_ACCEPTED };
    let Some(socket) = NonNull::new(socket) else {
        block.base.died.store(true, Ordering::Relaxed);
        block.handler.died();
        return STATUS_SUCCESS;
    };
    let arriving = Arriving {
        connections: &block.connections,
        socket,
        category: block.accepted_category,
        // SAFETY: lent until the return.
        local: unsafe { address(local) },
        // SAFETY: as above.
        remote: unsafe { address(remote) },
    };
    let Some(accepted) = block.handler.accept(arriving).context else { return STATUS_REQUEST_NOT_ACCEPTED };
    // SAFETY: the provider's variable.
    unsafe { accepted_context.write(accepted.as_ptr()) };
    // SAFETY: as above.
    unsafe { accepted_dispatch.write(Table::<K, L::Connection>::DISPATCH) };
    // SAFETY: made by `Arriving::accept`, whose place inside `calls` keeps it.
    let connection = unsafe { accepted.cast::<ConnectionBlock<K, L::Connection>>().as_ref() };
    // The place that was entered there.
    drop(Inside { base: &connection.base });
    STATUS_SUCCESS
}

/// WskInspectEvent, which has no flags.
///
/// # Safety
/// `context` is the socket's block; addresses and id are lent.
unsafe extern "C" fn inspect_event<K: Kernel, L: ListenHandler<K>>(
    context: *mut c_void,
    local: PSOCKADDR,
    remote: PSOCKADDR,
    id: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION {
    // SAFETY: the caller's promise.
    let block = unsafe { block::<K, L>(context) };
    let _dispatch = Dispatch::raise(&block.base.kernel);
    let Some(_inside) = block.base.enter() else { return WskInspectReject };
    if id.is_null() {
        block.base.died.store(true, Ordering::Relaxed);
        block.handler.died();
        return WskInspectReject;
    }
    // SAFETY: lent until the return.
    let id = InspectId(unsafe { id.read() });
    // SAFETY: lent until the return.
    let ends = unsafe { address(local) }.zip(unsafe { address(remote) });
    match ends {
        Some((local, remote)) => block.handler.inspect(local, remote, id).action(),
        None => WskInspectReject,
    }
}

/// WskAbortEvent, which must answer SUCCESS.
///
/// # Safety
/// `context` is the socket's block; the id is lent.
unsafe extern "C" fn abort_event<K: Kernel, L: ListenHandler<K>>(
    context: *mut c_void,
    id: *mut WSK_INSPECT_ID,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let block = unsafe { block::<K, L>(context) };
    let _dispatch = Dispatch::raise(&block.base.kernel);
    if let Some(_inside) = block.base.enter()
        && !id.is_null()
    {
        // SAFETY: lent until the return.
        block.handler.abort(InspectId(unsafe { id.read() }));
    }
    STATUS_SUCCESS
}

/// # Safety
/// `address` is null or an address that is lent.
unsafe fn address(address: PSOCKADDR) -> Option<SocketAddr> {
    // SAFETY: the caller's promise.
    unsafe { SOCKADDR_INET::read(address) }.and_then(|address| address.to_socket_addr())
}
