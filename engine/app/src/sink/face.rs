//! What the operator sees while a sink runs.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use super::status_line::StatusLine;
use super::view::View;
use crate::signals::Stop;
use crate::snapshot::{Pulse, Snapshot};

/// How long a signal may go unnoticed where keys are waited for.
const KEY_SLICE: Duration = Duration::from_millis(50);

/// How long an output's failure may go unnoticed.
const EVENT_SLICE: Duration = Duration::from_millis(250);

/// A live view on a terminal, plain lines off it.
pub(crate) enum Face {
    /// Drawn twice a second.
    View(Box<View>),
    /// One line a second on standard error.
    Lines,
}

impl Face {
    /// The view, if standard error is a terminal that this process may take over, and standard output does not carry
    /// data to the same place.
    /// A terminal that cannot be taken over has plain lines.
    pub(crate) fn choose(data_on_stdout: bool) -> Self {
        let terminal = io::stderr().is_terminal() && io::stdin().is_terminal() && obeys();
        let mixed = data_on_stdout && io::stdout().is_terminal();
        if terminal && !mixed {
            View::open().map_or(Self::Lines, |view| Self::View(Box::new(view)))
        } else {
            Self::Lines
        }
    }

    /// How often it is shown something.
    pub(crate) fn interval(&self) -> Duration {
        match self {
            Self::View(_) => Duration::from_millis(500),
            Self::Lines => Duration::from_secs(1),
        }
    }

    /// Shows one moment.
    ///
    /// # Errors
    /// The terminal's.
    pub(crate) fn show(&mut self, now: &Snapshot, pulse: &Pulse) -> io::Result<()> {
        match self {
            Self::View(view) => view.draw(now, pulse),
            Self::Lines => {
                eprintln!("{}", StatusLine { now, pulse });
                Ok(())
            }
        }
    }

    /// Says something that happened, as one line.
    pub(crate) fn notice(&mut self, line: String) {
        match self {
            Self::View(view) => view.notice(line),
            Self::Lines => eprintln!("skua: {line}"),
        }
    }

    /// Waits until `until`, a key, or a wish to end, but not longer than a slice. Says whether the end was asked for.
    ///
    /// # Errors
    /// The terminal's.
    pub(crate) fn wait(&mut self, until: Instant, stop: &Stop) -> io::Result<bool> {
        let span = until.saturating_duration_since(Instant::now());
        match self {
            Self::View(view) => Ok(view.wait_for_end(span.min(KEY_SLICE))? || stop.is_asked()),
            Self::Lines => Ok(stop.wait(span.min(EVENT_SLICE))),
        }
    }
}

/// Whether the terminal takes orders from this process: one in the background would be stopped for trying.
#[cfg(target_os = "linux")]
fn obeys() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Whether the console obeys escape codes. Wine's shows them (8.0); its loader sets this variable.
#[cfg(windows)]
fn obeys() -> bool {
    std::env::var_os("WINEHOMEDIR").is_none()
}

#[cfg(not(any(target_os = "linux", windows)))]
fn obeys() -> bool {
    true
}
