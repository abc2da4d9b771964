//! WskSocket: which combinations of arguments make a socket, and of which category.

// UNSAFETY: reads the client's dispatch table.
#![expect(unsafe_code, reason = "the table of callbacks is given by address")]

use std::ffi::c_void;
use std::sync::Arc;

use skua_engine::abi::nt::{PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DATAGRAM_DISPATCH, WSK_EVENT_RECEIVE_FROM, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_SOCKET,
};

use crate::kernel::process::SecurityContext;
use crate::kernel::registration::Client;
use crate::os::{Family, StackEndpoint, StackSocket};
use crate::request::Request;
use crate::socket::basic::BasicSocket;
use crate::socket::controls::Controls;
use crate::socket::datagram::{DatagramParts, DatagramSocket};
use crate::socket::events::ReceiveEvent;
use crate::socket::handle;
use crate::socket::scope::Scope;
use crate::stream::{Category, StreamParts, StreamSocket, Targets, connect_new};
use crate::transports::Protocol;

/// The arguments of WskSocket that make a difference here.
pub(crate) struct SocketParameters {
    pub(crate) family: u16,
    pub(crate) socket_type: u16,
    pub(crate) protocol: u32,
    pub(crate) flags: u32,
    pub(crate) context: *mut c_void,
    pub(crate) dispatch: *const c_void,
    /// OwningProcess and OwningThread.
    pub(crate) owner: (PEPROCESS, PETHREAD),
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
    let (family, protocol) = parameters.transport(client)?;
    let security = client.controls.descriptor(parameters.security)?;
    match (wanted, protocol) {
        (Wanted::Basic, _) if !parameters.context.is_null() || !parameters.dispatch.is_null() => {
            Err(STATUS_INVALID_PARAMETER)
        }
        (Wanted::Basic, _) => {
            let wire: Box<dyn StackEndpoint> = match protocol {
                Protocol::Tcp => Box::new(client.kernel.stack().open_tcp(family, false)?),
                _ => open_datagram(client, family, protocol)?,
            };
            let doing = match protocol {
                Protocol::Udp => Scope::DATAGRAM,
                Protocol::Tcp => Scope::TCP,
                Protocol::Raw(_) => Scope::RAW,
            };
            let controls = Controls::new(wire, Arc::clone(client), security, Scope::basic(family, doing));
            client.controls.socket_created();
            Ok(BasicSocket::open(Arc::clone(client), controls))
        }
        (Wanted::Datagram, Protocol::Udp | Protocol::Raw(_)) => {
            let wire = open_datagram(client, family, protocol)?;
            let is_raw = protocol != Protocol::Udp;
            let doing = if is_raw { Scope::RAW } else { Scope::DATAGRAM };
            let controls = Controls::new(wire, Arc::clone(client), security, Scope::of(family, doing));
            let event = parameters.receive_event(client)?;
            let context = parameters.security_context(client);
            let client = Arc::clone(client);
            let parts = DatagramParts { client, family, context, is_raw, controls, event };
            Ok(handle::to_client(DatagramSocket::new(parts)))
        }
        (Wanted::Stream(category), Protocol::Tcp) => {
            parameters.stream(client, category, family).map(|socket| socket.client_pointer())
        }
        // A category over the transport of another.
        _ => Err(STATUS_NOT_SUPPORTED),
    }
}

fn open_datagram(
    client: &Client,
    family: Family,
    protocol: Protocol,
) -> Result<Box<dyn StackSocket>, NTSTATUS> {
    match protocol {
        Protocol::Raw(number) => client.kernel.stack().open_raw(family, number),
        _ => client.kernel.stack().open(family),
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
    let created = parameters.transport(client).and_then(|(family, protocol)| match protocol {
        Protocol::Tcp => parameters.stream(client, Category::Connection, family),
        _ => Err(STATUS_NOT_SUPPORTED),
    });
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

    /// What it is to go over, when the combination is one of the transports.
    fn transport(&self, client: &Client) -> Result<(Family, Protocol), NTSTATUS> {
        let Self { family, socket_type, protocol, .. } = *self;
        client.kernel.transports().find(client.kernel.stack(), family, socket_type, protocol)
    }

    fn security_context(&self, client: &Client) -> SecurityContext {
        let (process, thread) = self.owner;
        client.kernel.processes().context(process, thread)
    }

    fn stream(
        &self,
        client: &Arc<Client>,
        category: Category,
        family: Family,
    ) -> Result<Arc<StreamSocket>, NTSTATUS> {
        // SAFETY: the client's contract: a table of callbacks of the category it asks for.
        let targets = unsafe { self.targets(category) };
        let wire = client.kernel.stack().open_tcp(family, category == Category::Listen)?;
        let scope = Scope::of(family, category.doing());
        let security = client.controls.descriptor(self.security)?;
        let controls = Controls::new(Box::new(wire), Arc::clone(client), security, scope);
        let context = self.security_context(client);
        let statics = client.controls.socket_created();
        let client = Arc::clone(client);
        StreamSocket::new(StreamParts { client, category, family, context, controls, targets, statics })
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
