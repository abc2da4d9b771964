//! The engine that sends: a kernel in this process, a WSK client on it, and memory for what is under way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use skua_engine::{
    Batch, Config, DatagramSocket, Engine, Events, Handler, Passive, Provider, Registration, SocketOptions,
    Stats,
};
use skua_hosted::{HostConfig, HostKernel};

use super::SendError;
use super::shape::Shape;

/// A socket to send from.
pub(super) type Socket = DatagramSocket<HostKernel, Deaf>;

/// How long to wait for the provider, which is in this process.
const CAPTURE_WAIT: Duration = Duration::from_secs(1);
/// How long a close may take: nothing is under way any more.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait between two looks at what is under way.
const LOOK: Duration = Duration::from_micros(100);

/// Everything below the flows.
pub(super) struct SendEngine {
    provider: Provider<HostKernel>,
    registration: Registration<HostKernel>,
    engine: Engine<HostKernel, Deaf>,
    kernel: HostKernel,
}

impl SendEngine {
    /// Takes the memory for datagrams as `shape` has them.
    ///
    /// # Errors
    /// [`SendError`].
    pub(super) fn open(shape: &Shape) -> Result<Self, SendError> {
        let mut host = HostConfig::with_workers(1).unverified();
        host.provider.connects = true;
        // What comes back is passed over, one at a time.
        host.provider.blocks = 1;
        host.provider.pending_receives = 1;
        host.provider.pending_sends = shape.slots;
        let kernel = HostKernel::new(host);
        let passive = passive(&kernel)?;
        let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
        let provider = registration.capture(CAPTURE_WAIT, &passive)?;
        let config = Config {
            send_slots: shape.slots,
            send_bytes: shape.slot_bytes,
            magazine: shape.slots_in_turn,
            ..Config::default()
        };
        let engine = Engine::open(kernel.clone(), Deaf, &config, &passive)?;
        Ok(Self { provider, registration, engine, kernel })
    }

    /// A socket on a free port, for datagrams to `to`.
    ///
    /// # Errors
    /// [`SendError::Open`].
    pub(super) fn socket(&self, to: SocketAddr) -> Result<Socket, SendError> {
        let options = SocketOptions { remote: Some(to), ..SocketOptions::new(any_of_family(to)) };
        let passive = passive(&self.kernel)?;
        self.engine
            .open_socket(&self.provider, &options, &passive)
            .map_err(|source| SendError::Open { to, source })
    }

    /// The engine's counts.
    pub(super) fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Waits until nothing is under way, or `limit` is over; whether that was so.
    pub(super) fn settle(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let stats = self.stats();
            if stats.sends_completed + stats.sends_failed >= stats.sends_issued {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// How often the receiver's host said that nobody listens.
    pub(super) fn refused(&self) -> u64 {
        self.kernel.refused()
    }

    /// Closes `sockets` and all below them. What does not close in time is left to the end of the process.
    pub(super) fn close(self, sockets: impl Iterator<Item = Socket>) -> Result<(), SendError> {
        let passive = passive(&self.kernel)?;
        for socket in sockets {
            let _left = socket.close(CLOSE_LIMIT, &passive);
        }
        drop(self.provider);
        let _left = self.registration.close(CLOSE_LIMIT, &passive);
        Ok(())
    }
}

fn passive(kernel: &HostKernel) -> Result<Passive<'_>, SendError> {
    Passive::acquire(kernel).ok_or(SendError::Level)
}

fn any_of_family(to: SocketAddr) -> SocketAddr {
    let any: std::net::IpAddr = match to {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(any, 0)
}

/// Passes over what a receiver answers.
pub(super) struct Deaf;

impl Handler<HostKernel> for Deaf {
    type Shard = ();

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) {}

    fn receive(&self, (): &mut (), _batch: &mut Batch<'_, HostKernel>) {}
}
