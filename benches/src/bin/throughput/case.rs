//! What is measured: a path, a size, a rate.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What lies between sender and receiver.
#[derive(ValueEnum, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Path {
    /// The loopback interface. What is sent by UDP_SEGMENT arrives unsegmented at a receiver that asks for UDP_GRO.
    Lo,
    /// A pair of veth interfaces between two network namespaces. The sending one segments, so single datagrams cross.
    Veth,
    /// As veth, and the receiving interface coalesces: gro and rx-udp-gro-forwarding are on.
    VethGro,
}

impl Path {
    /// Whether it takes network namespaces.
    pub(crate) fn has_namespaces(self) -> bool {
        self != Self::Lo
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lo => "lo",
            Self::Veth => "veth",
            Self::VethGro => "veth-gro",
        })
    }
}

/// Datagrams a second.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum Rate {
    /// As many as the sender can.
    Max,
    /// So many, sent when they are due.
    Paced(u32),
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Paced(rate) if rate % 1_000 == 0 => write!(f, "{}k", rate / 1_000),
            Self::Paced(rate) => write!(f, "{rate}"),
        }
    }
}

/// Neither `max` nor a number of datagrams a second.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRate(String);

impl fmt::Display for NoRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: give datagrams a second, such as 200k, or max", self.0)
    }
}

impl std::error::Error for NoRate {}

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let (digits, factor) = text.strip_suffix('k').map_or((text, 1), |digits| (digits, 1_000));
        let rate = digits.parse().ok().and_then(|count: u32| count.checked_mul(factor));
        rate.filter(|rate| (1..=100_000_000).contains(rate))
            .map(Self::Paced)
            .ok_or_else(|| NoRate(text.to_owned()))
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = NoRate;

    fn try_from(text: String) -> Result<Self, NoRate> {
        text.parse()
    }
}

/// One combination; all receivers go through it in the same minute.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Case {
    pub(crate) path: Path,
    /// Payload bytes of a datagram.
    pub(crate) size: u16,
    pub(crate) rate: Rate,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes, {}", self.path, self.size, self.rate)?;
        if self.rate == Rate::Max { Ok(()) } else { f.write_str("/s") }
    }
}

/// Datagrams that go out in one call, unless it is said otherwise.
///
/// At full speed as many as quinn and other peers put into one. At 200,000/s 16, so that a receiver that sleeps in between
/// is woken 12,500 times a second. From 100,000/s down each goes alone: there the wake-up is what is measured.
pub(crate) fn burst(rate: Rate) -> u16 {
    match rate {
        Rate::Max => 32,
        Rate::Paced(rate) if rate > 100_000 => 16,
        Rate::Paced(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        for (text, rate) in [("max", Rate::Max), ("200k", Rate::Paced(200_000)), ("1500", Rate::Paced(1_500))]
        {
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string(), text);
        }
        for wrong in ["", "0", "fast", "-1", "5000000k", "1M"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
