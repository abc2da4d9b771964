//! The engine with one socket, called as a provider calls it.

// UNSAFETY: calls the receive event, whose contract is WSK's.
#![expect(unsafe_code, reason = "the receive event takes a raw list")]

use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::WSK_FLAG_AT_DISPATCH_LEVEL;
use skua_engine::{
    Config, DatagramSocket, Dispatch, Engine, Events, Handler, Passive, Provider, Registration, Stats,
};
use skua_hosted::{Control, Facts, HostConfig, HostKernel, Injected};

use crate::indications::Indications;
use crate::setting::Setting;
use crate::tap::{ReceiveEvent, Tap};

/// How long open and close may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An engine with handler `H` on a kernel of one processor, and one socket of it on the in-memory loopback.
pub struct Receiver<H: Handler<HostKernel>> {
    event: ReceiveEvent,
    tap: Arc<Tap>,
    // Dropped in this order: nothing is closed before what hangs on it.
    socket: Option<DatagramSocket<HostKernel, H>>,
    _provider: Provider<HostKernel>,
    _registration: Registration<HostKernel>,
    engine: Engine<HostKernel, H>,
    kernel: HostKernel,
}

impl<H: Handler<HostKernel>> Receiver<H> {
    /// Opens everything, as `setting` wants it.
    ///
    /// # Panics
    /// Where memory is exhausted.
    pub fn open(setting: Setting, handler: impl FnOnce(&HostKernel) -> H) -> Self {
        let mut host = HostConfig::loopback(1).unverified();
        let tap = Arc::new(Tap::default());
        host.provider.middleware.push(tap.clone());
        let kernel = HostKernel::new(host);
        let handler = handler(&kernel);
        let passive = Passive::acquire(&kernel).expect("a thread begins at PASSIVE_LEVEL");
        let registration = Registration::register(kernel.clone(), Events::Static, &passive);
        let registration = registration.expect("a client");
        let provider = registration.capture(PATIENCE, &passive).expect("a provider");
        let config = Config { admission: setting.admission(), ..Config::default() };
        let engine = Engine::open(kernel.clone(), handler, &config, &passive).expect("an engine");
        let socket = engine.open_socket(&provider, &setting.socket(), &passive).expect("a socket");
        let event = tap.take_event().expect("the event of the socket that was just created");
        Self {
            event,
            tap,
            socket: Some(socket),
            _provider: provider,
            _registration: registration,
            engine,
            kernel: kernel.clone(),
        }
    }

    /// A list of `count` datagrams of `bytes` bytes, each from an address of its own.
    ///
    /// # Panics
    /// For fewer than [`READ`](crate::READ) bytes, which the walks rely on.
    #[must_use]
    pub fn list(&self, count: u8, bytes: usize) -> Indications {
        assert!(bytes >= crate::READ);
        let local = self.socket.as_ref().map(DatagramSocket::local_address).expect("open");
        let datagrams: Vec<_> = (0..count)
            .map(|nth| {
                let source = SocketAddr::from(([10, 1, 0, nth], 40_000));
                let facts = Facts {
                    destination: Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 1)),
                    type_of_service: Some(0),
                    ..Facts::default()
                };
                Injected { control: Control::Facts(facts), ..Injected::new(source, vec![nth; bytes]) }
            })
            .collect();
        let prepared = self.kernel.prepare(&local, &datagrams).expect("a bound socket");
        let _ = prepared.indicate(0);
        Indications {
            first: self.tap.take_list().expect("the list that was just indicated"),
            _prepared: prepared,
        }
    }

    /// Runs `work` at DISPATCH_LEVEL, where it may indicate lists.
    pub fn at_dispatch<R>(&self, work: impl FnOnce(&Raised<'_, H>) -> R) -> R {
        Dispatch::with(&self.kernel, |_| work(&Raised { receiver: self, not_send: PhantomData }))
    }

    /// The engine's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// The handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        self.engine.handler()
    }
}

impl<H: Handler<HostKernel>> Drop for Receiver<H> {
    fn drop(&mut self) {
        let passive = Passive::acquire(&self.kernel);
        if let (Some(socket), Some(passive)) = (self.socket.take(), passive) {
            // Nothing is retained and nothing is sent, so there is nothing to wait for.
            let _ = socket.close(PATIENCE, &passive);
        }
    }
}

/// The receiver's processor, held.
pub struct Raised<'r, H: Handler<HostKernel>> {
    receiver: &'r Receiver<H>,
    not_send: PhantomData<*mut ()>,
}

impl<H: Handler<HostKernel>> Raised<'_, H> {
    /// Calls the engine's receive event with `list`.
    ///
    /// # Panics
    /// When the engine does not give the list back at once: no handler here retains.
    #[inline]
    pub fn indicate(&self, list: &Indications) {
        let ReceiveEvent { context, callback } = self.receiver.event;
        // SAFETY: the socket is open, the list whole, and the thread at DISPATCH_LEVEL while this value lives.
        let status = unsafe { callback(context, WSK_FLAG_AT_DISPATCH_LEVEL, list.first.as_ptr()) };
        assert!(status == STATUS_SUCCESS, "the handler retained something: {status}");
    }
}
