//! Forwarders over the sockets of this host, and their peers.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skua_engine::{Events, Passive, Provider, Registration};
use skua_forward::{ForwardStats, Forwarder, Rule, Settings, Unfinished};
use skua_hosted::middleware::Middleware;
use skua_hosted::{HostConfig, HostKernel};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A client of WSK that forwarders are opened for.
pub(crate) struct Client {
    pub kernel: HostKernel,
    registration: Registration<HostKernel>,
    pub provider: Provider<HostKernel>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::of(HostConfig::default())
    }

    /// A client behind who stands before the provider, and without the verifier, which would lend copies of what is received.
    pub(crate) fn behind(middleware: Arc<dyn Middleware>) -> Self {
        let mut config = HostConfig::default().unverified();
        config.provider.middleware.push(middleware);
        Self::of(config)
    }

    fn of(config: HostConfig) -> Self {
        let kernel = HostKernel::new(config);
        let (registration, provider) = {
            let passive = Passive::acquire(&kernel).unwrap();
            let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
            let provider = registration.capture(PATIENCE, &passive).unwrap();
            (registration, provider)
        };
        Self { kernel, registration, provider }
    }

    pub(crate) fn open(&self, rules: &[String], under_way: u32) -> Forwarder<HostKernel> {
        let passive = Passive::acquire(&self.kernel).unwrap();
        Forwarder::open(&self.provider, &settings(&table(rules), under_way), &passive).unwrap()
    }

    pub(crate) fn close(&self, forwarder: Forwarder<HostKernel>) -> ForwardStats {
        let passive = Passive::acquire(&self.kernel).unwrap();
        match forwarder.close(PATIENCE, &passive) {
            Ok(stats) => stats,
            Err(Unfinished::Outlet { busy, .. }) => panic!("{busy}"),
            Err(Unfinished::Socket(error)) => panic!("{error}"),
        }
    }

    /// Leaves, and checks that nothing is left behind.
    pub(crate) fn finish(self) {
        let Self { kernel, registration, provider } = self;
        drop(provider);
        let passive = Passive::acquire(&kernel).unwrap();
        registration.close(PATIENCE, &passive).unwrap();
        let outstanding = kernel.outstanding();
        assert!(outstanding.is_empty(), "{outstanding:?}");
    }
}

pub(crate) fn table(rules: &[String]) -> Vec<Rule> {
    rules.iter().map(|rule| rule.parse().unwrap()).collect()
}

pub(crate) fn settings(rules: &[Rule], under_way: u32) -> Settings<'_> {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    Settings { local: [any, any], rules, under_way }
}

/// A socket that is nobody's of Skua, on any port of this address.
pub(crate) fn peer(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The next datagram, and who sent it.
pub(crate) fn next(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut bytes).expect("a datagram arrives");
    bytes.truncate(length);
    (bytes, from)
}

/// Waits until the counts are as `reached` wants them.
pub(crate) fn wait_for(
    forwarder: &Forwarder<HostKernel>,
    reached: impl Fn(&ForwardStats) -> bool,
) -> ForwardStats {
    let until = Instant::now() + PATIENCE;
    loop {
        let stats = forwarder.stats();
        if reached(&stats) {
            return stats;
        }
        assert!(Instant::now() < until, "the counters stay at {stats:?}");
        std::thread::yield_now();
    }
}
