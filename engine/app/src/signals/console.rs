//! What a console tells its programs: Ctrl-C, Ctrl-Break, and that it is being closed.

// UNSAFETY: one system call that takes a function's address.
#![expect(unsafe_code, reason = "the handler is registered by address")]

use std::io;
use std::sync::OnceLock;
use std::thread;

use windows_sys::Win32::Foundation::{FALSE, TRUE};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use super::{INTERRUPTED, Stop};

/// What the handler asks; written once, before the handler is registered.
static STOP: OnceLock<Stop> = OnceLock::new();

/// Has `stop` asked for by the console, and the process ended by a second Ctrl-C or Ctrl-Break.
///
/// # Errors
/// The system's.
pub(super) fn ask_on_signals(stop: Stop) -> io::Result<()> {
    // The first one stays: there is one a process.
    let _ = STOP.set(stop);
    // SAFETY: the handler is a function of this program and touches nothing but `STOP`.
    let registered = unsafe { SetConsoleCtrlHandler(Some(handle), TRUE) };
    if registered == FALSE { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Runs on a thread of its own, which the system makes for each event.
extern "system" fn handle(event: u32) -> BOOL {
    let Some(stop) = STOP.get() else { return FALSE };
    match event {
        CTRL_C_EVENT | CTRL_BREAK_EVENT => {
            if stop.is_asked() {
                std::process::exit(INTERRUPTED);
            }
            stop.ask();
            TRUE
        }
        // The system ends the process when this returns, or after some seconds: until then there is time for the totals.
        CTRL_CLOSE_EVENT | CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT => {
            stop.ask();
            loop {
                thread::park();
            }
        }
        _ => FALSE,
    }
}
