//! CIDR prefixes.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use crate::address::Address;

/// Octets in front of the four of an IPv4 address in [`Address`], in bits.
const MAPPED_BITS: u8 = 96;

/// A CIDR prefix of either family.
///
/// The families are apart: an IPv6 prefix holds no IPv4 sender, not even `::/0`, whichever socket heard it. A prefix
/// inside `::ffff:0:0/96` is the IPv4 prefix that it maps.
///
/// # Invariants
/// The bits of `network` beyond the first `bits` are zero, and `bits` is at most 128. An IPv4 prefix has `bits` of at
/// least 96 and a v4-mapped network; nothing else has both.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    network: Address,
    /// Length over the 128 bits of the network: for IPv4, 96 more than the CIDR length.
    bits: u8,
}

/// Why [`Prefix::new`] refused an address and a length.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// The length is more than the address has bits.
    #[error("{address}/{length} is longer than its address: the length is at most {max}")]
    Length {
        /// The address given.
        address: IpAddr,
        /// The length given.
        length: u8,
        /// 32 for IPv4, 128 for IPv6.
        max: u8,
    },
    /// The address has bits set that the length leaves out, so it is not clear what was meant.
    #[error(
        "{address}/{length} has bits set beyond its length: write {network} for the network, or {address}/{max} for the one address"
    )]
    HostBits {
        /// The address given.
        address: IpAddr,
        /// The length given.
        length: u8,
        /// The network that the address is in.
        network: Prefix,
        /// 32 for IPv4, 128 for IPv6.
        max: u8,
    },
}

impl Prefix {
    /// The prefix of `length` bits that is written `address/length`.
    ///
    /// # Errors
    /// [`PrefixError::Length`] for more than 32 or 128 bits, [`PrefixError::HostBits`] if `address` has bits set beyond
    /// `length`; [`Prefix::containing`] takes such an address.
    ///
    /// # IRQL
    /// Any.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let network = Self::containing(address, length)?;
        if network.network == Address::from(address) {
            Ok(network)
        } else {
            Err(PrefixError::HostBits { address, length, network, max: max_length(address) })
        }
    }

    /// The prefix of `length` bits that `address` is in.
    ///
    /// # Errors
    /// [`PrefixError::Length`] for more than 32 or 128 bits.
    ///
    /// # IRQL
    /// Any.
    pub fn containing(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let max = max_length(address);
        if length > max {
            return Err(PrefixError::Length { address, length, max });
        }
        let bits = length + (128 - max);
        let network = Address::from(address).bits() & mask(bits);
        Ok(Self { network: Address::from_octets(network.to_be_bytes()), bits })
    }

    /// The first address of the prefix.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        if self.is_ipv4() {
            IpAddr::from(self.network)
        } else {
            // Not through Address, which would show the network of `::ffff:0:0/90` as IPv4.
            IpAddr::V6(Ipv6Addr::from(self.network.octets()))
        }
    }

    /// The CIDR length: 0 to 32 for IPv4, 0 to 128 for IPv6.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn length(&self) -> u8 {
        if self.is_ipv4() { self.bits.saturating_sub(MAPPED_BITS) } else { self.bits }
    }

    /// Whether it is an IPv4 prefix.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.bits >= MAPPED_BITS && self.network.as_ipv4().is_some()
    }

    /// Whether `address` is of this family and in this prefix.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn contains(&self, address: &Address) -> bool {
        self.is_ipv4() == address.as_ipv4().is_some() && address.bits() & self.mask() == self.network.bits()
    }

    /// The network in the form that addresses are compared in.
    pub(super) fn address(&self) -> Address {
        self.network
    }

    /// Ones where a member's bits equal the network's.
    pub(super) fn mask(&self) -> u128 {
        mask(self.bits)
    }

    /// The prefix with these 128 bits and this mask, which came from [`Prefix::address`] and [`Prefix::mask`].
    pub(super) fn from_parts(network: Address, mask: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a u128 has at most 128 ones")]
        Self { network, bits: mask.count_ones() as u8 }
    }
}

/// How many bits a prefix of this address can have.
fn max_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `bits` ones from the top.
fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.length())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self})")
    }
}
