//! An engine, a relay and two sockets, opened and closed together.

use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use skua_engine::{
    CloseError, Config, DatagramSocket, Engine, Kernel, OpenSocketError, OutletBusy, Passive, Provider,
    Retention, SocketOptions, Stats,
};
use skua_pools::OutOfMemory;

use crate::relay::{MOST_RULES, Relay};
use crate::rule::{Rule, Side};

/// What a forwarder is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'r> {
    /// Where the sockets are bound, outer and inner. Port 0 takes a free one.
    pub local: [SocketAddr; 2],
    /// Who may pass, and where to: the first rule that fits decides. At most [`MOST_RULES`].
    pub rules: &'r [Rule],
    /// Datagrams that may be under way at once on each processor, and sends at once in all. A datagram is under way from its
    /// indication until its send has completed; it lies in the network card's memory meanwhile, so this is a small number.
    pub under_way: u32,
}

/// Why [`Forwarder::open`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There are too many rules.
    #[error("a table has at most {MOST_RULES} rules, not {0}")]
    TooManyRules(usize),
    /// Nonpaged pool is exhausted.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The engine did not open.
    #[error(transparent)]
    Engine(#[from] skua_engine::OpenError),
    /// A socket did not open.
    #[error("the {side:?} socket: {error}")]
    Socket {
        /// Which.
        side: Side,
        /// Why.
        error: OpenSocketError,
    },
}

impl OpenError {
    /// The status a driver returns for it.
    pub fn status(&self) -> NTSTATUS {
        match self {
            Self::TooManyRules(_) => STATUS_INVALID_PARAMETER,
            Self::OutOfMemory(_) => STATUS_INSUFFICIENT_RESOURCES,
            Self::Engine(error) => error.status(),
            Self::Socket { error, .. } => error.status(),
        }
    }
}

/// What a forwarder has done since it was opened.
#[derive(Clone, Copy, Debug)]
pub struct ForwardStats {
    /// The engine's own counts.
    pub engine: Stats,
    /// Datagrams handed to the other side's socket.
    pub forwarded: u64,
    /// Datagrams that were let through and could not be sent.
    pub not_sent: u64,
}

/// Two sockets and what passes between them.
pub struct Forwarder<K: Kernel> {
    engine: Engine<K, Relay<K>>,
    local: [SocketAddr; 2],
}

impl<K: Kernel> Forwarder<K> {
    /// Takes all memory, opens the sockets and begins to forward.
    ///
    /// # Errors
    /// [`OpenError`]. A socket that was open already closes on the registration's closing list.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn open(
        provider: &Provider<K>,
        settings: &Settings<'_>,
        passive: &Passive<'_>,
    ) -> Result<Self, OpenError> {
        let kernel = provider.kernel();
        if settings.rules.len() > MOST_RULES {
            return Err(OpenError::TooManyRules(settings.rules.len()));
        }
        let relay = Relay::new(kernel, settings.rules, passive)?;
        let config = Config {
            send_slots: settings.under_way,
            // Nothing is copied into a context: all that is sent is lent.
            send_bytes: 16,
            retention: Retention {
                datagrams: settings.under_way,
                bytes: settings.under_way.saturating_mul(u16::MAX.into()),
                ..Retention::default()
            },
            send_lent: true,
            ..Config::default()
        };
        let engine = Engine::open(kernel.clone(), relay, &config, passive)?;
        let open = |side: Side| {
            let [outer, inner] = settings.local;
            let local = if side == Side::Outer { outer } else { inner };
            let options = SocketOptions { id: side as u16, ..SocketOptions::new(local) };
            engine.open_socket(provider, &options, passive).map_err(|error| OpenError::Socket { side, error })
        };
        let sockets = [open(Side::Outer)?, open(Side::Inner)?];
        let local = sockets.each_ref().map(DatagramSocket::local_address);
        for (outlet, socket) in engine.handler().outlets.iter().zip(sockets) {
            // The outlets are new: each takes the first socket it is given.
            drop(outlet.connect(socket));
        }
        Ok(Self { engine, local })
    }

    /// Where the sockets are bound, outer and inner.
    #[must_use]
    pub fn local(&self) -> [SocketAddr; 2] {
        self.local
    }

    /// The counts.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn stats(&self) -> ForwardStats {
        let relay = self.engine.handler();
        ForwardStats {
            engine: self.engine.stats(),
            forwarded: relay.forwarded.load(Ordering::Relaxed),
            not_sent: relay.not_sent.load(Ordering::Relaxed),
        }
    }

    /// Datagrams that the `index`th rule decided about; `None` behind the last.
    #[must_use]
    pub fn hits(&self, index: usize) -> Option<u64> {
        self.engine.handler().hits(index)
    }

    /// Ends forwarding and closes both sockets, in the order that teardown needs:
    ///
    /// 1. Both outlets give their sockets back. From then on no callback sends.
    /// 2. Both sockets stop: what is indicated now is counted as `closing`.
    /// 3. Each is closed, which waits for its callbacks, for the datagrams of it that the other side's sends still carry, and
    ///    for its own sends.
    ///
    /// # Errors
    /// [`Unfinished`] past the deadline, which bounds each wait: the forwarder itself while a callback is in an outlet, to be
    /// closed again; else what a socket waits for, which then closes on the registration's closing list.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn close(self, deadline: Duration, passive: &Passive<'_>) -> Result<ForwardStats, Unfinished<K>> {
        let mut taken = [None, None];
        let mut busy = None;
        for (place, outlet) in taken.iter_mut().zip(&self.engine.handler().outlets) {
            match outlet.take(deadline, passive) {
                Ok(socket) => *place = socket,
                Err(error) => busy = Some(error),
            }
        }
        for socket in taken.iter().flatten() {
            socket.stop();
        }
        let mut outstanding = None;
        for socket in taken.into_iter().flatten() {
            let error = socket.close(deadline, passive).err();
            outstanding = outstanding.or(error);
        }
        match (busy, outstanding) {
            (Some(busy), _) => Err(Unfinished::Outlet { busy, forwarder: self }),
            (None, Some(error)) => Err(Unfinished::Socket(error)),
            (None, None) => Ok(self.stats()),
        }
    }
}

/// What keeps a forwarder from being closed.
pub enum Unfinished<K: Kernel> {
    /// A callback sends. Nothing more is forwarded.
    Outlet {
        /// How many.
        busy: OutletBusy,
        /// To be closed again.
        forwarder: Forwarder<K>,
    },
    /// A socket has not closed yet. Closing the registration sees it through.
    Socket(CloseError),
}
