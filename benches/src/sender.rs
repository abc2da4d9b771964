//! The engine with one socket that sends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use skua_engine::{
    Config, DatagramSocket, Engine, Events, Passive, Provider, Registration, SendOptions, SocketOptions,
    Stats,
};
use skua_hosted::{HostConfig, HostKernel};

use crate::read_first::ReadFirst;

/// How long open and close may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends under way at once.
const SLOTS: u32 = 64;

/// An engine on a kernel of one processor, and one socket of it that sends to one address.
pub struct Sender {
    // Dropped in this order: nothing is closed before what hangs on it.
    socket: Option<DatagramSocket<HostKernel, ReadFirst>>,
    _provider: Provider<HostKernel>,
    _registration: Registration<HostKernel>,
    engine: Engine<HostKernel, ReadFirst>,
    kernel: HostKernel,
    remote: SocketAddr,
}

impl Sender {
    /// Over the in-memory loopback, to an address that nobody has: what is sent ends there. Datagrams have at most `bytes`
    /// bytes.
    ///
    /// # Panics
    /// Where memory is exhausted.
    #[must_use]
    pub fn in_memory(bytes: u32) -> Self {
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
        Self::open(HostConfig::loopback(1).unverified(), bytes, nobody)
    }

    /// Over a socket of the host that is connected to `remote`. A buffer that the stack cuts has at most `bytes` bytes.
    ///
    /// # Panics
    /// Where memory is exhausted, or `remote` cannot be reached.
    #[must_use]
    pub fn over_sockets(bytes: u32, remote: SocketAddr) -> Self {
        let mut host = HostConfig::with_workers(1).unverified();
        host.provider.connects = true;
        Self::open(host, bytes, remote)
    }

    fn open(host: HostConfig, bytes: u32, remote: SocketAddr) -> Self {
        let kernel = HostKernel::new(host);
        let passive = Passive::acquire(&kernel).expect("a thread begins at PASSIVE_LEVEL");
        let registration = Registration::register(kernel.clone(), Events::Static, &passive);
        let registration = registration.expect("a client");
        let provider = registration.capture(PATIENCE, &passive).expect("a provider");
        let config =
            Config { send_slots: SLOTS, send_bytes: bytes, magazine: SLOTS / 2, ..Config::default() };
        let engine = Engine::open(kernel.clone(), ReadFirst, &config, &passive).expect("an engine");
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let options = SocketOptions { remote: Some(remote), ..SocketOptions::new(local) };
        let socket = engine.open_socket(&provider, &options, &passive).expect("a socket");
        Self {
            socket: Some(socket),
            _provider: provider,
            _registration: registration,
            engine,
            kernel: kernel.clone(),
            remote,
        }
    }

    /// Sends `count` copies of `payload` by one call, each cut into datagrams of `segment` bytes if that is given.
    ///
    /// # Panics
    /// When the engine takes fewer.
    #[inline]
    pub fn send(&self, payload: &[u8], count: usize, segment: Option<u32>) {
        let Some(socket) = &self.socket else { return };
        let options = SendOptions { segment, ..SendOptions::default() };
        let sent = socket.send_batch(self.remote, &options, |batch| {
            for _ in 0..count {
                if batch.push(payload).is_err() {
                    break;
                }
            }
        });
        assert!(sent.is_ok_and(|((), sent)| sent == count), "the engine took fewer: {sent:?}");
    }

    /// The engine's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let passive = Passive::acquire(&self.kernel);
        if let (Some(socket), Some(passive)) = (self.socket.take(), passive) {
            let _ = socket.close(PATIENCE, &passive);
        }
    }
}
