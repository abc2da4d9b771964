//! WskSocket: which combinations of arguments make a socket, and of which category.

// UNSAFETY: reads the client's dispatch table.
#![expect(unsafe_code, reason = "the table of callbacks is given by address")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::nt::PSECURITY_DESCRIPTOR;
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, IPPROTO_TCP, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOCKADDR_INET,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DATAGRAM_DISPATCH, WSK_EVENT_RECEIVE_FROM, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_SOCKET,
};

use crate::client::transports;
use crate::kernel::registration::Client;
use crate::os::tcp::TcpSocket;
use crate::os::{Family, StackEndpoint};
use crate::request::Request;
use crate::socket::basic::BasicSocket;
use crate::socket::controls::Controls;
use crate::socket::datagram::{DatagramParts, DatagramSocket};
use crate::socket::events::ReceiveEvent;
use crate::socket::handle;
use crate::socket::scope::Scope;
use crate::stream::{Category, StreamParts, StreamSocket, Targets, connect_new};

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

/// What is asked for, where it is one of the combinations that WskSocket takes.
enum Wanted {
    Basic,
    Datagram,
    Stream(Category),
}

/// Creates a socket and returns it as the client gets it.
pub(crate) fn create(
    client: &Arc<Client>,
    parameters: &SocketParameters,
) -> Result<*mut WSK_SOCKET, NTSTATUS> {
    let wanted = parameters.category()?;
    let family = parameters.family(client)?;
    let security = parameters.security;
    if !security.is_null() && !client.controls.is_cached(security.addr()) {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let is_tcp = parameters.protocol == IPPROTO_TCP;
    match wanted {
        Wanted::Basic if !parameters.context.is_null() || !parameters.dispatch.is_null() => {
            Err(STATUS_INVALID_PARAMETER)
        }
        Wanted::Basic => {
            let wire: Box<dyn StackEndpoint> = if is_tcp {
                Box::new(TcpSocket::open(family, false)?)
            } else {
                client.kernel.stack().open(family)?
            };
            let doing = if is_tcp { Scope::TCP } else { Scope::DATAGRAM };
            let controls = Controls::new(wire, Arc::clone(client), security, Scope::basic(family, doing));
            client.controls.socket_created();
            Ok(BasicSocket::open(Arc::clone(client), controls))
        }
        // A category over the transport of another.
        Wanted::Datagram if is_tcp => Err(STATUS_NOT_SUPPORTED),
        Wanted::Stream(_) if !is_tcp => Err(STATUS_NOT_SUPPORTED),
        Wanted::Datagram => {
            let wire = client.kernel.stack().open(family)?;
            let scope = Scope::of(family, Scope::DATAGRAM);
            let controls = Controls::new(wire, Arc::clone(client), security, scope);
            let event = parameters.receive_event(client)?;
            let parts = DatagramParts { client: Arc::clone(client), family, controls, event };
            Ok(handle::to_client(DatagramSocket::new(parts)))
        }
        Wanted::Stream(category) => {
            parameters.stream(client, category, family).map(|socket| socket.client_pointer())
        }
    }
}

/// WskSocketConnect: creates a connection socket of the family of `local`, binds and connects it. The request ends with the
/// socket.
pub(crate) fn create_connected(
    client: &Arc<Client>,
    parameters: &SocketParameters,
    request: Request,
    local: &SOCKADDR_INET,
    remote: Option<SOCKADDR_INET>,
) -> NTSTATUS {
    let security = parameters.security;
    let is_cached = security.is_null() || client.controls.is_cached(security.addr());
    let created = match parameters.category() {
        Ok(Wanted::Stream(Category::Connection)) if is_cached => match parameters.family(client) {
            Ok(family) if parameters.protocol == IPPROTO_TCP => {
                parameters.stream(client, Category::Connection, family)
            }
            // A connection over the transport of another category.
            Ok(_) => Err(STATUS_NOT_SUPPORTED),
            Err(status) => Err(status),
        },
        _ => Err(STATUS_INVALID_PARAMETER),
    };
    match created {
        Ok(socket) => connect_new(&socket, request, local, remote),
        Err(status) => request.complete(&client.kernel, status, 0),
    }
}

impl SocketParameters {
    /// Exactly one category, or none for a basic socket.
    fn category(&self) -> Result<Wanted, NTSTATUS> {
        match self.flags {
            WSK_FLAG_BASIC_SOCKET => Ok(Wanted::Basic),
            WSK_FLAG_DATAGRAM_SOCKET => Ok(Wanted::Datagram),
            WSK_FLAG_LISTEN_SOCKET => Ok(Wanted::Stream(Category::Listen)),
            WSK_FLAG_CONNECTION_SOCKET => Ok(Wanted::Stream(Category::Connection)),
            WSK_FLAG_STREAM_SOCKET => Ok(Wanted::Stream(Category::Stream)),
            _ => Err(STATUS_INVALID_PARAMETER),
        }
    }

    /// The family, when the combination is one of the transports.
    fn family(&self, client: &Client) -> Result<Family, NTSTATUS> {
        let listed = transports(client.kernel.stack().has_tcp()).iter().any(|transport| {
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

    fn stream(
        &self,
        client: &Arc<Client>,
        category: Category,
        family: Family,
    ) -> Result<Arc<StreamSocket>, NTSTATUS> {
        // SAFETY: the client's contract: a table of callbacks of the category it asks for.
        let targets = unsafe { self.targets(category) };
        let wire = TcpSocket::open(family, category == Category::Listen)?;
        let scope = Scope::of(family, category.doing());
        let controls = Controls::new(Box::new(wire), Arc::clone(client), self.security, scope);
        let statics = client.controls.socket_created();
        let client = Arc::clone(client);
        StreamSocket::new(StreamParts { client, category, family, controls, targets, statics })
    }

    /// # Safety
    /// The dispatch table is null or one of `category`.
    unsafe fn targets(&self, category: Category) -> Targets {
        match category {
            // SAFETY: the caller's promise.
            Category::Listen => unsafe { Targets::listen(self.context, self.dispatch.cast()) },
            // SAFETY: the caller's promise.
            Category::Connection => unsafe { Targets::connection(self.context, self.dispatch.cast()) },
            // SAFETY: the caller's promise.
            Category::Stream => unsafe { Targets::stream(self.context, self.dispatch.cast()) },
        }
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
        let event = ReceiveEvent::new(client.kernel.provider().workers);
        if event.aim(callback, self.context, is_static) { Ok(event) } else { Err(STATUS_INVALID_PARAMETER) }
    }
}
