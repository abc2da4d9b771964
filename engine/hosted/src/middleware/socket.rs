//! The layer's sockets: one in front of each socket of the provider below.

// UNSAFETY: reads the client's tables of callbacks, and turns the client's pointers back into references.
#![expect(unsafe_code, reason = "sockets and tables are given by address")]

use std::ffi::c_void;
use std::fmt;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH,
    WSK_CLIENT_STREAM_DISPATCH, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_SOCKET,
};

use super::layer::Shared;
use super::{callbacks, table};
use crate::socket::handle::PublicSocket;
use crate::verifier::Notes;

/// What a socket was created as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Category {
    Basic,
    Listen,
    Connection,
    Datagram,
    Stream,
}

impl Category {
    /// The category that WskSocket's flags ask for, if it is one.
    pub(super) const fn of_flags(flags: u32) -> Option<Self> {
        Some(match flags {
            WSK_FLAG_BASIC_SOCKET => Self::Basic,
            WSK_FLAG_LISTEN_SOCKET => Self::Listen,
            WSK_FLAG_CONNECTION_SOCKET => Self::Connection,
            WSK_FLAG_DATAGRAM_SOCKET => Self::Datagram,
            WSK_FLAG_STREAM_SOCKET => Self::Stream,
            _ => return None,
        })
    }
}

/// A socket as clients of a [`Layer`](super::Layer) see it, with the one below that it stands for.
///
/// # Invariants
/// WSK_SOCKET is its first field, so the client's pointer is its address. That pointer counts as one `Arc`, from when the
/// socket is handed to the client until the provider has completed its close.
#[repr(C)]
pub struct LayeredSocket {
    public: PublicSocket,
    pub(super) layer: Arc<Shared>,
    category: Category,
    id: u64,
    /// Null until the provider has created it.
    lower: AtomicPtr<WSK_SOCKET>,
    /// Set when the provider may call back.
    target: OnceLock<Target>,
    is_closed: AtomicBool,
    /// What the verifier knows of it.
    pub(crate) notes: Notes,
}

/// Whom the client wants called, and what the provider is given instead.
pub(super) struct Target {
    pub(super) context: *mut c_void,
    pub(super) datagram: Option<WSK_CLIENT_DATAGRAM_DISPATCH>,
    pub(super) listen: Option<WSK_CLIENT_LISTEN_DISPATCH>,
    pub(super) connection: Option<WSK_CLIENT_CONNECTION_DISPATCH>,
    tables: Tables,
    /// Leads to `tables`, where the target lies for good.
    stream: OnceLock<WSK_CLIENT_STREAM_DISPATCH>,
}

/// The layer's callbacks, in the places where the client's tables have some.
struct Tables {
    datagram: WSK_CLIENT_DATAGRAM_DISPATCH,
    listen: WSK_CLIENT_LISTEN_DISPATCH,
    connection: WSK_CLIENT_CONNECTION_DISPATCH,
}

// SAFETY: the client promises that its context and callbacks are usable from any thread.
unsafe impl Send for Target {}
// SAFETY: as above; nothing else in it changes once it is set.
unsafe impl Sync for Target {}

impl LayeredSocket {
    pub(super) fn new(layer: &Arc<Shared>, category: Category) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            public: match category {
                Category::Basic => PublicSocket::of(&table::BASIC),
                Category::Listen => PublicSocket::of(&table::LISTEN),
                Category::Connection => PublicSocket::of(&table::CONNECTION),
                Category::Datagram => PublicSocket::of(&table::DATAGRAM),
                Category::Stream => PublicSocket::of(&table::STREAM),
            },
            layer: Arc::clone(layer),
            category,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            lower: AtomicPtr::new(null_mut()),
            target: OnceLock::new(),
            is_closed: AtomicBool::new(false),
            notes: Notes::default(),
        })
    }

    /// What it was created as.
    #[must_use]
    pub const fn category(&self) -> Category {
        self.category
    }

    /// A number that no other socket of the process has or had.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Whether the provider has completed its close.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// The socket as the client has it.
    #[must_use]
    pub fn client_pointer(&self) -> *mut WSK_SOCKET {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The socket of the provider below; null until it is created.
    #[must_use]
    pub fn lower(&self) -> *mut WSK_SOCKET {
        self.lower.load(Ordering::SeqCst)
    }

    pub(super) fn set_lower(&self, lower: *mut WSK_SOCKET) {
        self.lower.store(lower, Ordering::SeqCst);
    }

    pub(super) fn target(&self) -> Option<&Target> {
        self.target.get()
    }

    /// The socket behind a client's pointer, or a context that the provider was given.
    ///
    /// # Safety
    /// `socket` is the address of one that is not closed, or is kept.
    pub(crate) unsafe fn of(socket: *const c_void) -> Arc<Self> {
        let socket = socket.cast::<Self>();
        // SAFETY: the client's reference lives until the close is completed, or for good.
        unsafe { Arc::increment_strong_count(socket) };
        // SAFETY: the reference just taken.
        unsafe { Arc::from_raw(socket) }
    }

    /// Hands the socket to the client.
    pub(super) fn to_client(self: Arc<Self>) -> *mut WSK_SOCKET {
        Arc::into_raw(self).cast_mut().cast()
    }

    /// The provider has closed the socket: the client's reference ends.
    pub(super) fn close(self: &Arc<Self>) {
        if self.is_closed.swap(true, Ordering::SeqCst) {
            return;
        }
        // SAFETY: the client's reference is live until here, the first and only time, and `self` is another.
        let clients = unsafe { Arc::from_raw(Arc::as_ptr(self)) };
        if self.layer.keeps_closed_sockets() {
            self.layer.keep(clients);
        }
    }

    /// Notes whom the client wants called, and returns the context and the table that the provider is given. Null stays null.
    ///
    /// # Safety
    /// `dispatch` is null or a client's table for `category`.
    pub(super) unsafe fn aim(
        &self,
        context: *mut c_void,
        dispatch: *const c_void,
    ) -> (*mut c_void, *const c_void) {
        if dispatch.is_null() {
            // Nothing is called, so the context is of no use to the provider but to be checked.
            return (context, null());
        }
        // SAFETY: the caller's promise.
        let target = self.target.get_or_init(|| unsafe { Target::read(self.category, context, dispatch) });
        (self.client_pointer().cast(), target.table(self.category))
    }
}

impl Target {
    /// # Safety
    /// `dispatch` is a client's table for `category`.
    unsafe fn read(category: Category, context: *mut c_void, dispatch: *const c_void) -> Self {
        let (mut datagram, mut listen, mut connection) = (None, None, None);
        match category {
            Category::Basic => {}
            Category::Datagram => {
                // SAFETY: the caller's promise.
                datagram = Some(unsafe { dispatch.cast::<WSK_CLIENT_DATAGRAM_DISPATCH>().read() })
            }
            Category::Listen => {
                // SAFETY: the caller's promise.
                listen = Some(unsafe { dispatch.cast::<WSK_CLIENT_LISTEN_DISPATCH>().read() })
            }
            Category::Connection => {
                // SAFETY: the caller's promise.
                connection = Some(unsafe { dispatch.cast::<WSK_CLIENT_CONNECTION_DISPATCH>().read() });
            }
            Category::Stream => {
                // SAFETY: the caller's promise.
                let both = unsafe { dispatch.cast::<WSK_CLIENT_STREAM_DISPATCH>().read() };
                // SAFETY: null, or a table that outlives the socket.
                listen = unsafe { both.Listen.as_ref() }.copied();
                // SAFETY: as above.
                connection = unsafe { both.Connect.as_ref() }.copied();
            }
        }
        let tables = Tables {
            datagram: callbacks::datagram(datagram.as_ref()),
            listen: callbacks::listen(listen.as_ref()),
            connection: callbacks::connection(connection.as_ref()),
        };
        Self { context, datagram, listen, connection, tables, stream: OnceLock::new() }
    }

    fn table(&self, category: Category) -> *const c_void {
        match category {
            Category::Basic => null(),
            Category::Datagram => (&raw const self.tables.datagram).cast(),
            Category::Listen => (&raw const self.tables.listen).cast(),
            Category::Connection => (&raw const self.tables.connection).cast(),
            Category::Stream => {
                let table = self.stream.get_or_init(|| WSK_CLIENT_STREAM_DISPATCH {
                    Listen: if self.listen.is_some() { &raw const self.tables.listen } else { null() },
                    Connect: if self.connection.is_some() {
                        &raw const self.tables.connection
                    } else {
                        null()
                    },
                });
                std::ptr::from_ref(table).cast()
            }
        }
    }
}

impl fmt::Debug for LayeredSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredSocket")
            .field("public", &std::ptr::from_ref(&self.public))
            .field("id", &self.id)
            .field("category", &self.category)
            .field("lower", &self.lower())
            .finish_non_exhaustive()
    }
}
