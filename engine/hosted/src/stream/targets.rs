//! The events of a socket over TCP, and the tables that say what they call.

// UNSAFETY: reads the client's tables of callbacks.
#![expect(unsafe_code, reason = "tables are given by address")]

use std::ffi::c_void;

use skua_engine::abi::sockaddr::PSOCKADDR;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_CLIENT_STREAM_DISPATCH,
    WSK_DATA_INDICATION, WSK_EVENT_ACCEPT, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_EVENT_SEND_BACKLOG,
    WSK_INSPECT_ACTION, WSK_INSPECT_ID, WSK_SOCKET,
};

use crate::HostKernel;
use crate::socket::events::Event;

/// WskAcceptEvent.
type AcceptCallback = unsafe extern "C" fn(
    *mut c_void,
    u32,
    PSOCKADDR,
    PSOCKADDR,
    *mut WSK_SOCKET,
    *mut *mut c_void,
    *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS;
/// WskInspectEvent.
type InspectCallback =
    unsafe extern "C" fn(*mut c_void, PSOCKADDR, PSOCKADDR, *mut WSK_INSPECT_ID) -> WSK_INSPECT_ACTION;
/// WskAbortEvent.
type AbortCallback = unsafe extern "C" fn(*mut c_void, *mut WSK_INSPECT_ID) -> NTSTATUS;
/// WskReceiveEvent.
type ReceiveCallback =
    unsafe extern "C" fn(*mut c_void, u32, *mut WSK_DATA_INDICATION, usize, *mut usize) -> NTSTATUS;
/// WskDisconnectEvent.
type DisconnectCallback = unsafe extern "C" fn(*mut c_void, u32) -> NTSTATUS;
/// WskSendBacklogEvent.
type BacklogCallback = unsafe extern "C" fn(*mut c_void, usize) -> NTSTATUS;

/// The events that connections have; a listening socket can have them as the defaults of what it accepts.
pub(super) const CONNECTION_EVENTS: u32 = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG;

/// Every event that a socket over TCP may come to have.
pub(super) struct Events {
    pub(super) accept: Event<AcceptCallback>,
    /// On when SO_CONDITIONAL_ACCEPT is, as `abort` is.
    pub(super) inspect: Event<InspectCallback>,
    pub(super) abort: Event<AbortCallback>,
    pub(super) receive: Event<ReceiveCallback>,
    pub(super) disconnect: Event<DisconnectCallback>,
    pub(super) backlog: Event<BacklogCallback>,
}

impl Default for Events {
    /// Without callbacks. Only the pump is ever inside one, so one lane is enough.
    fn default() -> Self {
        Self {
            accept: Event::new(1),
            inspect: Event::new(1),
            abort: Event::new(1),
            receive: Event::new(1),
            disconnect: Event::new(1),
            backlog: Event::new(1),
        }
    }
}

impl Events {
    /// Turns all of them off for good, because the socket closes.
    pub(super) fn close(&self, kernel: &HostKernel) {
        self.accept.close(kernel);
        self.inspect.close(kernel);
        self.abort.close(kernel);
        self.receive.close(kernel);
        self.disconnect.close(kernel);
        self.backlog.close(kernel);
    }

    /// Gives the events of a connection their callbacks; false when one that is static has none.
    pub(super) fn aim_connection(&self, targets: &Targets, statics: u32) -> bool {
        let (table, context) = (&targets.connection, targets.context);
        let is_static = |event| statics & event != 0;
        [
            self.receive.aim(table.WskReceiveEvent, context, is_static(WSK_EVENT_RECEIVE)),
            self.disconnect.aim(table.WskDisconnectEvent, context, is_static(WSK_EVENT_DISCONNECT)),
            self.backlog.aim(table.WskSendBacklogEvent, context, is_static(WSK_EVENT_SEND_BACKLOG)),
        ]
        .into_iter()
        .all(|has_callback| has_callback)
    }

    /// The same for those of a listening socket. The two of a conditional accept are never static.
    pub(super) fn aim_listen(&self, targets: &Targets, statics: u32) -> bool {
        let (table, context) = (&targets.listen, targets.context);
        self.inspect.aim(table.WskInspectEvent, context, false);
        self.abort.aim(table.WskAbortEvent, context, false);
        self.accept.aim(table.WskAcceptEvent, context, statics & WSK_EVENT_ACCEPT != 0)
    }

    /// Enables the connection events in `mask` that have callbacks.
    pub(super) fn enable_connection(&self, mask: u32) {
        let flags = [WSK_EVENT_RECEIVE, WSK_EVENT_DISCONNECT, WSK_EVENT_SEND_BACKLOG];
        let enable = [
            |events: &Self| events.receive.enable(),
            |events: &Self| events.disconnect.enable(),
            |events: &Self| events.backlog.enable(),
        ];
        for (flag, enable) in flags.into_iter().zip(enable) {
            if mask & flag != 0 {
                let _ = enable(self);
            }
        }
    }
}

/// The client's tables and the context that its callbacks get. Tables that were not given are empty.
#[derive(Clone, Copy)]
pub(crate) struct Targets {
    pub(super) context: *mut c_void,
    pub(super) listen: WSK_CLIENT_LISTEN_DISPATCH,
    pub(super) connection: WSK_CLIENT_CONNECTION_DISPATCH,
    /// Whether a stream socket was given a table to listen, or to connect, with.
    pub(super) has_listen: bool,
    pub(super) has_connection: bool,
}

// SAFETY: the client promises that its callbacks and their context can be used from any thread.
unsafe impl Send for Targets {}
// SAFETY: as above.
unsafe impl Sync for Targets {}

const NO_LISTEN: WSK_CLIENT_LISTEN_DISPATCH =
    WSK_CLIENT_LISTEN_DISPATCH { WskAcceptEvent: None, WskInspectEvent: None, WskAbortEvent: None };
const NO_CONNECTION: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: None,
    WskDisconnectEvent: None,
    WskSendBacklogEvent: None,
};

impl Targets {
    /// # Safety
    /// `table` is null or a table of callbacks for a listening socket.
    pub(crate) unsafe fn listen(context: *mut c_void, table: *const WSK_CLIENT_LISTEN_DISPATCH) -> Self {
        // SAFETY: the caller's promise.
        let listen = unsafe { table.as_ref() };
        Self {
            context,
            listen: listen.copied().unwrap_or(NO_LISTEN),
            connection: NO_CONNECTION,
            has_listen: listen.is_some(),
            has_connection: false,
        }
    }

    /// # Safety
    /// `table` is null or a table of callbacks for a connection socket.
    pub(crate) unsafe fn connection(
        context: *mut c_void,
        table: *const WSK_CLIENT_CONNECTION_DISPATCH,
    ) -> Self {
        // SAFETY: the caller's promise.
        let connection = unsafe { table.as_ref() };
        Self {
            context,
            listen: NO_LISTEN,
            connection: connection.copied().unwrap_or(NO_CONNECTION),
            has_listen: false,
            has_connection: connection.is_some(),
        }
    }

    /// # Safety
    /// `table` is null or leads to two tables, each of which may be null.
    pub(crate) unsafe fn stream(context: *mut c_void, table: *const WSK_CLIENT_STREAM_DISPATCH) -> Self {
        // SAFETY: the caller's promise.
        let (listen, connection) = match unsafe { table.as_ref() } {
            Some(tables) => (tables.Listen, tables.Connect),
            None => (std::ptr::null(), std::ptr::null()),
        };
        // SAFETY: the caller's promise.
        let listen = unsafe { Self::listen(context, listen) };
        // SAFETY: the caller's promise.
        let connection = unsafe { Self::connection(context, connection) };
        Self { connection: connection.connection, has_connection: connection.has_connection, ..listen }
    }
}
