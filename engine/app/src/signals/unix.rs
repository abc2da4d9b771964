//! Signals.

use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::{INTERRUPTED, Stop};

/// Has `stop` asked for by SIGINT and SIGTERM, and the process ended by a second one.
///
/// # Errors
/// The system's.
pub(super) fn ask_on_signals(stop: Stop) -> io::Result<()> {
    // A file that reaches the limit on its size is then an error of the write, as a full disk is.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if stop.is_asked() {
                signal_hook::low_level::exit(INTERRUPTED);
            }
            stop.ask();
        }
    })?;
    Ok(())
}
