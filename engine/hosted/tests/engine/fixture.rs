//! A registered client on a hosted kernel, and a handler that remembers what it saw.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use skua_engine::{
    Batch, Config, DatagramSocket, DropReason, Engine, Events, Handler, Info, Kernel, Passive, Provider,
    Registration, Retained, SocketOptions, Stats, Wanted,
};
use skua_hosted::{HostConfig, HostKernel};
use skua_record::RecordFlags;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Everything about one datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub payload: Vec<u8>,
    pub remote: SocketAddr,
    pub local: SocketAddr,
    pub interface: u32,
    pub type_of_service: u8,
    pub hop_limit: u8,
    pub flags: RecordFlags,
    pub time: u64,
    pub address: usize,
    pub contiguous: bool,
    pub processor: u32,
}

/// What the handler does with each datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Consume,
    Refuse,
    /// Sends what it retained to the test.
    Retain,
    /// Retains and lets go at once, inside the callback.
    RetainAndRelease,
    /// Retains the first of each batch only.
    RetainFirst,
}

pub(crate) struct Recorder<K: Kernel> {
    pub policy: Mutex<Policy>,
    seen: Sender<Seen>,
    retained: Sender<Retained<K>>,
}

/// The test's ends of a [`Recorder`].
pub(crate) struct Ends<K: Kernel> {
    pub seen: Receiver<Seen>,
    pub retained: Receiver<Retained<K>>,
}

impl<K: Kernel> Recorder<K> {
    pub(crate) fn new(policy: Policy) -> (Self, Ends<K>) {
        let (seen, seen_end) = channel();
        let (retained, retained_end) = channel();
        (Self { policy: Mutex::new(policy), seen, retained }, Ends { seen: seen_end, retained: retained_end })
    }
}

impl<K: Kernel> Handler<K> for Recorder<K> {
    type Shard = (Sender<Seen>, Sender<Retained<K>>);

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> Self::Shard {
        (self.seen.clone(), self.retained.clone())
    }

    fn receive(&self, (seen, retained): &mut Self::Shard, batch: &mut Batch<'_, K>) {
        let policy = *self.policy.lock().unwrap();
        let processor = batch.processor();
        let mut first = true;
        while let Some(datagram) = batch.next_datagram() {
            let payload = datagram.payload();
            let mut bytes = vec![0; payload.len()];
            assert_eq!(payload.copy_to(&mut bytes), bytes.len());
            let _ = seen.send(Seen {
                payload: bytes,
                remote: datagram.remote().into(),
                local: datagram.local().into(),
                interface: datagram.interface(),
                type_of_service: datagram.type_of_service(),
                hop_limit: datagram.hop_limit(),
                flags: datagram.flags(),
                time: datagram.time(),
                address: payload.address() as usize,
                contiguous: payload.is_contiguous(),
                processor,
            });
            match policy {
                Policy::Consume => {}
                Policy::Refuse => datagram.refuse(DropReason::Handler),
                Policy::RetainAndRelease => drop(datagram.retain()),
                Policy::RetainFirst if !first => {}
                Policy::Retain | Policy::RetainFirst => {
                    if let Ok(kept) = datagram.retain() {
                        let _ = retained.send(kept);
                    }
                }
            }
            first = false;
        }
    }
}

impl<K: Kernel> Ends<K> {
    /// The next datagram; fails the test when none comes.
    pub(crate) fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("a datagram reaches the handler")
    }

    pub(crate) fn next_retained(&self) -> Retained<K> {
        self.retained.recv_timeout(PATIENCE).expect("the handler retains a datagram")
    }
}

/// A kernel with a client on it.
pub(crate) struct Client {
    pub kernel: HostKernel,
    pub registration: Registration<HostKernel>,
    pub provider: Provider<HostKernel>,
}

pub(crate) type Socket = DatagramSocket<HostKernel, Recorder<HostKernel>>;
pub(crate) type RecorderEngine = Engine<HostKernel, Recorder<HostKernel>>;

impl Client {
    pub(crate) fn new(config: HostConfig) -> Self {
        Self::with_events(config, Events::Static)
    }

    pub(crate) fn with_events(mut config: HostConfig, events: Events) -> Self {
        config.provider.middleware.extend(crate::layer::asked_for());
        let kernel = HostKernel::new(config);
        let (registration, provider) = {
            let passive = Passive::acquire(&kernel).unwrap();
            let registration = Registration::register(kernel.clone(), events, &passive).unwrap();
            let provider = registration.capture(PATIENCE, &passive).unwrap();
            (registration, provider)
        };
        Self { kernel, registration, provider }
    }

    pub(crate) fn engine(&self, policy: Policy, config: &Config<'_>) -> (RecorderEngine, Ends<HostKernel>) {
        let (recorder, ends) = Recorder::new(policy);
        let passive = Passive::acquire(&self.kernel).unwrap();
        (Engine::open(self.kernel.clone(), recorder, config, &passive).unwrap(), ends)
    }

    pub(crate) fn listen(&self, engine: &RecorderEngine, options: &SocketOptions<'_>) -> Socket {
        let passive = Passive::acquire(&self.kernel).unwrap();
        engine.open_socket(&self.provider, options, &passive).unwrap()
    }

    pub(crate) fn close(&self, socket: Socket) {
        let passive = Passive::acquire(&self.kernel).unwrap();
        socket.close(PATIENCE, &passive).unwrap();
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

/// Options with every control message wanted.
pub(crate) fn told(local: &str) -> SocketOptions<'static> {
    let wanted = Wanted {
        packet_info: Info::Wanted,
        type_of_service: Info::Wanted,
        hop_limit: Info::Wanted,
        timestamp: Info::Wanted,
        coalesced: Info::Off,
    };
    SocketOptions { wanted, ..SocketOptions::new(local.parse().unwrap()) }
}

/// A sender that is not ours, of the family of `to`.
pub(crate) fn sender(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
    socket.connect(to).unwrap();
    socket
}

/// Waits until the engine's counters satisfy `reached`.
pub(crate) fn wait_for(engine: &RecorderEngine, reached: impl Fn(&Stats) -> bool) -> Stats {
    let until = Instant::now() + PATIENCE;
    loop {
        let stats = engine.stats();
        if reached(&stats) {
            return stats;
        }
        assert!(Instant::now() < until, "the counters stay at {stats:?}");
        std::thread::yield_now();
    }
}
