//! Why a sink did not start, did not end as it should, or ended with something missing.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use skua_engine::{CaptureError, MembershipError, OpenError, OpenSocketError, RegisterError, SinkError};

use super::settings::RingTooSmall;
use crate::cli::{Group, Interface};
use crate::driver::error::DriverError;
use crate::shared::AttachError;

/// Why a sink did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    /// The ring is too small for the records.
    #[error(transparent)]
    Ring(#[from] RingTooSmall),
    /// The WSK client could not be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// There is no WSK provider.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The engine's settings or memory.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The sink's settings or memory.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Packet sockets cannot be opened.
    #[cfg(target_os = "linux")]
    #[error("--packet-ring: no packet socket: {0}; run as root, or `setcap cap_net_raw+ep` on the program")]
    PacketRing(io::Error),
    /// A socket could not be opened.
    #[error(transparent)]
    Listen(#[from] OpenSocketError),
    /// A group could not be joined.
    #[error(transparent)]
    Join(#[from] MembershipError),
    /// A group's interface does not exist.
    #[error("--group {group}: no such interface: {source}; `{}` lists those there are", Interface::LISTED_BY)]
    Interface { group: Group, source: io::Error },
    /// No socket hears the group's family.
    #[error(
        "--group {0}: no --listen address is of its family; add --listen 0.0.0.0:PORT or --listen [::]:PORT"
    )]
    NoSocketFor(Group),
    /// A ring could not be mapped for reading.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The kernel has no processor, and so the sink no ring.
    #[error("the sink has no ring to read; this is a bug in skua")]
    NoRing,
    /// An output could not be created.
    #[error("{path}: {source}; choose a file that can be written", path = .path.display())]
    Output { path: PathBuf, source: io::Error },
    /// Two outputs would overwrite each other.
    #[error("{path}: --write and --json name the same file; give them one each", path = .0.display())]
    SameFile(PathBuf),
    /// The metrics address could not be had.
    #[error("--metrics {address}: {source}; choose a free TCP port of this machine")]
    Metrics { address: SocketAddr, source: io::Error },
    /// A thread could not be started.
    #[error("no thread for the {0}: {1}; raise the limit on threads or end other programs")]
    Thread(&'static str, io::Error),
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// The calling thread holds a raised level.
    #[error("the program is at DISPATCH_LEVEL where it must be at PASSIVE_LEVEL; this is a bug in skua")]
    Level,
    /// The driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// What did not end as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CloseError {
    /// The system still held datagrams.
    #[error("what the system held for the sockets was not read within 5 s; it is counted as lost below")]
    Drain,
    /// A socket has not closed.
    #[error(transparent)]
    Socket(#[from] skua_engine::CloseError),
    /// The registration has not ended.
    #[error("{0}")]
    Deregister(String),
    /// The calling thread holds a raised level.
    #[error("the program is at DISPATCH_LEVEL where it must be at PASSIVE_LEVEL; this is a bug in skua")]
    Level,
    /// The driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// Why a sink ended with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The terminal failed.
    #[error("the terminal could not be drawn on: {0}; redirect standard error to have plain lines instead")]
    Terminal(io::Error),
    /// It ran, and what is missing was said when it happened.
    #[error("ended with {0} error(s), each told above")]
    Incomplete(usize),
}
