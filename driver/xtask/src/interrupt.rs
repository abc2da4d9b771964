//! Ctrl-C and SIGTERM, noticed wherever this program waits.
//!
//! The children live in process groups of their own, so a terminal's Ctrl-C reaches only this program. It ends by
//! returning an error from its present wait, and the owners of children, files and namespaces remove them on the way out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Turns the signals that end a program into a flag. Called once, before the first child is started.
pub(crate) fn install() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED)).context("cannot catch signals")?;
    }
    Ok(())
}

/// Fails once such a signal came.
pub(crate) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
