//! A callback on its way up.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use skua_engine::abi::sockaddr::PSOCKADDR;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_INSPECT_ACTION,
    WSK_INSPECT_ID, WSK_SOCKET,
};

use super::{LayeredSocket, callbacks};
use crate::HostKernel;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $wsk:literal { $($field:ident: $kind:ty,)* })*) => {
        /// A callback of a client's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventFunction {
            $($(#[$doc])* $name,)*
        }

        impl EventFunction {
            /// Every callback.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in WSK.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wsk,)*
                }
            }
        }

        /// A callback with its arguments, except the first, which is the socket's context. Named, in their order, as the
        /// prototypes of [`skua_engine::abi::wsk`] name them.
        #[derive(Clone, Copy, Debug)]
        #[expect(missing_docs, reason = "the fields are the arguments of the prototypes")]
        pub enum EventArguments {
            $($(#[$doc])* $name { $($field: $kind,)* },)*
        }

        impl EventArguments {
            /// The callback.
            #[must_use]
            pub const fn function(&self) -> EventFunction {
                match self {
                    $(Self::$name { .. } => EventFunction::$name,)*
                }
            }
        }
    };
}

events! {
    /// Datagrams have come, or, with null, the socket has died.
    ReceiveFrom = "WskReceiveFromEvent" {
        flags: u32,
        data_indication: *mut WSK_DATAGRAM_INDICATION,
    }
    /// A connection has come, or, with null, the socket has died. The accepted socket is the layer's.
    Accept = "WskAcceptEvent" {
        flags: u32,
        local_address: PSOCKADDR,
        remote_address: PSOCKADDR,
        accept_socket: *mut WSK_SOCKET,
        accept_socket_context: *mut *mut c_void,
        accept_socket_dispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
    }
    /// A connection is asked for. Its answer is not a status: `action` is what the callback has returned.
    Inspect = "WskInspectEvent" {
        local_address: PSOCKADDR,
        remote_address: PSOCKADDR,
        inspect_id: *mut WSK_INSPECT_ID,
        action: WSK_INSPECT_ACTION,
    }
    /// A connection is not asked for any more.
    Abort = "WskAbortEvent" {
        inspect_id: *mut WSK_INSPECT_ID,
    }
    /// Data has come, or, with null, the socket has died.
    Receive = "WskReceiveEvent" {
        flags: u32,
        data_indication: *mut WSK_DATA_INDICATION,
        bytes_indicated: usize,
        bytes_accepted: *mut usize,
    }
    /// The other end has disconnected.
    Disconnect = "WskDisconnectEvent" {
        flags: u32,
    }
    /// The ideal send backlog has changed.
    SendBacklog = "WskSendBacklogEvent" {
        ideal_backlog_size: usize,
    }
}

impl fmt::Display for EventFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A callback of the provider.
pub struct Event<'a> {
    /// What the client is called with; may be changed before it is passed on.
    pub arguments: EventArguments,
    socket: &'a Arc<LayeredSocket>,
    /// How many of the middlewares are still to see it.
    above: usize,
}

impl<'a> Event<'a> {
    pub(super) fn new(socket: &'a Arc<LayeredSocket>, arguments: EventArguments) -> Self {
        Self { arguments, socket, above: socket.layer.middleware.len() }
    }

    /// The same once more, to be passed on at the same time.
    pub(super) const fn twin(&self) -> Self {
        Self { arguments: self.arguments, socket: self.socket, above: self.above }
    }

    /// The callback.
    #[must_use]
    pub const fn function(&self) -> EventFunction {
        self.arguments.function()
    }

    /// The socket that it is for.
    #[must_use]
    pub const fn socket(&self) -> &Arc<LayeredSocket> {
        self.socket
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &HostKernel {
        &self.socket.layer.kernel
    }

    /// Passes it on, to the next middleware or to the client, and returns what that answered. May be called any number of
    /// times.
    pub fn pass(&mut self) -> NTSTATUS {
        let Some(above) = self.above.checked_sub(1) else {
            return callbacks::call(self.socket, &mut self.arguments);
        };
        let middleware = Arc::clone(&self.socket.layer.middleware[above]);
        self.above = above;
        let status = middleware.event(self);
        self.above = above + 1;
        status
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("arguments", &self.arguments)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
