//! The command line of `skua driver`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};
use skua_engine::admission::Prefix;

use super::{Group, Rate, Sample, Size, place};

/// What `skua driver` does.
#[derive(Args, Debug)]
pub(crate) struct DriverArgs {
    #[command(subcommand)]
    pub(crate) command: DriverCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum DriverCommand {
    /// Copy the driver to the system's drivers and register it as a service.
    Install(Box<InstallArgs>),
    /// Start it.
    Start,
    /// End every wait, refuse new programs, and unload it.
    Stop,
    /// Say how it is, and whether the firewall lets datagrams in.
    Status,
    /// Stop it and remove everything that install has added.
    Uninstall,
}

/// What `skua driver install` does.
#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    /// The driver's image; without it, skua.sys beside this program.
    #[arg(long, value_name = "PATH")]
    pub(crate) sys: Option<PathBuf>,

    /// Start it with the system.
    #[arg(long)]
    pub(crate) auto: bool,

    /// Address that a sink which starts with the driver receives on; repeatable.
    #[arg(long, value_name = "ADDR", value_parser = place::address, action = ArgAction::Append)]
    pub(crate) listen: Vec<SocketAddr>,

    /// Multicast group for it to join, on an interface given by name or index; repeatable.
    #[arg(long, value_name = "MULTICAST[@IFACE]", requires = "listen", action = ArgAction::Append)]
    pub(crate) group: Vec<Group>,

    /// Keep only datagrams from this prefix; repeatable.
    #[arg(long, value_name = "CIDR", requires = "listen", value_parser = place::prefix, action = ArgAction::Append)]
    pub(crate) allow: Vec<Prefix>,

    /// Keep at most this many datagrams a second from each source address (and processor).
    #[arg(long, value_name = "N", requires = "listen")]
    pub(crate) source_rate: Option<Rate>,

    /// Keep one datagram in N.
    #[arg(long, value_name = "1/N", requires = "listen")]
    pub(crate) sample: Option<Sample>,

    /// Bytes kept of each datagram.
    #[arg(long, value_name = "N", requires = "listen", default_value_t = 65_535, value_parser = clap::value_parser!(u16))]
    pub(crate) snaplen: u16,

    /// Ring per processor, rounded up to a power of two.
    #[arg(long, value_name = "SIZE", requires = "listen", default_value = "16M")]
    pub(crate) ring: Size,

    /// Receive buffer asked of the system for each socket.
    #[arg(long, value_name = "SIZE", requires = "listen", default_value = "16M")]
    pub(crate) receive_buffer: Size,
}
