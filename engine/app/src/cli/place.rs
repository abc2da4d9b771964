//! Where to listen: addresses and multicast groups; and which sink is meant.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use skua_engine::admission::Prefix;
use skua_protocol::SINK_NAME_BYTES;

use super::interface::Interface;

/// A multicast group, and the interface to hear it on: `239.1.2.3`, `239.1.2.3@eth0`, `ff02::7@2`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Group {
    /// The group.
    pub(crate) address: IpAddr,
    /// The interface; without one, the system's choice.
    pub(crate) interface: Option<Interface>,
}

/// A sink in the driver, by its number or its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SinkName {
    /// The number that the driver gave it.
    Number(u64),
    /// What it was called when it was started.
    Name(String),
}

/// What a place should have looked like.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {0}")]
pub(crate) struct PlaceError(&'static str);

/// An IP address and a UDP port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, PlaceError> {
    text.parse().map_err(|_| {
        PlaceError("IP:PORT, such as 127.0.0.1:9125, 0.0.0.0:514 or [::]:9125; names are not looked up")
    })
}

/// An address prefix; one address alone is the prefix that holds nothing else.
pub(crate) fn prefix(text: &str) -> Result<Prefix, String> {
    let net = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(net), _) => net,
        (Err(_), Ok(address)) => address.into(),
        _ => return Err("expected a prefix, such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32".to_owned()),
    };
    Prefix::new(net.addr(), net.prefix_len()).map_err(|error| error.to_string())
}

/// The name of a sink: something that is no number, and fits where the driver keeps it.
pub(crate) fn name(text: &str) -> Result<String, PlaceError> {
    match SinkName::from(text) {
        SinkName::Name(name) if (1..=SINK_NAME_BYTES).contains(&name.len()) && !name.contains('\0') => {
            Ok(name)
        }
        _ => Err(PlaceError("1 to 32 bytes that are not a number, such as syslog")),
    }
}

impl From<&str> for SinkName {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number)
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Group {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (address, interface) = match text.split_once('@') {
            Some((_, "")) => return Err(PlaceError("the name or index of an interface after @")),
            Some((address, interface)) => (address, Some(Interface::from(interface))),
            None => (text, None),
        };
        match address.parse::<IpAddr>() {
            Ok(address) if address.is_multicast() => Ok(Self { address, interface }),
            _ => Err(PlaceError("a multicast address, such as 239.1.2.3, 239.1.2.3@eth0 or ff02::7@2")),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            None => write!(f, "{}", self.address),
            Some(interface) => write!(f, "{}@{interface}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_name_their_interface() {
        let group: Group = "239.1.2.3@eth0".parse().unwrap();
        assert_eq!(group.interface, Some(Interface::Name("eth0".into())));
        let group: Group = "ff02::7@2".parse().unwrap();
        assert_eq!(group.interface, Some(Interface::Index(2)));
        assert_eq!(group.to_string(), "ff02::7@2");
        assert_eq!("224.0.0.1".parse::<Group>().unwrap().interface, None);
        for text in ["10.0.0.1", "239.1.2.3@", "x", "239.1.2.3:9125", ""] {
            assert!(text.parse::<Group>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_not_names() {
        assert!(address("[::1%2]:9").is_ok());
        for text in ["localhost:9125", "9125", ":9125", "127.0.0.1", "1.2.3.4:70000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prefixes_say_what_they_hold() {
        for text in ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert!(prefix(text).is_ok(), "{text}");
        }
        assert!(prefix("10.1.2.3/8").unwrap_err().contains("10.0.0.0/8"));
        for text in ["", "10.0.0.0/33", "example.org", "10.0.0/8"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }
}
