//! What a socket is made with: WskSocket's parameters, and the options that precede its bind.

// UNSAFETY: WskSocket and WskSocketConnect with the block of the socket that is made.
#![expect(unsafe_code, reason = "the block stays in place from the call to the end of WskCloseSocket")]

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr::null_mut;
use core::time::Duration;

use arrayvec::ArrayVec;

use crate::abi::nt::IRP;
use crate::abi::sockaddr::{
    AF_INET, AF_INET6, IPPROTO_IPV6, IPPROTO_TCP, IPV6_V6ONLY, SO_CONDITIONAL_ACCEPT, SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR, SOCK_STREAM, SOCKADDR_INET, SOL_SOCKET,
};
use crate::abi::status::NTSTATUS;
use crate::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET,
};
use crate::client::base::SocketBase;
use crate::client::basic::BasicSocket;
use crate::client::connection::{Bound, ConnectionSocket, Unbound};
use crate::client::connection_events::Table;
use crate::client::connections::Connections;
use crate::client::control::{Controlled, in_family, sealed::HasBase};
use crate::client::finish::{Done, Opening, Ready};
use crate::client::handler::{ConnectionHandler, ListenHandler};
use crate::client::inside::ABSENT;
use crate::client::listen::{ListenSocket, Listening};
use crate::client::listen_events::ListenTable;
use crate::deadline::Deadline;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::registration::Provider;
use crate::request::slot::Slot;
use crate::request::{Finish, Pending, RequestError, Requests, Targets, WaitError};
use crate::socket::{Owner, Sharing};

/// Options that a builder keeps besides those it has methods for.
const OPTIONS: usize = 8;

/// An address family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// AF_INET.
    Inet,
    /// AF_INET6. A socket bound to `::` takes IPv4 as well, unless told otherwise.
    Inet6,
}

impl Family {
    /// That of an address.
    #[must_use]
    pub const fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::Inet } else { Self::Inet6 }
    }

    pub(super) const fn is_ipv6(self) -> bool {
        matches!(self, Self::Inet6)
    }

    const fn value(self) -> u16 {
        match self {
            Self::Inet => AF_INET,
            Self::Inet6 => AF_INET6,
        }
    }
}

/// The parameters of WskSocket, and the options between it and the bind.
///
/// A security descriptor must outlive the request that it is lent to. So with one the methods that return at once are not
/// there; those that wait do so for as long as it takes.
#[derive(Clone, Debug)]
pub struct SocketBuilder<'d> {
    family: Family,
    protocol: u32,
    owner: Owner<'d>,
    /// Level, option, value, in the order of setting.
    options: ArrayVec<(u32, u32, u32), OPTIONS>,
}

impl SocketBuilder<'static> {
    /// TCP, the calling process, the transport's options.
    #[must_use]
    pub const fn new(family: Family) -> Self {
        let owner = Owner::CALLER;
        Self { family, protocol: IPPROTO_TCP, owner, options: ArrayVec::new_const() }
    }
}

impl<'d> SocketBuilder<'d> {
    pub(super) fn is_ipv6(&self) -> bool {
        self.family.is_ipv6()
    }

    /// Another protocol than TCP.
    #[must_use]
    pub fn protocol(mut self, protocol: u32) -> Self {
        self.protocol = protocol;
        self
    }

    /// Whose security context the bind is checked with, and how others may share the address.
    #[must_use]
    pub fn owner<'e>(self, owner: Owner<'e>) -> SocketBuilder<'e> {
        let Self { family, protocol, options, .. } = self;
        SocketBuilder { family, protocol, owner, options }
    }

    /// Who may bind to the same port besides.
    #[must_use]
    pub fn sharing(self, sharing: Sharing) -> Self {
        match sharing {
            Sharing::Exclusive => self.option(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1),
            Sharing::Default => self,
            Sharing::Reuse => self.option(SOL_SOCKET, SO_REUSEADDR, 1),
        }
    }

    /// An IPv6 socket takes IPv6 only, or IPv4 as well.
    #[must_use]
    pub fn only_v6(self, only: bool) -> Self {
        self.option(IPPROTO_IPV6, IPV6_V6ONLY, u32::from(only))
    }

    /// One more option to set before the bind. The ninth is left out.
    #[must_use]
    pub fn option(mut self, level: u32, option: u32, value: u32) -> Self {
        let _full = self.options.try_push((level, option, value));
        self
    }

    /// Makes a listening socket, sets the options, binds it, and waits for all of that. A stream socket is made by
    /// [`stream_listener`](SocketBuilder::stream_listener).
    ///
    /// # Errors
    /// [`RequestError`] of the first step that failed; what was made is closed.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn listen_on<K: Kernel, L: ListenHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, L::Connection>,
        handler: L,
        local: SocketAddr,
        deadline: Duration,
        passive: &Passive<'_>,
    ) -> Result<ListenSocket<K, L>, RequestError> {
        let wait = Waiting {
            deadline: Deadline::after(provider.kernel(), deadline),
            kernel: provider.kernel(),
            passive,
        };
        // SAFETY: waited for as long as it takes if a descriptor is lent.
        let pending = unsafe { self.make_listen(provider, connections, handler) };
        let socket = wait.made(pending, self.owner.has_descriptor())?;
        for option in self.options::<K, L>() {
            wait.over(set(&socket, option))?;
        }
        wait.over(socket.bind(local))
    }

    /// Makes a connection socket, sets the options, binds and connects it, and waits for all of that.
    ///
    /// # Errors
    /// [`RequestError`] of the first step that failed; what was made is closed.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn connect_to<K: Kernel, H: ConnectionHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, H>,
        handler: H,
        (local, remote): (SocketAddr, SocketAddr),
        deadline: Duration,
        passive: &Passive<'_>,
    ) -> Result<ConnectionSocket<K, H>, RequestError> {
        let wait = Waiting {
            deadline: Deadline::after(provider.kernel(), deadline),
            kernel: provider.kernel(),
            passive,
        };
        // SAFETY: waited for as long as it takes if a descriptor is lent.
        let pending = unsafe { self.make_connection(provider, connections, handler) };
        let socket = wait.made(pending, self.owner.has_descriptor())?;
        for &option in &self.options {
            wait.over(set(&socket, option))?;
        }
        let bound: ConnectionSocket<K, H, Bound> = wait.over(socket.bind(local))?;
        wait.over(bound.connect(remote))
    }

    /// The options to set before the bind of a listening socket.
    pub(super) fn options<K: Kernel, L: ListenHandler<K>>(
        &self,
    ) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        let conditional = L::INSPECTS.then_some((SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1));
        self.options.iter().copied().chain(conditional)
    }

    /// # Safety
    /// The descriptor, if there is one, outlives the request.
    unsafe fn make_listen<K: Kernel, L: ListenHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, L::Connection>,
        handler: L,
    ) -> Pending<K, Opening<ListenSocket<K, L, Unbound>>> {
        let is_ipv6 = self.family.is_ipv6();
        let socket = ListenSocket::new(provider, connections, handler, WSK_FLAG_LISTEN_SOCKET, is_ipv6);
        let Ok(socket) = socket else { return Pending::failed(RequestError::OutOfMemory) };
        let context = socket.block.as_ptr().cast();
        let table = core::ptr::from_ref(ListenTable::<K, L>::DISPATCH).cast();
        // SAFETY: the table is of the category; the rest is the caller's promise.
        unsafe { self.make(provider, socket, WSK_FLAG_LISTEN_SOCKET, SOCK_STREAM, context, table) }
    }

    /// # Safety
    /// As for [`SocketBuilder::make_listen`].
    unsafe fn make_connection<K: Kernel, H: ConnectionHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, H>,
        handler: H,
    ) -> Pending<K, Opening<ConnectionSocket<K, H, Unbound>>> {
        let category = WSK_FLAG_CONNECTION_SOCKET;
        let Ok(block) = connections.take(handler, category, self.family.is_ipv6()) else {
            return Pending::failed(RequestError::NoConnection);
        };
        // SAFETY: taken just now.
        let socket = unsafe { ConnectionSocket::over(block) };
        let table = core::ptr::from_ref(Table::<K, H>::DISPATCH).cast();
        // SAFETY: the table is of the category; the rest is the caller's promise.
        unsafe { self.make(provider, socket, category, SOCK_STREAM, block.as_ptr().cast(), table) }
    }

    /// WskSocket.
    ///
    /// # Safety
    /// `context` and `table` are what the category takes, and outlive the socket. The descriptor outlives the request.
    pub(super) unsafe fn make<K: Kernel, S: Ready + HasBase<K>>(
        &self,
        provider: &Provider<K>,
        socket: S,
        category: u32,
        socket_type: u16,
        context: *mut c_void,
        table: *const c_void,
    ) -> Pending<K, Opening<S>> {
        let owner = self.owner;
        let call = |irp| match provider.dispatch().WskSocket {
            // SAFETY: the caller's promise; process and thread are the embedder's, as `Owner` says.
            Some(create) => unsafe {
                create(
                    provider.npi().Client,
                    self.family.value(),
                    socket_type,
                    self.protocol,
                    category,
                    context,
                    table,
                    owner.process,
                    owner.thread,
                    owner.descriptor,
                    irp,
                )
            },
            None => ABSENT,
        };
        // SAFETY: one function, with nothing but what outlives the request.
        unsafe { begin_making(provider, "WskSocket", socket, |_, irp| call(irp)) }
    }
}

impl SocketBuilder<'static> {
    /// Makes a basic socket of a type, SOCK_STREAM or another.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL: it takes memory.
    pub fn basic<K: Kernel>(
        &self,
        provider: &Provider<K>,
        requests: &Requests<K>,
        socket_type: u16,
    ) -> Pending<K, Opening<BasicSocket<K>>> {
        let Ok(socket) = BasicSocket::new(provider, requests, self.family.is_ipv6()) else {
            return Pending::failed(RequestError::OutOfMemory);
        };
        // SAFETY: a basic socket takes neither context nor table; nothing is lent for long.
        unsafe {
            self.make(provider, socket, WSK_FLAG_BASIC_SOCKET, socket_type, null_mut(), core::ptr::null())
        }
    }

    /// Makes a listening socket. The builder's options are not set: see [`listen_on`](SocketBuilder::listen_on) and
    /// [`listen`](SocketBuilder::listen).
    ///
    /// # IRQL
    /// PASSIVE_LEVEL: it takes memory.
    pub fn listen_socket<K: Kernel, L: ListenHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, L::Connection>,
        handler: L,
    ) -> Pending<K, Opening<ListenSocket<K, L, Unbound>>> {
        // SAFETY: a descriptor that is lent for ever is never released.
        unsafe { self.make_listen(provider, connections, handler) }
    }

    /// Makes a connection socket. The builder's options are not set: see [`connect_to`](SocketBuilder::connect_to) and
    /// [`connect`](SocketBuilder::connect).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn connection_socket<K: Kernel, H: ConnectionHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, H>,
        handler: H,
    ) -> Pending<K, Opening<ConnectionSocket<K, H, Unbound>>> {
        // SAFETY: a descriptor that is lent for ever is never released.
        unsafe { self.make_connection(provider, connections, handler) }
    }

    /// As [`listen_on`](SocketBuilder::listen_on), as a future.
    ///
    /// # Errors
    /// As [`listen_on`](SocketBuilder::listen_on).
    ///
    /// # IRQL
    /// PASSIVE_LEVEL for the first poll.
    pub async fn listen<K: Kernel, L: ListenHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, L::Connection>,
        handler: L,
        local: SocketAddr,
    ) -> Result<ListenSocket<K, L, Listening>, RequestError> {
        let socket = self.listen_socket(provider, connections, handler).await?;
        for option in self.options::<K, L>() {
            set(&socket, option).await?;
        }
        socket.bind(local).await
    }

    /// As [`connect_to`](SocketBuilder::connect_to), as a future.
    ///
    /// # Errors
    /// As [`connect_to`](SocketBuilder::connect_to).
    pub async fn connect<K: Kernel, H: ConnectionHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, H>,
        handler: H,
        (local, remote): (SocketAddr, SocketAddr),
    ) -> Result<ConnectionSocket<K, H>, RequestError> {
        let socket = self.connection_socket(provider, connections, handler).await?;
        for &option in &self.options {
            set(&socket, option).await?;
        }
        socket.bind(local).await?.connect(remote).await
    }

    /// Makes, binds and connects a connection socket by one request (WskSocketConnect). There is no room for options.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn socket_connect<K: Kernel, H: ConnectionHandler<K>>(
        &self,
        provider: &Provider<K>,
        connections: &Connections<K, H>,
        handler: H,
        (local, remote): (SocketAddr, SocketAddr),
    ) -> Pending<K, Opening<ConnectionSocket<K, H>>> {
        let is_ipv6 = self.family.is_ipv6();
        let ends = in_family(is_ipv6, local).zip(in_family(is_ipv6, remote));
        let Some((local, remote)) = ends else { return Pending::failed(RequestError::Family) };
        let Ok(block) = connections.take(handler, WSK_FLAG_CONNECTION_SOCKET, is_ipv6) else {
            return Pending::failed(RequestError::NoConnection);
        };
        // SAFETY: taken just now.
        let socket = unsafe { ConnectionSocket::over(block) };
        let table: *const WSK_CLIENT_CONNECTION_DISPATCH = Table::<K, H>::DISPATCH;
        let owner = self.owner;
        let call = |slot: &Slot<K>, irp: *mut IRP| {
            let Some(connect) = provider.dispatch().WskSocketConnect else { return ABSENT };
            let ends = slot.parameters::<[SOCKADDR_INET; 2]>();
            // SAFETY: the slot is the caller's until the call.
            unsafe { ends.write([local, remote]) };
            let local = ends.cast::<SOCKADDR_INET>();
            let remote = local.wrapping_add(1);
            // SAFETY: the addresses lie in the slot; context and table outlive the socket.
            unsafe {
                connect(
                    provider.npi().Client,
                    SOCK_STREAM,
                    self.protocol,
                    local.cast(),
                    remote.cast(),
                    0,
                    block.as_ptr().cast(),
                    table,
                    owner.process,
                    owner.thread,
                    owner.descriptor,
                    irp,
                )
            }
        };
        // SAFETY: one function, with what lies in the slot or outlives the request.
        unsafe { begin_making(provider, "WskSocketConnect", socket, call) }
    }
}

/// Makes the request that gives `socket` its WSK_SOCKET.
///
/// # Safety
/// `call` is as [`Pending::begin`] asks.
unsafe fn begin_making<K: Kernel, S: Ready + HasBase<K>>(
    provider: &Provider<K>,
    name: &'static str,
    socket: S,
    call: impl FnOnce(&Slot<K>, *mut IRP) -> NTSTATUS,
) -> Pending<K, Opening<S>> {
    let base: *const SocketBase<K> = socket.base();
    if !core::ptr::eq(socket.base().registration.as_ptr().as_ptr(), provider.block.as_ptr().as_ptr()) {
        return Pending::failed(RequestError::OtherKernel);
    }
    let Some(buffer) = socket.base().requests.take() else { return Pending::failed(RequestError::NoSlot) };
    // Open: it was reset for this socket.
    let _counted = socket.base().pending.enter();
    let targets = Targets { of: core::ptr::null(), made: base };
    // SAFETY: the base counts the request, and stays in place as long as it does; the rest is the caller's promise.
    unsafe { Pending::begin(buffer, Opening { call: name, socket }, targets, call) }
}

pub(super) fn set<K: Kernel>(
    socket: &impl Controlled<K>,
    (level, option, value): (u32, u32, u32),
) -> Pending<K, Done> {
    socket.set_option(level, option, value)
}

/// One deadline for several steps.
pub(super) struct Waiting<'a, K: Kernel> {
    pub(super) deadline: Deadline,
    pub(super) kernel: &'a K,
    pub(super) passive: &'a Passive<'a>,
}

impl<K: Kernel> Waiting<'_, K> {
    /// Waits for a step; one that does not end is dropped.
    pub(super) fn over<T: Finish<K>>(&self, pending: Pending<K, T>) -> Result<T::Output, RequestError> {
        self.made(pending, false)
    }

    /// Waits for a step, if `endless` for as long as it takes: memory is lent to it.
    pub(super) fn made<T: Finish<K>>(
        &self,
        mut pending: Pending<K, T>,
        endless: bool,
    ) -> Result<T::Output, RequestError> {
        loop {
            let left = Duration::from_nanos(self.deadline.remaining(self.kernel).saturating_mul(100));
            match pending.wait(left, self.passive) {
                Ok(output) => return Ok(output),
                Err(WaitError::Failed(error)) => return Err(error),
                Err(WaitError::Outstanding(again)) if endless => pending = again,
                Err(WaitError::Outstanding(_)) => return Err(RequestError::Unanswered),
                Err(WaitError::NotPassive(_)) => return Err(RequestError::NotPassive),
            }
        }
    }
}
