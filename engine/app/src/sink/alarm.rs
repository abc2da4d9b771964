//! Ends the reader's sleep.

use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use super::intake::{Ended, Sleep};

/// Wakes one thread of this process, from any other.
///
/// A wake is kept until the thread's next sleep, so none is lost between its last look at the rings and its sleep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarm(Arc<OnceLock<Thread>>);

impl Sleep for Alarm {
    fn adopt(&self) {
        // A second reader would be a mistake of this crate; the first one keeps its alarm.
        let _ = self.0.set(thread::current());
    }

    fn sleep(&self, span: Duration) -> Result<(), Ended> {
        thread::park_timeout(span);
        Ok(())
    }

    /// Does nothing before there is a thread: it has not slept yet either.
    ///
    /// Takes no lock and no memory: one atomic exchange, and a system call if the thread sleeps.
    fn wake(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl skua_engine::Wake for Alarm {
    fn wake(&self, _shard: u32) {
        Sleep::wake(self);
    }
}
