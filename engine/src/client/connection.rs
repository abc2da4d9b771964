//! A connection over TCP.

// UNSAFETY: WSK calls with what lies in the request's slot; the handle owns its block.
#![expect(unsafe_code, reason = "the block stays in place until the handle's close is through")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::NonNull;
use core::time::Duration;

use crate::abi::status::{NTSTATUS, STATUS_SUCCESS};
use crate::abi::wsk::{
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, SIO_WSK_QUERY_RECEIVE_BACKLOG, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE,
    WSK_EVENT_SEND_BACKLOG,
};
use crate::client::base::SocketBase;
use crate::client::close;
use crate::client::connections::ConnectionBlock;
use crate::client::control::{Controlled, sealed::HasBase};
use crate::client::finish::{Address, Opening, Ready, Value};
use crate::client::handler::ConnectionHandler;
use crate::client::inside::{ABSENT, Call};
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::request::{Buffer, Pending, RequestError};
use crate::socket::CloseError;

/// A socket that is not bound: options that must precede the bind can be set.
#[derive(Debug)]
pub struct Unbound;
/// A socket that is bound and not connected.
#[derive(Debug)]
pub struct Bound;
/// A socket that is connected.
#[derive(Debug)]
pub struct Connected;

/// A connection socket, in the state `S`: [`Unbound`], [`Bound`] or [`Connected`].
///
/// Requests that it makes are independent of it: closing it cancels them. Dropping it never waits: the socket goes on
/// closing on its registration's list. The close is abortive unless both ends have [disconnected](Self::disconnect).
///
/// # Invariants
/// The handle owns the block, which is not freed before the handle's close is through.
pub struct ConnectionSocket<K: Kernel, H: ConnectionHandler<K>, S = Connected> {
    pub(super) block: NonNull<ConnectionBlock<K, H>>,
    state: PhantomData<fn() -> S>,
}

// SAFETY: the block is Sync and belongs to no thread.
unsafe impl<K: Kernel, H: ConnectionHandler<K>, S> Send for ConnectionSocket<K, H, S> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel, H: ConnectionHandler<K>, S> Sync for ConnectionSocket<K, H, S> {}

impl<K: Kernel, H: ConnectionHandler<K>, S> ConnectionSocket<K, H, S> {
    /// # Safety
    /// The block is the caller's to own, and its socket is in the state `S`, or will be before anybody has the handle.
    pub(super) unsafe fn over(block: NonNull<ConnectionBlock<K, H>>) -> Self {
        Self { block, state: PhantomData }
    }

    /// The same socket in another state.
    pub(super) fn become_state<T>(self) -> ConnectionSocket<K, H, T> {
        let this = ManuallyDrop::new(self);
        ConnectionSocket { block: this.block, state: PhantomData }
    }

    /// Its handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        // SAFETY: there from the take to the end of the close.
        let handler = unsafe { &*self.block().handler.get() };
        match handler {
            Some(handler) => handler,
            // SAFETY: as above.
            None => unsafe { core::hint::unreachable_unchecked() },
        }
    }

    /// Waits for callbacks, calls and retained data, then closes. Requests under way are cancelled by the close.
    ///
    /// # Errors
    /// [`CloseError`] past the deadline: the caller is free, the socket goes on closing on its registration's list.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. Never from a handler: it would wait for itself.
    pub fn close(self, deadline: Duration, passive: &Passive<'_>) -> Result<(), CloseError> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the handle owned it, and is gone.
        unsafe { close::close::<K>(this.block.cast(), deadline, passive) }
    }

    pub(super) fn block(&self) -> &ConnectionBlock<K, H> {
        // SAFETY: the handle owns the block.
        unsafe { self.block.as_ref() }
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> ConnectionSocket<K, H, Unbound> {
    /// Binds it. A socket that must be connected must be bound first; port 0 lets the stack choose.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn bind(self, local: SocketAddr) -> Pending<K, Opening<ConnectionSocket<K, H, Bound>>> {
        let base = self.block;
        let finish = Opening { call: "WskBind", socket: self.become_state() };
        // SAFETY: the handle in `finish` keeps the block.
        unsafe { base.as_ref() }.base.bind(local, finish)
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> ConnectionSocket<K, H, Bound> {
    /// Connects it (WskConnect), and enables the events that its handler wants.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn connect(self, remote: SocketAddr) -> Pending<K, Opening<ConnectionSocket<K, H>>> {
        let block = self.block;
        // SAFETY: the handle in `finish` keeps the block.
        let base = unsafe { &block.as_ref().base };
        let finish = Opening { call: "WskConnect", socket: self.become_state() };
        let Some(remote) = base.in_family(remote) else { return Pending::failed(RequestError::Family) };
        let call = |call: &Call<'_, K>| match call.connect() {
            // SAFETY: the address lies in the slot.
            Some(connect) => unsafe { connect(call.socket(), call.put(remote).cast(), 0, call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { base.request(finish, call) }
    }

    /// Connects it with the first bytes to send, at most 65,535 (WskConnectEx, Windows 10 1703).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn connect_with(
        self,
        remote: SocketAddr,
        mut data: Buffer<K>,
    ) -> Pending<K, Opening<ConnectionSocket<K, H>>> {
        let block = self.block;
        // SAFETY: the handle in `finish` keeps the block.
        let base = unsafe { &block.as_ref().base };
        let finish = Opening { call: "WskConnectEx", socket: self.become_state() };
        let Some(remote) = base.in_family(remote) else { return Pending::failed(RequestError::Family) };
        let bytes = data.len();
        let buffer = data.describe(bytes);
        let call = |call: &Call<'_, K>| match call.connect_ex() {
            // SAFETY: address and buffer lie in the slot.
            Some(connect) => unsafe { connect(call.socket(), call.put(remote).cast(), buffer, 0, call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { base.request_with(data, finish, core::ptr::null(), call) }
    }

    /// Where it is bound (WskGetLocalAddress).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn local_address(&self) -> Pending<K, Address> {
        self.base().local_address()
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> ConnectionSocket<K, H> {
    /// Where its own end is (WskGetLocalAddress).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn local_address(&self) -> Pending<K, Address> {
        self.base().local_address()
    }

    /// Where the other end is (WskGetRemoteAddress).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn remote_address(&self) -> Pending<K, Address> {
        self.base().remote_address()
    }

    /// The local and the remote end, as they were told when the connection was accepted; `None` for one that was not.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn accepted_ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        // SAFETY: written before anybody had the handle.
        let [local, remote] = unsafe { *self.block().ends.get() };
        local.zip(remote)
    }

    /// How many bytes it is best to have under way (SIO_WSK_QUERY_IDEAL_SEND_BACKLOG).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn ideal_send_backlog(&self) -> Pending<K, Value<usize>> {
        self.query(SIO_WSK_QUERY_IDEAL_SEND_BACKLOG)
    }

    /// Bytes that have come and nobody has taken (SIO_WSK_QUERY_RECEIVE_BACKLOG).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn receive_backlog(&self) -> Pending<K, Value<usize>> {
        self.query(SIO_WSK_QUERY_RECEIVE_BACKLOG)
    }
}

/// The event flags of what a handler wants.
pub(super) const fn events_of<K: Kernel, H: ConnectionHandler<K>>() -> u32 {
    let wanted = H::EVENTS;
    (if wanted.receive { WSK_EVENT_RECEIVE } else { 0 })
        | (if wanted.disconnect { WSK_EVENT_DISCONNECT } else { 0 })
        | (if wanted.send_backlog { WSK_EVENT_SEND_BACKLOG } else { 0 })
}

impl<K: Kernel, H: ConnectionHandler<K>> Ready for ConnectionSocket<K, H, Unbound> {
    fn ready(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> Ready for ConnectionSocket<K, H, Bound> {
    fn ready(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }
}

impl<K: Kernel, H: ConnectionHandler<K>> Ready for ConnectionSocket<K, H, Connected> {
    fn ready(&self) -> NTSTATUS {
        self.base().enable_events(events_of::<K, H>())
    }
}

impl<K: Kernel, H: ConnectionHandler<K>, S> HasBase<K> for ConnectionSocket<K, H, S> {
    #[expect(private_interfaces, reason = "sealed")]
    fn base(&self) -> &SocketBase<K> {
        &self.block().base
    }
}

impl<K: Kernel, H: ConnectionHandler<K>, S> Controlled<K> for ConnectionSocket<K, H, S> {}

impl<K: Kernel, H: ConnectionHandler<K>, S> Drop for ConnectionSocket<K, H, S> {
    fn drop(&mut self) {
        // SAFETY: the handle owned it, and is gone.
        unsafe { close::leave_to_list::<K>(self.block.cast()) };
    }
}
