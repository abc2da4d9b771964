//! WskSocket: which combinations of arguments make a socket, and of which category.

// UNSAFETY: reads the client's dispatch table.
#![expect(unsafe_code, reason = "the table of callbacks is given by address")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::nt::PSECURITY_DESCRIPTOR;
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DATAGRAM_DISPATCH, WSK_EVENT_RECEIVE_FROM, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_SOCKET,
};

use crate::client::TRANSPORTS;
use crate::kernel::registration::Client;
use crate::os::Family;
use crate::socket::basic::BasicSocket;
use crate::socket::control::Controls;
use crate::socket::datagram::{DatagramParts, DatagramSocket};
use crate::socket::events::ReceiveEvent;
use crate::socket::table;

/// The arguments of WskSocket that make a difference here.
pub(crate) struct SocketParameters {
    pub(crate) family: u16,
    pub(crate) socket_type: u16,
    pub(crate) protocol: u32,
    pub(crate) flags: u32,
    pub(crate) context: *mut c_void,
    pub(crate) dispatch: *const c_void,
    pub(crate) security: PSECURITY_DESCRIPTOR,
}

/// The categories that this provider has.
enum Category {
    Basic,
    Datagram,
}

/// Creates a socket and returns it as the client gets it.
pub(crate) fn create(
    client: &Arc<Client>,
    parameters: &SocketParameters,
) -> Result<*mut WSK_SOCKET, NTSTATUS> {
    let category = parameters.category()?;
    let family = parameters.family()?;
    let security = parameters.security;
    if !security.is_null() && !client.controls.is_cached(security.addr()) {
        return Err(STATUS_INVALID_PARAMETER);
    }
    match category {
        Category::Basic if !parameters.context.is_null() || !parameters.dispatch.is_null() => {
            Err(STATUS_INVALID_PARAMETER)
        }
        Category::Basic => {
            let controls = parameters.controls(client, family)?;
            client.controls.socket_created();
            Ok(BasicSocket::open(Arc::clone(client), controls))
        }
        Category::Datagram => {
            let controls = parameters.controls(client, family)?;
            let event = parameters.receive_event(client)?;
            let parts = DatagramParts { client: Arc::clone(client), family, controls, event };
            Ok(table::to_client(DatagramSocket::new(parts)))
        }
    }
}

impl SocketParameters {
    /// Exactly one category, or none for a basic socket.
    fn category(&self) -> Result<Category, NTSTATUS> {
        match self.flags {
            WSK_FLAG_BASIC_SOCKET => Ok(Category::Basic),
            WSK_FLAG_DATAGRAM_SOCKET => Ok(Category::Datagram),
            WSK_FLAG_LISTEN_SOCKET | WSK_FLAG_CONNECTION_SOCKET | WSK_FLAG_STREAM_SOCKET => {
                Err(STATUS_NOT_SUPPORTED)
            }
            _ => Err(STATUS_INVALID_PARAMETER),
        }
    }

    /// The family, when the combination is one of the transports.
    fn family(&self) -> Result<Family, NTSTATUS> {
        let listed = TRANSPORTS.iter().any(|transport| {
            (transport.AddressFamily, transport.SocketType, transport.Protocol)
                == (self.family, self.socket_type, self.protocol)
        });
        match (self.family, self.socket_type) {
            (AF_INET, _) if listed => Ok(Family::V4),
            (AF_INET6, _) if listed => Ok(Family::V6),
            (AF_INET | AF_INET6, SOCK_DGRAM | SOCK_RAW | SOCK_STREAM) => Err(STATUS_NOT_SUPPORTED),
            _ => Err(STATUS_INVALID_PARAMETER),
        }
    }

    fn controls(&self, client: &Arc<Client>, family: Family) -> Result<Controls, NTSTATUS> {
        let wire = client.kernel.stack().open(family)?;
        Ok(Controls::new(wire, Arc::clone(client), self.security))
    }

    /// The receive event: static when the client made it so, otherwise off until it is enabled. A static event needs a
    /// callback.
    fn receive_event(&self, client: &Client) -> Result<ReceiveEvent, NTSTATUS> {
        let table = self.dispatch.cast::<WSK_CLIENT_DATAGRAM_DISPATCH>();
        let callback = if table.is_null() {
            None
        } else {
            // SAFETY: the client's contract: a table of callbacks of the category it asks for.
            unsafe { (*table).WskReceiveFromEvent }
        };
        let is_static = client.controls.socket_created() & WSK_EVENT_RECEIVE_FROM != 0;
        if is_static && callback.is_none() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        Ok(ReceiveEvent::new(callback, self.context, is_static, client.kernel.provider().workers))
    }
}
