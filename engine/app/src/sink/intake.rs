//! Where a session's records and counts come from: the engine in this process, or the driver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::error::{CloseError, StartError};
use super::supply::Supply;
use crate::snapshot::Snapshot;

/// A sink at work, wherever it runs.
///
/// 1. What is published from its opening on is read from its [`Supply`], by a reader that sleeps by its [`Sleep`].
/// 2. [`Intake::settle`]: nothing is published any more, and the counts are final. The reader reads the rest.
/// 3. [`Intake::end`]: the rings go.
pub(crate) trait Intake: Send {
    /// The addresses listened on, with their real ports.
    fn addresses(&self) -> &[SocketAddr];

    /// Sizes, and what is kept.
    fn shape(&self) -> &Shape;

    /// What the reader reads. Asked for once.
    ///
    /// # Errors
    /// [`StartError`].
    fn supply(&mut self) -> Result<Supply, StartError>;

    /// What the reader sleeps by.
    fn sleep(&self) -> Arc<dyn Sleep>;

    /// The counts, to be read from any thread and for as long as wanted.
    fn counts(&self) -> Arc<dyn Counts>;

    /// Whether it goes on when this session ends: then the reader leaves what comes in after that to the next one.
    fn goes_on(&self) -> bool {
        false
    }

    /// Whether its rings outlive this program, and somebody else may read what it has not.
    fn outlasts(&self) -> bool {
        false
    }

    /// Stops taking datagrams in, unless it goes on.
    ///
    /// # Errors
    /// What did not end within its deadline.
    fn settle(&mut self) -> Result<(), CloseError>;

    /// Gives up what is left, when the reader has read it.
    ///
    /// # Errors
    /// What could not be given up.
    fn end(self: Box<Self>) -> Result<(), CloseError>;
}

/// What does not change while a sink runs, as far as a reader needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// Bytes of each ring.
    pub(crate) ring_bytes: u64,
    /// Unread bytes at which a resting reader is woken.
    pub(crate) watermark: u64,
    /// Payload bytes kept of a datagram.
    pub(crate) snap_length: u16,
    /// What is kept, in words; empty when that is everything.
    pub(crate) filter: String,
}

/// The counts of a sink.
pub(crate) trait Counts: Send + Sync {
    /// Takes them. What the reader counts is the reader's to add.
    fn snapshot(&self) -> Snapshot;

    /// Datagrams lost so far, here and below.
    fn losses(&self) -> u64;
}

/// How the reader's thread sleeps.
pub(crate) trait Sleep: Send + Sync {
    /// The calling thread is the one to wake. Called once, before it sleeps first.
    fn adopt(&self);

    /// Sleeps until woken, at most `span`; may also return earlier. A wake is kept until the next sleep.
    ///
    /// # Errors
    /// [`Ended`]: nobody will wake the thread any more, because the sink is no more.
    fn sleep(&self, span: Duration) -> Result<(), Ended>;

    /// Wakes the thread, from any other.
    fn wake(&self);
}

/// A sink ended under its reader.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sink ended: {0}")]
pub(crate) struct Ended(pub(crate) String);
