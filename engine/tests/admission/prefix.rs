//! Prefixes as they are written and what they hold.

use std::net::IpAddr;

use proptest::prelude::*;
use skua_engine::Address;
use skua_engine::admission::{Prefix, PrefixError};

use crate::{address, prefix};

#[test]
fn host_bits_are_refused_with_what_to_write_instead() {
    let error = Prefix::new("192.0.2.7".parse().unwrap(), 24).unwrap_err();
    assert!(matches!(error, PrefixError::HostBits { network, .. } if network == prefix("192.0.2.0/24")));
    let message = error.to_string();
    assert!(message.contains("192.0.2.0/24") && message.contains("192.0.2.7/32"), "{message}");

    let message = Prefix::new("2001:db8::1".parse().unwrap(), 64).unwrap_err().to_string();
    assert!(message.contains("2001:db8::/64") && message.contains("2001:db8::1/128"), "{message}");
}

#[test]
fn a_length_beyond_the_address_is_refused() {
    for (text, length, max) in [("0.0.0.0", 33, 32), ("::", 129, 128), ("::", 255, 128)] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(Prefix::new(address, length), Err(PrefixError::Length { address, length, max }));
        assert!(Prefix::new(address, max).is_ok());
    }
}

#[test]
fn a_mapped_prefix_is_the_ipv4_prefix() {
    assert_eq!(prefix("::ffff:192.0.2.0/120"), prefix("192.0.2.0/24"));
    assert_eq!(prefix("::ffff:0:0/96").to_string(), "0.0.0.0/0");
}

#[test]
fn the_families_are_apart() {
    assert!(prefix("::/0").contains(&address("2001:db8::1")));
    assert!(!prefix("::/0").contains(&address("192.0.2.1")));
    assert!(!prefix("::/64").contains(&address("192.0.2.1")));
    assert!(prefix("0.0.0.0/0").contains(&address("192.0.2.1")));
    assert!(prefix("0.0.0.0/0").contains(&address("::ffff:192.0.2.1")));
    assert!(!prefix("0.0.0.0/0").contains(&address("::")));
}

/// Whether the first `length` bits of both are the same, bit by bit; a mapped address is an IPv4 one.
fn holds(network: IpAddr, length: u8, address: IpAddr) -> bool {
    fn bits(octets: &[u8]) -> Vec<bool> {
        octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> (7 - bit) & 1 == 1)).collect()
    }
    let (network, address) = match (network, address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (bits(&network.octets()), bits(&address.octets())),
        (IpAddr::V6(network), IpAddr::V6(address)) => (bits(&network.octets()), bits(&address.octets())),
        _ => return false,
    };
    network.iter().zip(&address).take(length.into()).all(|(one, other)| one == other)
}

proptest! {
    #[test]
    fn a_prefix_holds_what_shares_its_first_bits(
        network: IpAddr, length in 0_u8..=128, other: IpAddr, flipped in 0_u32..160,
    ) {
        prop_assume!(!matches!(network, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()));
        let length = if network.is_ipv4() { length % 33 } else { length };
        let prefix = Prefix::containing(network, length).unwrap();
        prop_assert_eq!(Prefix::new(prefix.network(), prefix.length()), Ok(prefix));
        prop_assert_eq!(prefix.length(), length);
        prop_assert_eq!(prefix.is_ipv4(), network.is_ipv4());
        // One bit away: inside or just outside, where a random address never is.
        let near = match network {
            IpAddr::V4(v4) => IpAddr::from(u32::from(v4).wrapping_add(1_u32.rotate_left(flipped)).to_be_bytes()),
            IpAddr::V6(v6) => IpAddr::from(u128::from(v6).wrapping_add(1_u128.rotate_left(flipped)).to_be_bytes()),
        };
        for address in [network, near, other] {
            prop_assert_eq!(prefix.contains(&Address::from(address)), holds(network, length, address), "{}", address);
        }
    }
}
