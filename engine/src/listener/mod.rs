//! What should be listened on, whatever becomes of the socket.
//!
//! 1. [`Listener::new`] takes note of what the socket should be and which groups it should be in.
//! 2. [`Listener::poll`] opens it, notices that it died, opens it again, joins what is not joined; it is called by one
//!    thread that may wait, again and again, at the times that it asks for.
//! 3. [`Listener::stats`] tells what it is and how long it was not what it should be.
//! 4. [`Listener::close`] ends it.

mod backoff;
mod stats;

pub use stats::{ListenerFailure, ListenerState, ListenerStats};

use core::net::SocketAddr;
use core::time::Duration;

use arrayvec::ArrayVec;

use crate::engine::Engine;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::registration::Provider;
use crate::socket::{CloseError, DatagramSocket, Membership, SocketOptions};
use backoff::{Backoff, LONGEST, ticks};

/// How often an open socket is looked at: nobody else says that it died.
const LOOK: Duration = Duration::from_secs(1);

/// The groups of one listener.
pub type Memberships = ArrayVec<Membership, 64>;

/// A socket that is opened again when it dies, and again and again while it cannot be opened.
///
/// Attempts that fail are 250 ms apart at first, then twice as long each time, at most 30 s. A socket that dies is
/// replaced at once; if it did so within 30 s of its opening, that counts as one more failure in a row. A group that
/// cannot be joined is tried again in the same way, while the socket hears the others.
///
/// Its clock is the performance counter of the engine's kernel. Dropping it never waits, as with a [`DatagramSocket`].
pub struct Listener<K: Kernel, H: Handler<K>> {
    options: SocketOptions<'static>,
    memberships: Memberships,
    phase: Phase<K, H>,
    backoff: Backoff,
    opened: u64,
    /// Ticks without a socket, up to the latest opening.
    closed: u64,
    /// Since when there is none; `None` while there is one, before the first poll, and once it is closed.
    closed_since: Option<u64>,
    /// When it was polled last.
    polled: u64,
    failure: Option<ListenerFailure>,
}

enum Phase<K: Kernel, H: Handler<K>> {
    Open {
        socket: DatagramSocket<K, H>,
        since: u64,
        /// Bit n: the nth membership is not joined yet.
        unjoined: u64,
    },
    Waiting,
    Closed,
}

impl<K: Kernel, H: Handler<K>> Listener<K, H> {
    /// A listener that is opened by its first poll. Where `options` let the stack choose the port, it is chosen once:
    /// later sockets ask for the one that the first had.
    ///
    /// What `options` say of its [`Owner`](crate::Owner) must hold until it is closed.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn new(options: SocketOptions<'static>, memberships: Memberships) -> Self {
        Self {
            options,
            memberships,
            phase: Phase::Waiting,
            backoff: Backoff::NONE,
            opened: 0,
            closed: 0,
            closed_since: None,
            polled: 0,
            failure: None,
        }
    }

    /// Does what is due `now`, in ticks of the performance counter: replaces a socket that died, opens one, joins groups.
    /// Returns when to poll again; `None` once it is closed. Earlier is harmless.
    ///
    /// A socket that died is left to the closing list of the provider's registration, which each poll lets finish what
    /// it can. While something still keeps it open, retained datagrams for one, its port is taken.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. It waits for the requests of one open, not for a close.
    pub fn poll(
        &mut self,
        engine: &Engine<K, H>,
        provider: &Provider<K>,
        now: u64,
        passive: &Passive<'_>,
    ) -> Option<u64> {
        let frequency = provider.kernel().performance_frequency();
        self.polled = self.polled.max(now);
        self.bury(now, frequency);
        provider.reap(passive);
        if matches!(self.phase, Phase::Waiting) {
            self.closed_since.get_or_insert(now);
            if self.backoff.due() <= now {
                self.open(engine, provider, now, passive);
            }
        }
        if self.backoff.due() <= now {
            self.join(now, frequency, passive);
        }
        match &self.phase {
            Phase::Closed => None,
            Phase::Waiting => Some(self.backoff.due()),
            Phase::Open { unjoined, .. } => {
                let look = now.saturating_add(ticks(LOOK, frequency));
                Some(if *unjoined == 0 { look } else { look.min(self.backoff.due()) })
            }
        }
    }

    /// What it is, and what it went through up to `now`, in ticks of the performance counter.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn stats(&self, now: u64) -> ListenerStats {
        let state = match &self.phase {
            Phase::Open { unjoined, .. } => ListenerState::Open { unjoined: unjoined.count_ones() },
            Phase::Waiting => ListenerState::Waiting { until: self.backoff.due() },
            Phase::Closed => ListenerState::Closed,
        };
        let attempts =
            if state == (ListenerState::Open { unjoined: 0 }) { 0 } else { self.backoff.failures() };
        let running = self.closed_since.map_or(0, |since| now.saturating_sub(since));
        ListenerStats {
            state,
            attempts,
            failure: self.failure,
            reopened: self.opened.saturating_sub(1),
            closed_ticks: self.closed.saturating_add(running),
            closed_since: self.closed_since,
        }
    }

    /// The socket, while there is one.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn socket(&self) -> Option<&DatagramSocket<K, H>> {
        match &self.phase {
            Phase::Open { socket, .. } => Some(socket),
            Phase::Waiting | Phase::Closed => None,
        }
    }

    /// Where it is bound, was last, or is to be: the port is the real one from the first opening on.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.options.local
    }

    /// Closes the socket, if there is one, and opens no more. A socket that died before is not waited for: see
    /// [`Registration::close`](crate::Registration::close).
    ///
    /// # Errors
    /// [`CloseError`] past the deadline, as [`DatagramSocket::close`]; the listener is closed all the same.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. Never from a handler: it would wait for itself.
    pub fn close(&mut self, deadline: Duration, passive: &Passive<'_>) -> Result<(), CloseError> {
        self.end_gap(self.polled);
        match core::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Open { socket, .. } => socket.close(deadline, passive),
            Phase::Waiting | Phase::Closed => Ok(()),
        }
    }

    /// Counts the time without a socket, if there was none, as over.
    fn end_gap(&mut self, now: u64) {
        let since = self.closed_since.take().unwrap_or(now);
        self.closed = self.closed.saturating_add(now.saturating_sub(since));
    }

    /// Gives a dead socket to the closing list.
    fn bury(&mut self, now: u64, frequency: u64) {
        let Phase::Open { socket, since, .. } = &self.phase else { return };
        let Some(died) = socket.died() else { return };
        let died = died.min(now);
        let lasted = died.saturating_sub(*since) >= ticks(LONGEST, frequency);
        self.phase = Phase::Waiting;
        self.closed_since = Some(died);
        self.failure = Some(ListenerFailure::Died);
        if lasted {
            self.backoff = Backoff::NONE;
        } else {
            self.backoff.fail(died, frequency);
        }
    }

    fn open(&mut self, engine: &Engine<K, H>, provider: &Provider<K>, now: u64, passive: &Passive<'_>) {
        match engine.open_socket(provider, &self.options, passive) {
            Ok(socket) => {
                self.options.local.set_port(socket.local_address().port());
                let unjoined = all(self.memberships.len());
                self.phase = Phase::Open { socket, since: now, unjoined };
                self.opened = self.opened.saturating_add(1);
                self.end_gap(now);
            }
            Err(error) => {
                self.failure = Some(ListenerFailure::Open(error));
                self.backoff.fail(now, provider.kernel().performance_frequency());
            }
        }
    }

    /// Joins what is not joined.
    fn join(&mut self, now: u64, frequency: u64, passive: &Passive<'_>) {
        let Phase::Open { socket, unjoined, .. } = &mut self.phase else { return };
        let mut failed = None;
        for (index, membership) in self.memberships.iter().enumerate() {
            let bit = 1 << index;
            if *unjoined & bit == 0 {
                continue;
            }
            match socket.join(membership, passive) {
                Ok(()) => *unjoined &= !bit,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            self.failure = Some(ListenerFailure::Join(error));
            self.backoff.fail(now, frequency);
        }
    }
}

/// As many ones, up to 64.
fn all(count: usize) -> u64 {
    u32::try_from(count).ok().and_then(|count| 1_u64.checked_shl(count)).map_or(u64::MAX, |next| next - 1)
}
