//! The wish to end, from a signal, a key or a thread.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(unix)]
#[path = "signals/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "signals/console.rs"]
mod system;

/// A second signal ends the process with this status: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// A wish to end that anybody can utter and anybody can wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asked for by whoever asks the system to end this program: SIGINT and SIGTERM, or the console's Ctrl-C, Ctrl-Break
    /// and close button. A second signal ends the process at once, with status 130.
    ///
    /// # Errors
    /// The system's, when a signal cannot be caught.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        system::ask_on_signals(stop.clone())?;
        Ok(stop)
    }

    /// Asks for the end.
    pub(crate) fn ask(&self) {
        *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }

    /// Whether the end was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the end is asked for, or `span` is over. Returns whether it was asked for.
    pub(crate) fn wait(&self, span: Duration) -> bool {
        let until = Instant::now() + span;
        let mut asked = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            asked = self.0.changed.wait_timeout(asked, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        *asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_end_is_asked_for() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::ZERO));
        let other = stop.clone();
        let waiting = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        stop.ask();
        assert!(waiting.join().unwrap());
        assert!(stop.is_asked());
    }
}
