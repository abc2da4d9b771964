//! Which datagrams pass, and where to.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use skua_engine::Endpoint;
use skua_engine::admission::Prefix;

/// One of the two sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Side {
    /// The one that faces the network.
    Outer,
    /// The one that faces the service behind the filter.
    Inner,
}

impl Side {
    /// Both, in the order of their indices.
    pub const BOTH: [Self; 2] = [Self::Outer, Self::Inner];

    /// The side a datagram leaves by that came in on this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Outer => Self::Inner,
            Self::Inner => Self::Outer,
        }
    }

    /// The side whose socket has this `id` in its options.
    pub(crate) const fn of_id(id: u16) -> Self {
        if id == Self::Outer as u16 { Self::Outer } else { Self::Inner }
    }
}

/// What becomes of a datagram that a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It leaves by the other side's socket, to this address.
    Forward(SocketAddr),
    /// It is dropped, and counted as `handler`.
    Drop,
}

/// A line of the table: `SIDE SOURCE drop` or `SIDE SOURCE forward ADDRESS:PORT`, where SIDE is `outer` or `inner`, and SOURCE is
/// `any`, an address, or a network as `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The side a datagram comes in on.
    pub side: Side,
    /// Who sent it; anybody if `None`.
    pub source: Option<Prefix>,
    /// What becomes of it.
    pub action: Action,
}

impl Rule {
    /// Drops whatever comes in on the outer side.
    pub(crate) const DROP: Self = Self { side: Side::Outer, source: None, action: Action::Drop };
}

/// Why a text is not a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// It does not begin with a side.
    #[error("a rule begins with outer or inner")]
    Side,
    /// What should be a source is none.
    #[error("the source of a rule is any, an address, or a network as 10.0.0.0/8")]
    Source,
    /// What should be an action is none, or something follows it.
    #[error("a rule ends with drop, or with forward and an address as 192.0.2.1:53")]
    Action,
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut words = text.split_whitespace();
        let side = match words.next() {
            Some("outer") => Side::Outer,
            Some("inner") => Side::Inner,
            _ => return Err(RuleError::Side),
        };
        let source = match words.next() {
            Some("any") => None,
            Some(network) => Some(prefix(network).ok_or(RuleError::Source)?),
            None => return Err(RuleError::Source),
        };
        let action = match (words.next(), words.next()) {
            (Some("drop"), None) => Action::Drop,
            (Some("forward"), Some(to)) => Action::Forward(to.parse().map_err(|_| RuleError::Action)?),
            _ => return Err(RuleError::Action),
        };
        if words.next().is_some() {
            return Err(RuleError::Action);
        }
        Ok(Self { side, source, action })
    }
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address.parse().ok()?, length.parse().ok()?),
        None => {
            let address: IpAddr = text.parse().ok()?;
            (address, if address.is_ipv4() { 32 } else { 128 })
        }
    };
    Prefix::new(address, length).ok()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.side == Side::Outer { "outer " } else { "inner " })?;
        match self.source {
            None => f.write_str("any")?,
            Some(source) => write!(f, "{}/{}", source.network(), source.length())?,
        }
        match self.action {
            Action::Forward(to) => write!(f, " forward {to}"),
            Action::Drop => f.write_str(" drop"),
        }
    }
}

/// The first of `rules` about a datagram that `remote` sent to `side`: its index, and what it says.
///
/// # IRQL
/// Any.
#[must_use]
pub fn first<'r>(
    rules: impl IntoIterator<Item = &'r Rule>,
    side: Side,
    remote: &Endpoint,
) -> Option<(usize, Action)> {
    let fits = |rule: &Rule| {
        rule.side == side && rule.source.as_ref().is_none_or(|source| source.contains(&remote.address))
    };
    rules.into_iter().enumerate().find(|(_, rule)| fits(rule)).map(|(index, rule)| (index, rule.action))
}
