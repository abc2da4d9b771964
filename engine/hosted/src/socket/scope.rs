//! What a socket is, as far as options ask.

use skua_engine::abi::sockaddr::IPPROTO_IPV6;

use crate::os::Family;

/// The family of a socket, and what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) family: Family,
    /// [`Scope::DATAGRAM`] and its like; a basic socket has those of every category over its transport.
    doing: u8,
    pub(crate) is_basic: bool,
}

impl Scope {
    /// Datagrams over UDP.
    pub(crate) const DATAGRAM: u8 = 1;
    /// Datagrams of a protocol of the client's own.
    pub(crate) const RAW: u8 = 1 << 1;
    /// Connections that others make.
    pub(crate) const LISTEN: u8 = 1 << 2;
    /// A connection.
    pub(crate) const CONNECTION: u8 = 1 << 3;
    /// Either over TCP.
    pub(crate) const TCP: u8 = Self::LISTEN | Self::CONNECTION;
    /// Datagrams of any protocol.
    pub(crate) const PACKETS: u8 = Self::DATAGRAM | Self::RAW;
    /// Every socket.
    pub(crate) const ANY: u8 = Self::PACKETS | Self::TCP;

    /// A socket of a category with a table of its own.
    pub(crate) const fn of(family: Family, doing: u8) -> Self {
        Self { family, doing, is_basic: false }
    }

    /// A basic socket over the transport of those `doing`.
    pub(crate) const fn basic(family: Family, doing: u8) -> Self {
        Self { family, doing, is_basic: true }
    }

    /// Whether it is one of those `doing`.
    pub(crate) const fn is(&self, doing: u8) -> bool {
        self.doing & doing != 0
    }

    /// Whether it has options of this level. A socket of IPv6 may serve IPv4 as well, so it has those of both.
    pub(crate) fn has_level(&self, level: u32) -> bool {
        level != IPPROTO_IPV6 || self.family == Family::V6
    }
}
