//! What sockets can be created with: the list that clients query, and its changes.

use std::sync::atomic::{AtomicU32, Ordering};

use arrayvec::ArrayVec;
use skua_engine::abi::nt::GUID;
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED};
use skua_engine::abi::wsk::WSK_TRANSPORT;

use crate::HostKernel;
use crate::kernel::registration::VERSION;
use crate::os::{Family, Stack};

/// Every combination that there can be. Raw sockets are listed with protocol 0, as Winsock lists them, and take any
/// protocol.
static ALL: [WSK_TRANSPORT; COUNT] = [
    transport(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    transport(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    transport(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    transport(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    transport(AF_INET, SOCK_RAW, IPPROTO_IP),
    transport(AF_INET6, SOCK_RAW, IPPROTO_IP),
];

const COUNT: usize = 6;

/// The identity of this provider's transports; made up, as Windows' are.
const PROVIDER_ID: GUID =
    GUID { Data1: 0x5ca0_0001, Data2: 0x0001, Data3: 0x4001, Data4: [0x80, 0, 0, 0, 0, 0, 0, 1] };

const fn transport(family: u16, socket_type: u16, protocol: u32) -> WSK_TRANSPORT {
    WSK_TRANSPORT {
        Version: VERSION,
        SocketType: socket_type,
        Protocol: protocol,
        AddressFamily: family,
        _padding: 0,
        ProviderId: PROVIDER_ID,
    }
}

/// The transports of one kernel.
#[derive(Debug, Default)]
pub(crate) struct Transports {
    /// Those that are away, by their place in [`ALL`].
    away: AtomicU32,
}

/// What a socket goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Udp,
    Tcp,
    /// An IP protocol, by its number.
    Raw(u8),
}

impl Transports {
    /// What WSK_TRANSPORT_LIST_QUERY answers.
    pub(crate) fn list(&self, stack: &dyn Stack) -> ArrayVec<WSK_TRANSPORT, COUNT> {
        let away = self.away.load(Ordering::SeqCst);
        let is_there =
            |(place, row): &(usize, &WSK_TRANSPORT)| away >> place & 1 == 0 && has(stack, row.SocketType);
        ALL.iter().enumerate().filter(is_there).map(|(_, row)| *row).collect()
    }

    /// What a combination is, when it is listed. STATUS_NOT_SUPPORTED for a combination of known families and types that
    /// is not, STATUS_INVALID_PARAMETER for any other, and for a protocol of more than 8 bits.
    pub(crate) fn find(
        &self,
        stack: &dyn Stack,
        family: u16,
        socket_type: u16,
        protocol: u32,
    ) -> Result<(Family, Protocol), NTSTATUS> {
        let of_family = match family {
            AF_INET => Family::V4,
            AF_INET6 => Family::V6,
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        let (found, listed_as) = match (socket_type, protocol) {
            (SOCK_DGRAM, IPPROTO_UDP) => (Protocol::Udp, protocol),
            (SOCK_STREAM, IPPROTO_TCP) => (Protocol::Tcp, protocol),
            (SOCK_RAW, number) => {
                (Protocol::Raw(u8::try_from(number).map_err(|_| STATUS_INVALID_PARAMETER)?), IPPROTO_IP)
            }
            (SOCK_DGRAM | SOCK_STREAM, _) => return Err(STATUS_NOT_SUPPORTED),
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        let same = |row: &WSK_TRANSPORT| {
            (row.AddressFamily, row.SocketType, row.Protocol) == (family, socket_type, listed_as)
        };
        if self.list(stack).iter().any(same) { Ok((of_family, found)) } else { Err(STATUS_NOT_SUPPORTED) }
    }

    /// Whether that changed something.
    fn set_away(&self, stack: &dyn Stack, family: u16, socket_type: u16, away: bool) -> bool {
        let same = |row: &WSK_TRANSPORT| (row.AddressFamily, row.SocketType) == (family, socket_type);
        let place = ALL.iter().position(|row| same(row) && has(stack, row.SocketType));
        let Some(place) = place else { return false };
        let bit = 1 << place;
        let before = if away {
            self.away.fetch_or(bit, Ordering::SeqCst)
        } else {
            self.away.fetch_and(!bit, Ordering::SeqCst)
        };
        (before & bit != 0) != away
    }
}

impl HostKernel {
    /// Takes a transport away, as when its protocol is uninstalled, or brings it back. It is not listed and no socket can
    /// be created over it while it is away; open sockets go on, [`HostKernel::kill`] ends them. Pending
    /// WSK_TRANSPORT_LIST_CHANGE requests complete with STATUS_SUCCESS. False when that changes nothing, or the stack has no
    /// such transport at all.
    pub fn set_transport_away(&self, family: u16, socket_type: u16, away: bool) -> bool {
        let changed = self.transports().set_away(self.stack(), family, socket_type, away);
        if changed {
            self.registrations().complete_list_changes();
        }
        changed
    }
}

fn has(stack: &dyn Stack, socket_type: u16) -> bool {
    match socket_type {
        SOCK_RAW => stack.has_raw(),
        _ => true,
    }
}
