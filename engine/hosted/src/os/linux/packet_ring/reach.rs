//! Which packets reach the socket: those that the stack would have given to one bound as it is.
//!
//! A packet socket sees every packet of the host, also what is only passing through, so the destination has to be one of the
//! host's addresses, a broadcast, or a group that was joined.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use skua_engine::abi::cmsg::{MSG_BCAST, MSG_MCAST};

use super::groups::Groups;
use crate::os::linux::interfaces::{InterfaceAddress, interface_addresses};

/// How old the list of addresses may be.
const FRESH: Duration = Duration::from_secs(1);
/// How old it may be when a destination is not in it.
const FRESH_FOR_STRANGERS: Duration = Duration::from_millis(100);

/// What one socket is reached by.
pub(super) struct Reach {
    /// The address it is bound to, which the filter has compared already; unspecified for all.
    local: IpAddr,
    addresses: Vec<InterfaceAddress>,
    listed: Instant,
    /// The last unicast destination and interface, and what was said of them.
    last: Option<(IpAddr, u32, Option<u32>)>,
}

impl Reach {
    pub(super) fn new(local: IpAddr) -> Self {
        let addresses = interface_addresses().unwrap_or_default();
        Self { local, addresses, listed: Instant::now(), last: None }
    }

    /// Lists the host's addresses again when that is due. To be called once in a while.
    pub(super) fn refresh(&mut self) {
        if self.listed.elapsed() > FRESH {
            self.list();
        }
    }

    /// MSG_BCAST, MSG_MCAST or 0 for a packet that reaches the socket; `None` for another.
    pub(super) fn delivery(
        &mut self,
        groups: &Groups,
        interface: u32,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<u32> {
        if !self.is_possible(interface, source, destination) {
            return None;
        }
        if destination.is_multicast() {
            return groups.hear(destination, interface, source).then_some(MSG_MCAST);
        }
        if let Some((address, by, said)) = self.last
            && address == destination
            && by == interface
        {
            return said;
        }
        let mut said = self.look_up(interface, destination);
        if said.is_none() && self.listed.elapsed() > FRESH_FOR_STRANGERS {
            self.list();
            said = self.look_up(interface, destination);
        }
        // Who is a stranger is looked up again: the address may come.
        self.last = said.map(|said| (destination, interface, Some(said)));
        said
    }

    fn look_up(&self, interface: u32, destination: IpAddr) -> Option<u32> {
        if destination.is_loopback() && !self.is_loopback(interface) {
            return None;
        }
        if destination == IpAddr::V4(Ipv4Addr::BROADCAST)
            || self.addresses.iter().any(|it| it.broadcast == Some(destination))
        {
            return Some(MSG_BCAST);
        }
        let is_ours = self.local == destination
            || matches!(destination, IpAddr::V4(v4) if v4.is_loopback())
            || self.addresses.iter().any(|it| it.address == destination);
        is_ours.then_some(0)
    }

    /// Whether the stack looks for a socket: it drops what comes from nowhere. Who has no address yet sends to all.
    fn is_possible(&self, interface: u32, source: IpAddr, destination: IpAddr) -> bool {
        let all = IpAddr::V4(Ipv4Addr::BROADCAST);
        let is_no_source = source.is_multicast()
            || source == all
            || (source.is_unspecified() && destination != all && !destination.is_multicast());
        !is_no_source && (!source.is_loopback() || self.is_loopback(interface))
    }

    fn is_loopback(&self, interface: u32) -> bool {
        self.addresses.iter().any(|it| it.interface == interface && it.is_loopback)
    }

    fn list(&mut self) {
        if let Some(addresses) = interface_addresses() {
            self.addresses = addresses;
        }
        self.listed = Instant::now();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{Interface, Membership, Setting};

    const LO: u32 = 1;
    const ETHERNET: u32 = 2;

    fn reach(local: &str) -> Reach {
        let address = |interface, address: &str, broadcast: Option<&str>| InterfaceAddress {
            interface,
            is_loopback: interface == LO,
            address: address.parse().unwrap(),
            broadcast: broadcast.map(|it| it.parse().unwrap()),
        };
        Reach {
            local: local.parse().unwrap(),
            addresses: vec![
                address(LO, "127.0.0.1", None),
                address(LO, "::1", None),
                address(ETHERNET, "192.0.2.7", Some("192.0.2.255")),
                address(ETHERNET, "2001:db8::7", None),
            ],
            // Never old: the list is this test's.
            listed: Instant::now() + Duration::from_secs(3600),
            last: None,
        }
    }

    fn ask(reach: &mut Reach, interface: u32, source: &str, destination: &str) -> Option<u32> {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        reach.delivery(&Groups::default(), interface, source, destination)
    }

    #[test]
    fn the_hosts_own_addresses_are_reached_by_any_interface() {
        let mut reach = reach("0.0.0.0");
        for _ in 0..2 {
            assert_eq!(ask(&mut reach, ETHERNET, "192.0.2.1", "192.0.2.7"), Some(0));
            assert_eq!(ask(&mut reach, LO, "192.0.2.7", "192.0.2.7"), Some(0));
            assert_eq!(ask(&mut reach, ETHERNET, "2001:db8::1", "2001:db8::7"), Some(0));
            assert_eq!(ask(&mut reach, ETHERNET, "192.0.2.1", "192.0.2.8"), None, "passing through");
        }
    }

    #[test]
    fn broadcasts_are_told_apart() {
        let mut reach = reach("0.0.0.0");
        assert_eq!(ask(&mut reach, ETHERNET, "192.0.2.1", "255.255.255.255"), Some(MSG_BCAST));
        assert_eq!(ask(&mut reach, ETHERNET, "192.0.2.1", "192.0.2.255"), Some(MSG_BCAST));
    }

    #[test]
    fn loopback_addresses_come_by_loopback_alone() {
        let mut reach = reach("0.0.0.0");
        assert_eq!(ask(&mut reach, LO, "127.0.0.1", "127.0.0.9"), Some(0));
        assert_eq!(ask(&mut reach, LO, "::1", "::1"), Some(0));
        for (source, destination) in [
            ("192.0.2.1", "127.0.0.1"),
            ("127.0.0.1", "192.0.2.7"),
            ("::1", "2001:db8::7"),
            ("2001:db8::1", "::1"),
        ] {
            assert_eq!(ask(&mut reach, ETHERNET, source, destination), None, "{source} to {destination}");
        }
    }

    #[test]
    fn nobody_sends_from_a_group() {
        let mut reach = reach("0.0.0.0");
        for source in ["239.1.1.1", "255.255.255.255", "0.0.0.0"] {
            assert_eq!(ask(&mut reach, ETHERNET, source, "192.0.2.7"), None, "{source}");
        }
        assert_eq!(
            ask(&mut reach, ETHERNET, "0.0.0.0", "255.255.255.255"),
            Some(MSG_BCAST),
            "without an address yet"
        );
    }

    #[test]
    fn groups_reach_who_joined_them() {
        let mut reach = reach("0.0.0.0");
        let mut groups = Groups::default();
        let [group, source] = ["239.1.2.3", "192.0.2.1"].map(|it| it.parse().unwrap());
        assert_eq!(reach.delivery(&groups, ETHERNET, source, group), None);
        let interface = Interface::Index(ETHERNET);
        groups.note(&Setting::Join(Membership { group, source: None, interface }));
        assert_eq!(reach.delivery(&groups, ETHERNET, source, group), Some(MSG_MCAST));
        assert_eq!(reach.delivery(&groups, LO, source, group), None);
    }
}
