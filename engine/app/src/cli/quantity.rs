//! Sizes, rates, spans and fractions, as people write them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use skua_hosted::ProviderConfig;

/// A number of bytes: `4096`, `64K`, `8M`, `1G`, in powers of 1024.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Size(pub(crate) usize);

/// Datagrams a second: `2500`, `100k`, `1.5M`, in powers of 1000; at least 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Rate(pub(crate) u64);

/// How fast to send: a [`Rate`], or `max` for as fast as the socket takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// So many datagrams a second.
    At(Rate),
    /// No pacing.
    Max,
}

/// Which part of the datagrams to keep: `1/N`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample(pub(crate) NonZeroU32);

/// A time: `10s`, `50ms`, `1m 30s`; more than 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Span(pub(crate) Duration);

/// How long something may be put off; 0 is not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delay(pub(crate) Duration);

/// What a quantity should have looked like.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {0}")]
pub(crate) struct QuantityError(&'static str);

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const WANTED: QuantityError = QuantityError("bytes, such as 4096, 64K, 8M or 1G");
        let (digits, shift) = match text.strip_suffix(['B', 'b']).unwrap_or(text) {
            text if text.ends_with(['K', 'k']) => (&text[..text.len() - 1], 10),
            text if text.ends_with(['M', 'm']) => (&text[..text.len() - 1], 20),
            text if text.ends_with(['G', 'g']) => (&text[..text.len() - 1], 30),
            text => (text, 0),
        };
        let number: usize = digits.parse().map_err(|_| WANTED)?;
        number.checked_mul(1 << shift).map(Self).ok_or(WANTED)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
            if self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const WANTED: QuantityError = QuantityError("datagrams a second, such as 2500, 100k or 1.5M");
        let (digits, scale) = match text {
            text if text.ends_with(['K', 'k']) => (&text[..text.len() - 1], 1_000),
            text if text.ends_with(['M', 'm']) => (&text[..text.len() - 1], 1_000_000),
            text => (text, 1),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole: u64 = whole.parse().map_err(|_| WANTED)?;
        let mut rate = whole.checked_mul(scale).ok_or(WANTED)?;
        let mut place = scale;
        for digit in fraction.chars() {
            place /= 10;
            let digit = digit.to_digit(10).filter(|_| place > 0).ok_or(WANTED)?;
            rate += u64::from(digit) * place;
        }
        if rate == 0 { Err(WANTED) } else { Ok(Self(rate)) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            rate if rate.is_multiple_of(1_000_000) => write!(f, "{}M", rate / 1_000_000),
            rate if rate.is_multiple_of(1_000) => write!(f, "{}k", rate / 1_000),
            rate => write!(f, "{rate}"),
        }
    }
}

impl FromStr for Pace {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        match text {
            "max" => Ok(Self::Max),
            text => text
                .parse()
                .map(Self::At)
                .map_err(|_| QuantityError("datagrams a second, such as 2500, 100k or 1.5M, or max")),
        }
    }
}

impl FromStr for Sample {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        text.strip_prefix("1/")
            .and_then(|n| n.parse().ok())
            .map(Self)
            .ok_or(QuantityError("1/N, such as 1/100, which keeps one datagram in 100"))
    }
}

impl FromStr for Span {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        humantime::parse_duration(text)
            .ok()
            .filter(|duration| !duration.is_zero())
            .map(Self)
            .ok_or(QuantityError("a time with its unit, such as 10s, 50ms or 2m"))
    }
}

impl FromStr for Delay {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        humantime::parse_duration(text)
            .ok()
            .filter(|delay| *delay <= ProviderConfig::LONGEST_MODERATION)
            .map(Self)
            .ok_or(QuantityError("0, or a time of up to 100ms, such as 500us"))
    }
}

/// How long a block of a packet ring may take to fill, in ms.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlockTimeout(pub(crate) u16);

#[cfg(target_os = "linux")]
impl FromStr for BlockTimeout {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const WANTED: QuantityError = QuantityError("a time from 1ms to 1s in whole ms, such as 8ms");
        let Span(time) = text.parse().map_err(|_| WANTED)?;
        let is_whole = time.subsec_nanos().is_multiple_of(1_000_000);
        u16::try_from(time.as_millis()).ok().filter(|ms| is_whole && *ms <= 1000).map(Self).ok_or(WANTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("64K", 65_536), ("8M", 8 << 20), ("8MB", 8 << 20)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "K", "-1", "1.5M", "8X", "99999999999999999999", "99999999999999G", "8é"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!(Size(65_536).to_string(), "64K");
        assert_eq!(Size(65_537).to_string(), "65537");
        assert_eq!(Size(0).to_string(), "0");
    }

    #[test]
    fn rates_are_powers_of_1000_and_may_have_a_fraction() {
        for (text, rate) in [("1", 1), ("2500", 2500), ("100k", 100_000), ("1.5M", 1_500_000)] {
            assert_eq!(text.parse(), Ok(Rate(rate)), "{text}");
        }
        for text in ["0", "0.0k", "", "max", "1.5", "1.0005k", "k", "-3", "1.xk", "99999999999999999999M"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("5k".parse(), Ok(Pace::At(Rate(5000))));
    }

    #[test]
    fn a_sample_is_one_in_n() {
        assert_eq!("1/10".parse::<Sample>().map(|s| s.0.get()), Ok(10));
        for text in ["1/0", "2/3", "10", "1/", "1/-1"] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_block_waits_for_a_millisecond_to_a_second() {
        for (text, ms) in [("1ms", 1), ("8ms", 8), ("1s", 1000)] {
            assert_eq!(text.parse(), Ok(BlockTimeout(ms)), "{text}");
        }
        for text in ["0ms", "500us", "1500us", "1001ms", "8", "1m"] {
            assert!(text.parse::<BlockTimeout>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!("50ms".parse(), Ok(Span(Duration::from_millis(50))));
        assert_eq!("10s".parse(), Ok(Span(Duration::from_secs(10))));
        for text in ["10", "0s", "", "-1s", "soon"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for (text, micros) in [("0", 0), ("0s", 0), ("50us", 50), ("100ms", 100_000)] {
            assert_eq!(text.parse(), Ok(Delay(Duration::from_micros(micros))), "{text}");
        }
        for text in ["10", "", "101ms", "soon"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }
}
