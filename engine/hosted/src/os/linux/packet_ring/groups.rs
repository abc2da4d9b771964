//! The multicast groups of one socket, as far as they decide which packets are its own.

use std::net::IpAddr;

use crate::os::linux::interfaces::{InterfaceAddress, interface_addresses};
use crate::os::{Interface, Membership, Setting, settings};

/// What the claiming socket has joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups(Vec<Joined>);

/// A group on one interface.
#[derive(Clone, Debug)]
struct Joined {
    group: IpAddr,
    /// `None` where the system's choice is not known: then it is heard on every interface.
    interface: Option<u32>,
    /// Heard alone; `None` for every source but those that are blocked.
    source: Option<IpAddr>,
    blocked: Vec<IpAddr>,
}

impl Groups {
    /// Notes a setting that the claiming socket took; false for one that does not concern groups.
    pub(super) fn note(&mut self, setting: &Setting) -> bool {
        match setting {
            Setting::Join(membership) => self.0.push(Joined {
                group: membership.group,
                interface: index_of(membership),
                source: membership.source,
                blocked: Vec::new(),
            }),
            Setting::Leave(membership) => {
                let interface = index_of(membership);
                let is_left =
                    |it: &Joined| it.is(membership.group, interface) && it.source == membership.source;
                if let Some(place) = self.0.iter().position(is_left) {
                    self.0.remove(place);
                }
            }
            Setting::Block(membership) => self.each_of(membership, |blocked, source| blocked.push(source)),
            Setting::Unblock(membership) => {
                self.each_of(membership, |blocked, source| blocked.retain(|it| *it != source));
            }
            _ => return false,
        }
        true
    }

    /// Whether a packet from `source` to `group` that came in by `interface` is the socket's.
    pub(super) fn hear(&self, group: IpAddr, interface: u32, source: IpAddr) -> bool {
        self.0.iter().any(|joined| {
            joined.group == group
                && joined.interface.is_none_or(|it| it == interface)
                && joined.source.is_none_or(|it| it == source)
                && !joined.blocked.contains(&source)
        })
    }

    fn each_of(&mut self, membership: &Membership, change: impl Fn(&mut Vec<IpAddr>, IpAddr)) {
        let Some(source) = membership.source else { return };
        let interface = index_of(membership);
        for joined in self.0.iter_mut().filter(|it| it.is(membership.group, interface) && it.source.is_none())
        {
            change(&mut joined.blocked, source);
        }
    }
}

impl Joined {
    fn is(&self, group: IpAddr, interface: Option<u32>) -> bool {
        self.group == group && self.interface == interface
    }
}

/// The interface of a membership. The system chooses the one by which the group would be sent to.
fn index_of(membership: &Membership) -> Option<u32> {
    let by_address = |address: IpAddr| {
        let all: Vec<InterfaceAddress> = interface_addresses().unwrap_or_default();
        all.iter().find(|it| it.address == address).map(|it| it.interface)
    };
    match membership.interface {
        Interface::Index(0) => settings::source_for(membership.group).ok().and_then(by_address),
        Interface::Index(index) => Some(index),
        Interface::Address(address) => by_address(address.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(interface: u32, source: Option<&str>) -> Membership {
        Membership {
            group: "239.1.2.3".parse().unwrap(),
            source: source.map(|source| source.parse().unwrap()),
            interface: Interface::Index(interface),
        }
    }

    fn hears(groups: &Groups, interface: u32, source: &str) -> bool {
        groups.hear("239.1.2.3".parse().unwrap(), interface, source.parse().unwrap())
    }

    #[test]
    fn a_group_is_heard_where_it_was_joined() {
        let mut groups = Groups::default();
        assert!(!hears(&groups, 3, "192.0.2.1"));
        assert!(groups.note(&Setting::Join(on(3, None))));
        assert!(hears(&groups, 3, "192.0.2.1") && !hears(&groups, 4, "192.0.2.1"));
        assert!(!groups.hear("239.1.2.4".parse().unwrap(), 3, "192.0.2.1".parse().unwrap()));
        groups.note(&Setting::Leave(on(3, None)));
        assert!(!hears(&groups, 3, "192.0.2.1"));
        assert!(!groups.note(&Setting::Broadcast(true)));
    }

    #[test]
    fn sources_are_heard_as_they_were_joined_and_blocked() {
        let mut groups = Groups::default();
        groups.note(&Setting::Join(on(3, None)));
        groups.note(&Setting::Block(on(3, Some("192.0.2.1"))));
        assert!(!hears(&groups, 3, "192.0.2.1") && hears(&groups, 3, "192.0.2.2"));
        groups.note(&Setting::Unblock(on(3, Some("192.0.2.1"))));
        assert!(hears(&groups, 3, "192.0.2.1"));
        groups.note(&Setting::Join(on(5, Some("192.0.2.1"))));
        assert!(hears(&groups, 5, "192.0.2.1") && !hears(&groups, 5, "192.0.2.2"));
    }
}
