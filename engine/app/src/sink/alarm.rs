//! Ends the reader's sleep.

use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// Wakes one thread, from any other.
///
/// A wake is kept until the thread's next sleep, so none is lost between its last look at the rings and its sleep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarm(Arc<OnceLock<Thread>>);

impl Alarm {
    /// The calling thread is the one to wake. Called once, by the reader, before it sleeps first.
    pub(crate) fn adopt(&self) {
        // A second reader would be a mistake of this crate; the first one keeps its alarm.
        let _ = self.0.set(thread::current());
    }

    /// Sleeps until woken, at most `span`; may also return earlier.
    pub(crate) fn sleep(&self, span: Duration) {
        thread::park_timeout(span);
    }

    /// Wakes the thread. Does nothing before there is one: it has not slept yet either.
    ///
    /// Takes no lock and no memory: one atomic exchange, and a system call if the thread sleeps.
    pub(crate) fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl skua_engine::Wake for Alarm {
    fn wake(&self, _shard: u32) {
        self.ring();
    }
}
