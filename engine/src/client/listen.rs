//! A socket that listens for connections.

// UNSAFETY: WSK calls with what lies in the request's slot; the handle owns its block.
#![expect(unsafe_code, reason = "the block stays in place until the handle's close is through")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::NonNull;
use core::time::Duration;

use skua_pools::{OutOfMemory, Tag};

use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::{NTSTATUS, STATUS_SUCCESS};
use crate::abi::wsk::{
    WSK_EVENT_ACCEPT, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET,
};
use crate::anchor::Anchor;
use crate::client::base::SocketBase;
use crate::client::close;
use crate::client::connection::{Bound, ConnectionSocket, Unbound, events_of};
use crate::client::connection_events::Table;
use crate::client::connections::Connections;
use crate::client::control::{Controlled, sealed::HasBase};
use crate::client::finish::{Address, Done, Opening, Ready, succeeded};
use crate::client::handler::ListenHandler;
use crate::client::inside::{ABSENT, Call};
use crate::client::inspect::{InspectId, Inspection};
use crate::kernel::Kernel;
use crate::operation::Completion;
use crate::processor::Passive;
use crate::registration::Provider;
use crate::request::{Buffer, Finish, Pending, RequestError};
use crate::socket::CloseError;

/// Pool tag of listening sockets.
const TAG: Tag = Tag::new(b"SkLs");

/// A listening socket, its handler, and the room for what it accepts.
///
/// # Invariants
/// `base` is the first field.
#[repr(C)]
pub(super) struct ListenBlock<K: Kernel, L: ListenHandler<K>> {
    pub base: SocketBase<K>,
    pub handler: L,
    pub connections: Connections<K, L::Connection>,
    /// The category of what it accepts: a connection's, or a stream's.
    pub accepted_category: u32,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listening;

/// A listening socket, in the state `S`: [`Unbound`], or [`Listening`]; [`Bound`] for a stream socket that is to listen.
///
/// Dropping it never waits: the socket goes on closing on its registration's list.
///
/// # Invariants
/// The handle owns the block, which is not freed before the handle's close is through.
pub struct ListenSocket<K: Kernel, L: ListenHandler<K>, S = Listening> {
    pub(super) block: NonNull<ListenBlock<K, L>>,
    state: PhantomData<fn() -> S>,
}

// SAFETY: the block is Sync and belongs to no thread.
unsafe impl<K: Kernel, L: ListenHandler<K>, S> Send for ListenSocket<K, L, S> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel, L: ListenHandler<K>, S> Sync for ListenSocket<K, L, S> {}

impl<K: Kernel, L: ListenHandler<K>, S> ListenSocket<K, L, S> {
    /// A block for a socket to come.
    pub(super) fn new(
        provider: &Provider<K>,
        connections: &Connections<K, L::Connection>,
        handler: L,
        category: u32,
        is_ipv6: bool,
    ) -> Result<Self, OutOfMemory> {
        let accepted_category = match category {
            WSK_FLAG_LISTEN_SOCKET => WSK_FLAG_CONNECTION_SOCKET,
            _ => WSK_FLAG_STREAM_SOCKET,
        };
        let base = SocketBase::new(provider.block.clone(), connections.requests().clone(), free::<K, L>);
        let block = ListenBlock { base, handler, connections: connections.clone(), accepted_category };
        let block = Anchor::new(provider.kernel(), TAG, block)?;
        // SAFETY: it lies where it will stay.
        unsafe { block.base.prepare() };
        // SAFETY: nobody else has it.
        unsafe { block.base.reset(category, is_ipv6) };
        Ok(Self { block: block.into_value(), state: PhantomData })
    }

    /// What opening one asks of memory, in bytes.
    #[must_use]
    pub fn bytes() -> usize {
        Anchor::<ListenBlock<K, L>, K>::bytes()
    }

    /// The same socket in another state.
    pub(super) fn become_state<T>(self) -> ListenSocket<K, L, T> {
        let this = ManuallyDrop::new(self);
        ListenSocket { block: this.block, state: PhantomData }
    }

    /// Its handler.
    #[must_use]
    pub fn handler(&self) -> &L {
        &self.block().handler
    }

    /// As [`ConnectionSocket::close`]. What was accepted stays.
    ///
    /// # Errors
    /// [`CloseError`] past the deadline.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. Never from a handler.
    pub fn close(self, deadline: Duration, passive: &Passive<'_>) -> Result<(), CloseError> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the handle owned it, and is gone.
        unsafe { close::close::<K>(this.block.cast(), deadline, passive) }
    }

    pub(super) fn block(&self) -> &ListenBlock<K, L> {
        // SAFETY: the handle owns the block.
        unsafe { self.block.as_ref() }
    }
}

impl<K: Kernel, L: ListenHandler<K>> ListenSocket<K, L, Unbound> {
    /// Binds it, and so it listens; enables the accept event if its handler wants it. Port 0 lets the stack choose.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn bind(self, local: SocketAddr) -> Pending<K, Opening<ListenSocket<K, L>>> {
        let block = self.block;
        let finish = Opening { call: "WskBind", socket: self.become_state() };
        // SAFETY: the handle in `finish` keeps the block.
        unsafe { block.as_ref() }.base.bind(local, finish)
    }
}

impl<K: Kernel, L: ListenHandler<K>> ListenSocket<K, L> {
    /// Takes the next connection (WskAccept), before the accept event does. `handler` is the connection's.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn accept(&self, handler: L::Connection) -> Pending<K, Accepting<K, L>> {
        let block = self.block();
        let Some(slot) = block.base.requests.take() else { return Pending::failed(RequestError::NoSlot) };
        let Ok(room) = block.connections.take(handler, block.accepted_category, block.base.is_ipv6()) else {
            return Pending::failed(RequestError::NoConnection);
        };
        // SAFETY: taken just now.
        let made = unsafe { &room.as_ref().base };
        // Open: it was reset by the take.
        let _counted = made.pending.enter();
        // SAFETY: the block is this caller's, and the socket will be there when anybody gets the handle.
        let socket = unsafe { ConnectionSocket::over(room) };
        let call = |call: &Call<'_, K>| {
            let Some(accept) = call.accept() else { return ABSENT };
            let local = call.put([SOCKADDR_INET::UNSPEC; 2]).cast::<SOCKADDR_INET>();
            let remote = local.wrapping_add(1);
            let table = Table::<K, L::Connection>::DISPATCH;
            // SAFETY: context and table outlive the socket; there is room for two addresses, in the slot.
            unsafe {
                accept(call.socket(), 0, room.as_ptr().cast(), table, local.cast(), remote.cast(), call.irp)
            }
        };
        // SAFETY: one function, with what lies in the slot or outlives the request; `made` counts it.
        unsafe { block.base.request_with(slot, Accepting { socket }, made, call) }
    }

    /// Decides on a connection that was left [pending](Inspection::Pend) (WskInspectComplete). Not for stream sockets.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn inspect_complete(&self, id: InspectId, inspection: Inspection) -> Pending<K, Done> {
        let call = |call: &Call<'_, K>| match call.inspect_complete() {
            // SAFETY: the id lies in the slot.
            Some(complete) => unsafe {
                complete(call.socket(), call.put(id.0), inspection.action(), call.irp)
            },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.block().base.request(Done("WskInspectComplete"), call) }
    }

    /// Where it listens: the port is the real one, also if 0 was asked for (WskGetLocalAddress).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn local_address(&self) -> Pending<K, Address> {
        self.block().base.local_address()
    }
}

/// A connection that a [`ListenSocket::accept`] waits for.
pub struct Accepting<K: Kernel, L: ListenHandler<K>> {
    /// Has no socket yet. The completion gives it one; dropped before, it is closed when the request is over.
    socket: ConnectionSocket<K, L::Connection>,
}

impl<K: Kernel, L: ListenHandler<K>> Finish<K> for Accepting<K, L> {
    type Output = ConnectionSocket<K, L::Connection>;

    fn finish(self, completion: Completion, buffer: Buffer<K>) -> Result<Self::Output, RequestError> {
        let Self { socket } = self;
        succeeded("WskAccept", completion.status)?;
        let ends = buffer.slot().parameters::<[SOCKADDR_INET; 2]>();
        // SAFETY: the request was made with two addresses there, and is done.
        let ends = unsafe { ends.read() };
        // SAFETY: nobody else has the handle yet.
        unsafe { *socket.block().ends.get() = ends.map(|end| end.to_socket_addr()) };
        succeeded("WskControlSocket", socket.ready())?;
        Ok(socket)
    }
}

impl<K: Kernel, L: ListenHandler<K>> Ready for ListenSocket<K, L, Unbound> {
    fn ready(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }
}

impl<K: Kernel, L: ListenHandler<K>> Ready for ListenSocket<K, L, Bound> {
    fn ready(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }
}

impl<K: Kernel, L: ListenHandler<K>> Ready for ListenSocket<K, L, Listening> {
    /// The events of connections go with it: they are those of every socket that the accept event accepts.
    fn ready(&self) -> NTSTATUS {
        let mask = if L::ACCEPTS { WSK_EVENT_ACCEPT | events_of::<K, L::Connection>() } else { 0 };
        self.block().base.enable_events(mask)
    }
}

impl<K: Kernel, L: ListenHandler<K>, S> HasBase<K> for ListenSocket<K, L, S> {
    #[expect(private_interfaces, reason = "sealed")]
    fn base(&self) -> &SocketBase<K> {
        &self.block().base
    }
}

impl<K: Kernel, L: ListenHandler<K>, S> Controlled<K> for ListenSocket<K, L, S> {}

impl<K: Kernel, L: ListenHandler<K>, S> Drop for ListenSocket<K, L, S> {
    fn drop(&mut self) {
        // SAFETY: the handle owned it, and is gone.
        unsafe { close::leave_to_list::<K>(self.block.cast()) };
    }
}

/// Frees a closed listening socket's block.
///
/// # Safety
/// The base lies in a block of this type that nobody else has.
unsafe fn free<K: Kernel, L: ListenHandler<K>>(base: NonNull<SocketBase<K>>) {
    // SAFETY: `new` gave up the anchor that this takes up again.
    drop(unsafe { Anchor::<ListenBlock<K, L>, K>::from_value(base.cast()) });
}
