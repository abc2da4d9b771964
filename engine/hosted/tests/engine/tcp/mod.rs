//! Sockets over TCP, opened by request: every category end to end over the host's loopback.

mod cancel;
mod client;
mod events;
mod examples;
mod executor;
mod faults;
mod futures;
mod listen;
mod memory;
mod names;
mod options;
mod quirks;
mod requests;
mod stream;

use std::net::{SocketAddr, TcpListener, TcpStream};

use skua_engine::{
    Buffer, ConnectionHandler, ConnectionSocket, Connections, Events, Family, Finish, Kernel, ListenHandler,
    ListenSocket, NoHandler, Passive, Pending, Provider, Registration, RequestError, Requests,
    RequestsConfig, SocketBuilder,
};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::PATIENCE;

pub(crate) type Connection<H = NoHandler> = ConnectionSocket<HostKernel, H>;

/// A client with request slots.
pub(crate) struct Tcp {
    pub kernel: HostKernel,
    pub registration: Registration<HostKernel>,
    pub provider: Provider<HostKernel>,
    pub requests: Requests<HostKernel>,
}

impl Tcp {
    pub(crate) fn new() -> Self {
        Self::with(HostConfig::default(), &RequestsConfig::default())
    }

    pub(crate) fn with(config: HostConfig, requests: &RequestsConfig) -> Self {
        let kernel = HostKernel::new(config);
        let (registration, provider, requests) = {
            let passive = Passive::acquire(&kernel).unwrap();
            let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
            let provider = registration.capture(PATIENCE, &passive).unwrap();
            (registration, provider, Requests::open(&kernel, requests, &passive).unwrap())
        };
        Self { kernel, registration, provider, requests }
    }

    pub(crate) fn passive(&self) -> Passive<'_> {
        Passive::acquire(&self.kernel).unwrap()
    }

    pub(crate) fn connections<H: ConnectionHandler<HostKernel>>(
        &self,
        count: u32,
    ) -> Connections<HostKernel, H> {
        Connections::open(&self.provider, &self.requests, count, &self.passive()).unwrap()
    }

    pub(crate) fn listen<L: ListenHandler<HostKernel>>(
        &self,
        connections: &Connections<HostKernel, L::Connection>,
        handler: L,
    ) -> (ListenSocket<HostKernel, L>, SocketAddr) {
        let socket = SocketBuilder::new(Family::Inet)
            .listen_on(&self.provider, connections, handler, any(), PATIENCE, &self.passive())
            .unwrap();
        let address = self.wait(socket.local_address()).unwrap();
        (socket, address)
    }

    pub(crate) fn connect<H: ConnectionHandler<HostKernel>>(
        &self,
        connections: &Connections<HostKernel, H>,
        handler: H,
        to: SocketAddr,
    ) -> Connection<H> {
        SocketBuilder::new(Family::of(to))
            .connect_to(&self.provider, connections, handler, (any(), to), PATIENCE, &self.passive())
            .unwrap()
    }

    /// A connection to a peer of std's.
    pub(crate) fn pair<H: ConnectionHandler<HostKernel>>(
        &self,
        connections: &Connections<HostKernel, H>,
        handler: H,
    ) -> (Connection<H>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = self.connect(connections, handler, listener.local_addr().unwrap());
        let (peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        (socket, peer)
    }

    pub(crate) fn wait<T: Finish<HostKernel>>(
        &self,
        pending: Pending<HostKernel, T>,
    ) -> Result<T::Output, RequestError> {
        pending.wait(PATIENCE, &self.passive()).map_err(|error| error.failed().expect("it ends in time"))
    }

    pub(crate) fn buffer(&self, bytes: &[u8]) -> Buffer<HostKernel> {
        let mut buffer = self.requests.take().unwrap();
        assert_eq!(buffer.fill(bytes), bytes.len());
        buffer
    }

    pub(crate) fn close<H: ConnectionHandler<HostKernel>, S>(
        &self,
        socket: ConnectionSocket<HostKernel, H, S>,
    ) {
        socket.close(PATIENCE, &self.passive()).unwrap();
    }

    pub(crate) fn stop<L: ListenHandler<HostKernel>>(&self, socket: ListenSocket<HostKernel, L>) {
        socket.close(PATIENCE, &self.passive()).unwrap();
    }

    /// Leaves, and checks that nothing is left behind.
    pub(crate) fn finish(self) {
        let Self { kernel, registration, provider, requests } = self;
        let passive = Passive::acquire(&kernel).unwrap();
        requests.serve(std::time::Duration::ZERO, &passive);
        drop(provider);
        registration.close(PATIENCE, &passive).unwrap();
        assert_eq!(requests.outstanding(), 0);
        drop(requests);
        let outstanding = kernel.outstanding();
        assert!(outstanding.is_empty(), "{outstanding:?}");
    }
}

/// Any port of this host.
pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Handles, slots and requests may go to other threads.
#[test]
fn what_is_handed_between_threads_may_be() {
    fn sent<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    fn all<K: Kernel, H: ConnectionHandler<K>, L: ListenHandler<K>>() {
        sent::<ConnectionSocket<K, H>>();
        sent::<ListenSocket<K, L>>();
        sent::<Requests<K>>();
        sent::<Connections<K, H>>();
        moved::<Buffer<K>>();
        moved::<Pending<K, skua_engine::Moved>>();
        moved::<Pending<K, skua_engine::Accepting<K, L>>>();
        moved::<skua_engine::RetainedData<K>>();
    }
    all::<HostKernel, NoHandler, NoHandler>();
}
