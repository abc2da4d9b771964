//! The driver, as this program uses it.
//!
//! ```text
//!  sink --driver, capture -> intake --> taps: mapped rings, or packed: copied records
//!  stats, top, change, stop -> client --> link --> device: \\.\Skua
//!  driver install, start, .. -> installation --> service, firewall
//! ```
//!
//! Everything but what is in the module of the system is the same on every system, and tested with the driver's own logic behind the
//! [`link`]. Where there is no driver, every command says so.

pub(crate) mod client;
mod counts;
pub(crate) mod error;
mod installation;
mod intake;
mod link;
pub(crate) mod packed;
mod request;
pub(crate) mod stats;
pub(crate) mod top;

#[cfg(not(windows))]
mod elsewhere;
#[cfg(any(windows, test))]
mod rules;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use elsewhere as system;
#[cfg(windows)]
use windows as system;

use crate::cli::{CaptureArgs, ChangeArgs, DriverCommand, SinkArgs, StopArgs};
use crate::say;
use crate::sink::error::StartError;
use crate::sink::intake::Intake;
use client::Client;
use error::DriverError;
use installation::Installation;
use intake::DriverIntake;

/// A sink in the driver, started for a session of this program.
///
/// # Errors
/// [`StartError`].
pub(crate) fn sink(args: &SinkArgs) -> Result<Box<dyn Intake>, StartError> {
    Ok(Box::new(DriverIntake::start(Client::open()?, args)?))
}

/// A sink that runs in the driver and goes on after a session of this program.
///
/// # Errors
/// [`StartError`].
pub(crate) fn capture(args: &CaptureArgs) -> Result<Box<dyn Intake>, StartError> {
    Ok(Box::new(DriverIntake::attach(Client::open()?, args)?))
}

/// Starts a sink that nobody reads yet. Returns its number.
///
/// # Errors
/// [`StartError`].
pub(crate) fn detached(args: &SinkArgs) -> Result<u64, StartError> {
    intake::start(&Client::open()?, args)
}

/// Changes filters and limits of a sink.
///
/// # Errors
/// [`DriverError`].
pub(crate) fn change(args: &ChangeArgs) -> Result<(), DriverError> {
    let line = change_over(&Client::open()?, args)?;
    say(&line);
    Ok(())
}

/// Changes a sink, and says what is in force then.
fn change_over(client: &Client, args: &ChangeArgs) -> Result<String, DriverError> {
    let sink = client.find(args.sink.as_ref())?;
    let now = client.report(sink)?.sink.limits;
    client.change(&request::change(sink, args, now)?)?;
    let report = client.report(sink)?;
    let filter = report.filter_in_words();
    let kept = if filter.is_empty() { "everything" } else { &filter };
    Ok(format!("sink {}: keeps {kept}", report.title()))
}

/// Stops a sink.
///
/// # Errors
/// [`DriverError`].
pub(crate) fn stop(args: &StopArgs) -> Result<(), DriverError> {
    let client = Client::open()?;
    let sink = client.find(Some(&args.sink))?;
    client.stop(sink)
}

/// Manages the service.
///
/// # Errors
/// [`StartError`] for settings that cannot be, else [`DriverError`].
pub(crate) fn manage(command: &DriverCommand) -> Result<(), StartError> {
    Ok(match command {
        DriverCommand::Install(args) => system::install(&Installation::of(args)?),
        DriverCommand::Start => system::start(),
        DriverCommand::Stop => system::stop(),
        DriverCommand::Status => system::status(),
        DriverCommand::Uninstall => system::uninstall(),
    }?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
