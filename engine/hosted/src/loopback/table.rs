//! Who is bound to which address.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use skua_engine::abi::status::{NTSTATUS, STATUS_TOO_MANY_ADDRESSES};

use super::mailbox::{Mailbox, Parcel};
use crate::kernel::lock::hold;
use crate::receive::unmapped;

/// The first of the ports that are given out (IANA's dynamic range).
const FIRST_DYNAMIC: u16 = 49_152;

/// The bound sockets of one network.
#[derive(Default)]
pub(super) struct Table {
    bound: Mutex<Vec<Entry>>,
}

struct Entry {
    local: SocketAddr,
    mailbox: Arc<Mailbox>,
}

impl Table {
    /// Binds, choosing a port that nobody has for port 0. Who may share an address is not decided here.
    pub(super) fn bind(&self, local: SocketAddr, mailbox: &Arc<Mailbox>) -> Result<SocketAddr, NTSTATUS> {
        let mut bound = hold(&self.bound);
        let is_taken = |local: &SocketAddr| bound.iter().any(|entry| entry.collides(local, mailbox));
        let local = match local.port() {
            0 => (FIRST_DYNAMIC..=u16::MAX)
                .map(|port| SocketAddr::new(local.ip(), port))
                .find(|local| !is_taken(local))
                .ok_or(STATUS_TOO_MANY_ADDRESSES)?,
            _ => local,
        };
        bound.push(Entry { local, mailbox: Arc::clone(mailbox) });
        Ok(local)
    }

    pub(super) fn unbind(&self, mailbox: &Arc<Mailbox>) {
        hold(&self.bound).retain(|entry| !Arc::ptr_eq(&entry.mailbox, mailbox));
    }

    /// Gives a datagram to every member of a group, to everybody on the port of a broadcast, or to the one whose address
    /// fits best. Without a taker it is gone, as on any network; whether that is so, of a datagram to one.
    pub(super) fn deliver(&self, remote: SocketAddr, parcel: &Parcel, parts: &[IoSlice<'_>]) -> bool {
        let bound = hold(&self.bound);
        let on_port = bound
            .iter()
            .filter(|entry| entry.local.port() == remote.port() && entry.mailbox.takes(remote.is_ipv4()));
        if remote.ip().is_multicast() {
            let members = on_port.filter(|entry| entry.mailbox.is_member(remote.ip(), parcel.source.ip()));
            members.for_each(|entry| entry.mailbox.put(parcel, parts));
        } else if remote.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
            on_port.for_each(|entry| entry.mailbox.put(parcel, parts));
        } else {
            let fits = on_port.filter_map(|entry| Some((entry.fit(remote.ip())?, entry)));
            let Some((_, entry)) = fits.max_by_key(|(fit, _)| *fit) else { return false };
            entry.mailbox.put(parcel, parts);
        }
        true
    }
}

impl Entry {
    /// 2 for the address itself, 1 for the wildcard of the family, 0 for that of both.
    fn fit(&self, destination: IpAddr) -> Option<u32> {
        let local = unmapped(self.local.ip());
        if local == destination {
            return Some(2);
        }
        let same_family = local.is_ipv4() == destination.is_ipv4();
        local.is_unspecified().then_some(u32::from(same_family))
    }

    /// Whether binding `local` too would leave no rule by which to choose.
    fn collides(&self, local: &SocketAddr, mailbox: &Mailbox) -> bool {
        let (ours, theirs) = (unmapped(self.local.ip()), unmapped(local.ip()));
        let families_meet =
            [true, false].into_iter().any(|is_v4| self.mailbox.takes(is_v4) && mailbox.takes(is_v4));
        let wildcard = |address: IpAddr| {
            address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) || address == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        let addresses_meet = ours == theirs || wildcard(ours) || wildcard(theirs);
        self.local.port() == local.port() && families_meet && addresses_meet
    }
}
