//! Why a command that needs the driver failed.

use std::io;
use std::path::PathBuf;

use super::link::Refusal;
use crate::cli::SinkName;

/// Why the driver was not reached, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(not(windows), expect(dead_code, reason = "only the device says some of it"))]
pub(crate) enum DriverError {
    /// This is not Windows.
    #[cfg(not(windows))]
    #[error(
        "the driver runs inside Windows, and this is {}; `skua sink` without --driver receives here",
        std::env::consts::OS
    )]
    Elsewhere,
    /// There is no device.
    #[error(
        "the driver does not run; `skua driver start` starts it, `skua driver install` installs it first"
    )]
    NotRunning,
    /// The device does not let this user in.
    #[error("the driver is for administrators; start this from a console that runs as one")]
    NotAdministrator,
    /// It is being stopped.
    #[error("the driver is being stopped; wait for that and start it with `skua driver start`")]
    Stopping,
    /// The device could not be opened for another reason.
    #[error("{path}: {source}", path = skua_protocol::WIN32_NAME)]
    Open { source: io::Error },
    /// It speaks another version.
    #[error("the driver's protocol is {driver} and this program's {program}; install both of one version")]
    Version { driver: u16, program: u16 },
    /// A request was refused.
    #[error("the driver does not {what}: {refusal}")]
    Refused { what: &'static str, refusal: Refusal },
    /// It has no checks.
    #[error(
        "the driver is built without its checks, as released ones are; install one built with the feature `self-test`"
    )]
    NoChecks,
    /// An answer that is none.
    #[error(
        "the driver's answer to a request to {what} is not understood; install driver and program of one version"
    )]
    Answer { what: &'static str },
    /// There is no such sink.
    #[error("--sink {0}: there is no such sink; `skua stats` lists those there are")]
    NoSuchSink(SinkName),
    /// There is no sink.
    #[error("no sink runs in the driver; `skua sink --driver --listen ADDR` starts one")]
    NoSink,
    /// There are several, and none was named.
    #[error("{0} sinks run in the driver; say which with --sink, `skua stats` lists them")]
    Several(usize),
    /// Two have the same name.
    #[error("--sink {0}: {1} sinks have this name; give the number, `skua stats` lists them")]
    Ambiguous(SinkName, usize),
    /// More of something than a request can hold.
    #[error("{count} {what} are more than the driver takes, {most}")]
    TooMany { what: &'static str, count: usize, most: usize },
    /// As many sinks as there may be.
    #[error("{0} sinks run already, and no more can; stop one with `skua stop --sink ID`")]
    TooManySinks(u64),
    /// It is not installed.
    #[error("the driver is not installed; `skua driver install` installs it")]
    NotInstalled,
    /// It is installed already.
    #[error("the driver is installed already; `skua driver uninstall` removes it first")]
    Installed,
    /// The service control manager refused.
    #[error("the service Skua cannot {what}: {source}{}", advice(.source))]
    Service { what: &'static str, source: io::Error },
    /// The service did not get where it was told to go.
    #[error(
        "the service Skua is still {state}, not {wanted}; end the programs that use the driver and try again"
    )]
    Slow { state: &'static str, wanted: &'static str },
    /// The image could not be copied to the system's drivers.
    #[error("{from}: not copied to the system's drivers: {source}; give the image with --sys", from = .from.display())]
    Image { from: PathBuf, source: io::Error },
    /// The image could not be removed.
    #[error("{path}: not removed: {source}; remove it when the driver is unloaded", path = .path.display())]
    ImageStays { path: PathBuf, source: io::Error },
    /// The settings could not be written.
    #[error("HKEY_LOCAL_MACHINE\\{path}: {source}; start this from a console that runs as administrator")]
    Settings { path: &'static str, source: io::Error },
    /// The start failed at a step of its own.
    #[error("the driver did not start the sink: {0}")]
    Start(String),
}

/// What to do about a refusal of the service control manager.
fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        // ERROR_INVALID_IMAGE_HASH: what Windows says of a driver without a signature it trusts.
        Some(577) => "; the image needs a signature, or test signing must be on: see driver/WINDOWS.md",
        // ERROR_SERVICE_CANNOT_ACCEPT_CTRL
        Some(1061) => "; end the programs that use the driver and try again",
        _ => "",
    }
}
