//! `skua sink`: datagrams in, loss accounted to the last one, records out.
//!
//! ```text
//!  network -> provider -> engine -> rings ---> reader ---> outputs: pcapng, NDJSON, verify, discard
//!            `------- intake ------'  |          |
//!                                     `-- counts-+-> snapshots ---> view or status lines, metrics, summary
//! ```
//!
//! 1. An [`intake`] is opened: [`in_process`], from the engine's [`settings`], or that of a sink in the driver.
//! 2. [`destinations`] opens the outputs, and the [`reader`]'s thread begins to hand records to them.
//! 3. [`session`] takes a snapshot at each interval for the [`face`] and the [`metrics`].
//! 4. At the end the intake settles, the reader empties the rings and finishes the outputs, and the
//!    [`summary`] is printed.

pub(crate) mod alarm;
mod destinations;
mod discard;
pub(crate) mod error;
pub(crate) mod face;
pub(crate) mod in_process;
pub(crate) mod intake;
mod metrics;
mod ndjson;
mod output;
mod packet;
mod pcapng;
pub(crate) mod reader;
pub(crate) mod session;
pub(crate) mod settings;
#[cfg(test)]
pub(crate) mod specimen;
mod status_line;
pub(crate) mod summary;
pub(crate) mod supply;
pub(crate) mod taps;
mod unit_file;
pub(crate) mod verify;
mod view;

use crate::cli::{CaptureArgs, SinkArgs};
use crate::signals::Stop;
use crate::{driver, say};
use error::{RunError, StartError};
use in_process::InProcess;
use intake::Intake;

/// Runs a sink until its time is over or somebody asks for its end.
///
/// # Errors
/// [`RunError`] when it did not start, or when an output or a ring failed on the way.
pub(crate) fn run(args: &SinkArgs) -> Result<(), RunError> {
    if args.driver && args.detach {
        let sink = driver::detached(args)?;
        say(&sink.to_string());
        return Ok(());
    }
    let stop = Stop::on_signals().map_err(StartError::Signals)?;
    let intake: Box<dyn Intake> =
        if args.driver { driver::sink(args)? } else { Box::new(InProcess::open(args)?) };
    session::run(&args.output, intake, stop)
}

/// Reads a sink that runs in the driver until its time is over or somebody asks for its end; the sink goes on.
///
/// # Errors
/// [`RunError`], as for [`run`].
pub(crate) fn capture(args: &CaptureArgs) -> Result<(), RunError> {
    let stop = Stop::on_signals().map_err(StartError::Signals)?;
    session::run(&args.output, driver::capture(args)?, stop)
}
