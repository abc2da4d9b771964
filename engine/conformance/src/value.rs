//! What a rule speaks of, in a form that a table shows and that can be compared.

use core::fmt;
use core::net::SocketAddr;

use skua_engine::abi::status::NTSTATUS;

/// A status, a number, an address or words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// How a function ended.
    Status(NTSTATUS),
    /// Any of these statuses: the documentation leaves the choice.
    AnyOf(&'static [NTSTATUS]),
    /// Any status that is not a success: the documentation says that it fails, and not how.
    Failure,
    /// How many, or how long.
    Number(u64),
    /// As many or more.
    AtLeast(u64),
    /// Flags or a code, in hexadecimal.
    Bits(u64),
    /// An address and port.
    Address(SocketAddr),
    /// What numbers do not say.
    Words(&'static str),
}

impl Value {
    /// Whether `seen` is what this asks for.
    #[must_use]
    pub fn admits(&self, seen: &Self) -> bool {
        match (self, seen) {
            (Self::AnyOf(statuses), Self::Status(status)) => statuses.contains(status),
            (Self::Failure, Self::Status(status)) => !status.is_success(),
            (Self::AtLeast(least), Self::Number(number)) => number >= least,
            _ => self == seen,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => name(*status, f),
            Self::AnyOf(statuses) => {
                for (index, status) in statuses.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " or " })?;
                    name(*status, f)?;
                }
                Ok(())
            }
            Self::Failure => f.write_str("a failure"),
            Self::Number(number) => write!(f, "{number}"),
            Self::AtLeast(number) => write!(f, "{number} or more"),
            Self::Bits(bits) => write!(f, "{bits:#x}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// A status by its name without `STATUS_`, which every one has.
fn name(status: NTSTATUS, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match status.name() {
        Some(name) => f.write_str(name.strip_prefix("STATUS_").unwrap_or(name)),
        None => write!(f, "{:#010x}", status.to_bits()),
    }
}

impl From<NTSTATUS> for Value {
    fn from(status: NTSTATUS) -> Self {
        Self::Status(status)
    }
}

impl From<&'static [NTSTATUS]> for Value {
    fn from(statuses: &'static [NTSTATUS]) -> Self {
        Self::AnyOf(statuses)
    }
}

impl<const N: usize> From<&'static [NTSTATUS; N]> for Value {
    fn from(statuses: &'static [NTSTATUS; N]) -> Self {
        Self::AnyOf(statuses)
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        // 64-bit Windows: the abi module compiles for nothing else.
        Self::Number(number as u64)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Words(if truth { "yes" } else { "no" })
    }
}

impl From<&'static str> for Value {
    fn from(words: &'static str) -> Self {
        Self::Words(words)
    }
}

impl From<SocketAddr> for Value {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}
