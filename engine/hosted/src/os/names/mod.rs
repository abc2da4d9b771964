//! Names and addresses, as the host's resolver has them. Calls may take long: they are made by threads of their own.

use std::net::SocketAddr;

#[cfg(unix)]
#[path = "unix.rs"]
mod host;
#[cfg(windows)]
#[path = "windows.rs"]
mod host;

use super::Family;

pub(crate) use host::{addresses, names};

/// What is asked of a name. Flags are those of Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) node: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) flags: i32,
    /// `None` for either.
    pub(crate) family: Option<Family>,
    /// 0 for any.
    pub(crate) socket_type: i32,
    /// 0 for any.
    pub(crate) protocol: i32,
}

/// One address of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) address: SocketAddr,
    /// As asked for, or as the service tells.
    pub(crate) socket_type: i32,
    pub(crate) protocol: i32,
    /// Of the first, if it was asked for.
    pub(crate) canonical_name: Option<String>,
}

/// What is asked of an address. Flags are those of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameQuestion {
    pub(crate) address: SocketAddr,
    pub(crate) flags: u32,
    pub(crate) wants_node: bool,
    pub(crate) wants_service: bool,
}

/// Those that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) node: Option<String>,
    pub(crate) service: Option<String>,
}
