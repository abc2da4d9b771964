//! A socket over TCP: its state, and what its pump and its functions ask of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
};
use skua_engine::abi::wsk::{WSK_INSPECT_ID, WSK_SOCKET};

use super::accept::AcceptRequest;
use super::cancel;
use super::connect::ConnectRequest;
use super::inspect::Inspections;
use super::piece::Lent;
use super::receive::StreamReceive;
use super::send::{DisconnectRequest, StreamSend};
use super::state::{Stage, State};
use super::table;
use super::targets::{CONNECTION_EVENTS, Events, Targets};
use crate::HostKernel;
use crate::kernel::Raised;
use crate::kernel::lock::hold;
use crate::kernel::process::SecurityContext;
use crate::kernel::registration::Client;
use crate::os::Family;
use crate::os::tcp::TcpSocket;
use crate::socket::address_change::AddressChanges;
use crate::socket::close::{Hold, Rundown};
use crate::socket::controls::Controls;
use crate::socket::handle::{self, Footprint, PublicSocket};
use crate::socket::pending::PendingQueue;
use crate::socket::scope::Scope;

/// What a socket was created as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Listen,
    Connection,
    Stream,
}

impl Category {
    /// What a socket of this category can come to do.
    pub(crate) const fn doing(self) -> u8 {
        match self {
            Self::Listen => Scope::LISTEN,
            Self::Connection => Scope::CONNECTION,
            Self::Stream => Scope::TCP,
        }
    }
}

/// A socket over TCP. WSK_SOCKET is its first field, so the client's pointer is its address.
///
/// # Invariants
/// The client's pointer counts as one `Arc`, given back when nobody holds the rundown any more and nothing is lent.
#[repr(C)]
pub(crate) struct StreamSocket {
    public: PublicSocket,
    pub(super) kernel: HostKernel,
    pub(super) category: Category,
    pub(super) controls: Controls<TcpSocket>,
    pub(super) events: Events,
    pub(super) accepts: PendingQueue<AcceptRequest>,
    pub(super) connects: PendingQueue<ConnectRequest>,
    pub(super) sends: PendingQueue<StreamSend>,
    pub(super) disconnects: PendingQueue<DisconnectRequest>,
    pub(super) receives: PendingQueue<StreamReceive>,
    /// Held by whoever writes to the connection, so that what is sent by several threads does not mix. No request is
    /// completed and no callback called under it.
    pub(super) outlet: Mutex<()>,
    pub(super) inspections: Inspections,
    pub(super) changes: AddressChanges,
    pub(super) lent: Lent,
    /// Whether the receive event may be called: not after it took less than all, until the client asks for more.
    pub(super) armed: AtomicBool,
    /// Bytes that the pump has and the client has not.
    pub(super) held: AtomicUsize,
    /// Events that accepted sockets are to have.
    pub(super) inherited: AtomicU32,
    /// Of accepted sockets that were inspected.
    pub(super) inspect_id: Option<WSK_INSPECT_ID>,
    /// Made by WskSocketConnect, which has not completed: the client does not know of it.
    pub(super) is_unclaimed: AtomicBool,
    targets: Option<Targets>,
    pub(super) client: Arc<Client>,
    family: Family,
    /// On whose behalf it binds; an accepted one binds no more.
    pub(super) context: SecurityContext,
    state: Mutex<State>,
    pub(super) rundown: Rundown,
    pub(super) closing: AtomicBool,
    /// Set once, when the transport goes away below the socket.
    pub(super) killed: AtomicBool,
    _memory: Footprint,
}

/// What a new socket is made of.
pub(crate) struct StreamParts {
    pub(crate) client: Arc<Client>,
    pub(crate) category: Category,
    pub(crate) family: Family,
    pub(crate) context: SecurityContext,
    pub(crate) controls: Controls<TcpSocket>,
    pub(crate) targets: Targets,
    /// Events that are enabled from the start.
    pub(crate) statics: u32,
}

impl StreamSocket {
    /// A socket that is open and not bound. STATUS_INVALID_PARAMETER when an event that is static has no callback, which
    /// of stream sockets only becoming a listening or a connection socket shows.
    pub(crate) fn new(parts: StreamParts) -> Result<Arc<Self>, NTSTATUS> {
        let StreamParts { client, category, family, context, controls, targets, statics } = parts;
        let controls = (controls, context);
        let socket = Self::build(client, category, family, controls, Some(targets), None);
        let has_callbacks = match category {
            Category::Listen => socket.events.aim_listen(&targets, statics),
            Category::Connection => socket.events.aim_connection(&targets, statics),
            Category::Stream => {
                let listen = socket.events.aim_listen(&targets, statics) || !targets.has_listen;
                let connection = socket.events.aim_connection(&targets, statics) || !targets.has_connection;
                listen && connection
            }
        };
        if !has_callbacks {
            return Err(STATUS_INVALID_PARAMETER);
        }
        Ok(socket.enter())
    }

    /// A connection that `listener` has accepted. It has no callbacks before [`StreamSocket::take_over`].
    pub(super) fn accepted(
        listener: &Self,
        wire: TcpSocket,
        [local, remote]: [SocketAddr; 2],
        inspect_id: Option<WSK_INSPECT_ID>,
    ) -> Arc<Self> {
        let client = Arc::clone(&listener.client);
        let scope = Scope::of(listener.family, Scope::CONNECTION);
        let controls = Controls::new(Box::new(wire), Arc::clone(&client), None, scope);
        controls.options().inherit(listener.controls.options());
        controls.set_bound();
        let controls = (controls, listener.context.clone());
        let socket = Self::build(client, Category::Connection, listener.family, controls, None, inspect_id);
        let mut state = socket.state();
        state.stage = Stage::Connected;
        state.early = Some(0);
        state.local = Some(local);
        state.remote = Some(remote);
        drop(state);
        socket.enter()
    }

    /// The client takes an accepted connection: its callbacks, and the events that `inherited` enables, work from now on.
    pub(super) fn take_over(self: &Arc<Self>, targets: &Targets, inherited: u32) -> Result<(), NTSTATUS> {
        let statics = self.client.controls.static_events() & CONNECTION_EVENTS;
        self.events.aim_connection(targets, statics);
        let early = self.state().early.take().unwrap_or(0);
        self.events.enable_connection(inherited | early);
        self.start_pump()
    }

    fn build(
        client: Arc<Client>,
        category: Category,
        family: Family,
        (controls, context): (Controls<TcpSocket>, SecurityContext),
        targets: Option<Targets>,
        inspect_id: Option<WSK_INSPECT_ID>,
    ) -> Self {
        let kernel = client.kernel.clone();
        let pending_sends = kernel.provider().pending_sends as usize;
        Self {
            public: match category {
                Category::Listen => PublicSocket::of(&table::LISTEN),
                Category::Connection => PublicSocket::of(&table::CONNECTION),
                Category::Stream => PublicSocket::of(&table::STREAM),
            },
            category,
            controls,
            events: Events::default(),
            accepts: PendingQueue::new(usize::MAX, 0, Some(cancel::accept)),
            connects: PendingQueue::new(1, 1, Some(cancel::connect)),
            sends: PendingQueue::new(pending_sends, 4, Some(cancel::send)),
            disconnects: PendingQueue::new(1, 1, Some(cancel::disconnect)),
            receives: PendingQueue::new(usize::MAX, 4, Some(cancel::receive)),
            outlet: Mutex::new(()),
            inspections: Inspections::default(),
            changes: AddressChanges::of::<Self>(),
            lent: Lent::default(),
            armed: AtomicBool::new(true),
            held: AtomicUsize::new(0),
            inherited: AtomicU32::new(0),
            inspect_id,
            is_unclaimed: AtomicBool::new(false),
            targets,
            family,
            context,
            state: Mutex::default(),
            rundown: Rundown::default(),
            closing: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            _memory: Footprint::new(&kernel),
            client,
            kernel,
        }
    }

    /// Into the books. The client's reference begins here, whether or not the client ever gets it.
    fn enter(self) -> Arc<Self> {
        let socket = Arc::new(self);
        let _clients = handle::to_client(Arc::clone(&socket));
        socket.client.socket_opened();
        socket.kernel.ledger().sockets.add(1);
        socket.kernel.sockets().add_stream(Arc::clone(&socket));
        socket
    }

    pub(super) fn wire(&self) -> &TcpSocket {
        self.controls.wire()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        hold(&self.state)
    }

    pub(super) fn stage(&self) -> Stage {
        self.state().stage
    }

    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.state().local
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// Whether `address` is of the socket's family.
    pub(super) fn takes(&self, address: &SocketAddr) -> bool {
        address.is_ipv4() == (self.family == Family::V4)
    }

    /// Whether a stream socket was given a table for what it is about to become.
    pub(super) fn may_become(&self, listening: bool) -> bool {
        let has_table =
            |targets: &Targets| if listening { targets.has_listen } else { targets.has_connection };
        self.category != Category::Stream || self.targets.as_ref().is_some_and(has_table)
    }

    /// What the client gets.
    pub(crate) fn client_pointer(self: &Arc<Self>) -> *mut WSK_SOCKET {
        handle::context(self).cast()
    }

    /// Something that the pump looks at has changed.
    pub(crate) fn wake(&self) {
        self.wire().wake();
    }

    /// The level of a callback, and what its flags say of it.
    pub(super) fn raise(&self) -> (Option<Raised<'_>>, u32) {
        let below = self.kernel.provider().indicate_below_dispatch;
        let raised = (!below).then(|| self.kernel.raise());
        let flags = if below { 0 } else { skua_engine::abi::wsk::WSK_FLAG_AT_DISPATCH_LEVEL };
        (raised, flags)
    }

    /// Starts the one thread, unless it runs.
    pub(super) fn start_pump(self: &Arc<Self>) -> Result<(), NTSTATUS> {
        let mut state = self.state();
        if std::mem::replace(&mut state.has_pump, true) {
            drop(state);
            self.wire().wake();
            return Ok(());
        }
        let port = state.local.map_or(0, |local| local.port());
        let listens = state.stage == Stage::Listening;
        drop(state);
        let hold = Hold::new(self).ok_or(STATUS_INVALID_DEVICE_STATE)?;
        let socket = Arc::clone(self);
        let thread = std::thread::Builder::new().name(format!("tcp-{port}")).spawn(move || {
            if listens {
                super::listener::run(&socket)
            } else {
                super::pump::run(&socket)
            }
            drop(socket);
            drop(hold);
        });
        thread.map(|_detached| ()).map_err(|_| {
            self.end(STATUS_INSUFFICIENT_RESOURCES);
            STATUS_INSUFFICIENT_RESOURCES
        })
    }
}
