//! Converting socket addresses.
#![expect(unsafe_code, reason = "addresses arrive by pointer, their length given by their family")]

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

use proptest::prelude::*;
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, AF_UNSPEC, IN_ADDR, IN6_ADDR, SOCKADDR_IN, SOCKADDR_INET, SOCKADDR_STORAGE,
};
use skua_engine::abi::zeroed;

fn address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<(u32, u16)>().prop_map(|(ip, port)| SocketAddrV4::new(Ipv4Addr::from(ip), port).into());
    let v6 = any::<(u128, u16, u32, u32)>()
        .prop_map(|(ip, port, flow, scope)| SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope).into());
    prop_oneof![v4, v6]
}

proptest! {
    #[test]
    fn an_address_survives_the_round_trip(address in address()) {
        let inet = SOCKADDR_INET::from(address);
        prop_assert_eq!(inet.to_socket_addr(), Some(address));
        prop_assert_eq!(inet.family(), if address.is_ipv4() { AF_INET } else { AF_INET6 });
        prop_assert_eq!(inet.len(), if address.is_ipv4() { 16 } else { 28 });
        prop_assert_eq!(inet.ipv4().map(SOCKADDR_INET::from).or(inet.ipv6().map(SOCKADDR_INET::from)), Some(inet));
        prop_assert_eq!(inet.ipv4().is_some(), address.is_ipv4());
        prop_assert_eq!(inet.ipv6().is_some(), address.is_ipv6());
    }

    #[test]
    fn an_address_is_read_from_exactly_its_bytes_wherever_they_are(address in address(), shift in 0_usize..8) {
        let inet = SOCKADDR_INET::from(address);
        let bytes = [&vec![0xEE; shift], &bytemuck::bytes_of(&inet)[..inet.len()]].concat();
        // SAFETY: the allocation ends with the address, which is as long as its family says.
        let read = unsafe { SOCKADDR_INET::read(bytes.as_ptr().wrapping_add(shift).cast()) };
        prop_assert_eq!(read, Some(inet));
        // SAFETY: an address that is valid in place.
        prop_assert_eq!(unsafe { SOCKADDR_INET::read(inet.as_ptr()) }, Some(inet));
    }

    #[test]
    fn other_families_are_no_address(family in any::<u16>()) {
        prop_assume!(![AF_INET, AF_INET6].contains(&family));
        let storage = SOCKADDR_STORAGE { ss_family: family, ..zeroed() };
        // SAFETY: room for any address.
        prop_assert_eq!(unsafe { SOCKADDR_INET::read((&raw const storage).cast()) }, None);
        // SAFETY: two bytes, which is all that is read of such an address.
        prop_assert_eq!(unsafe { SOCKADDR_INET::read((&raw const family).cast()) }, None);
    }

    #[test]
    fn what_a_provider_leaves_behind_an_ipv4_address_makes_no_difference(ip: u32, port: u16, rest: [u8; 20]) {
        let clean = SOCKADDR_INET::from(SocketAddr::from((Ipv4Addr::from(ip), port)));
        let mut reused = clean;
        bytemuck::bytes_of_mut(&mut reused)[8..].copy_from_slice(&rest);
        prop_assert_eq!(reused, clean);
        prop_assert_eq!(HashSet::from([clean, reused]).len(), 1);
        prop_assert_eq!(reused.to_socket_addr(), clean.to_socket_addr());
    }

    #[test]
    fn plain_addresses_survive_the_round_trip(v4: u32, v6: u128) {
        prop_assert_eq!(Ipv4Addr::from(IN_ADDR::from(Ipv4Addr::from(v4))), Ipv4Addr::from(v4));
        prop_assert_eq!(Ipv6Addr::from(IN6_ADDR::from(Ipv6Addr::from(v6))), Ipv6Addr::from(v6));
    }
}

#[test]
fn ports_and_addresses_are_in_network_byte_order() {
    let v4: SocketAddr = "192.0.2.1:5000".parse().expect("an address");
    let expected = [2, 0, 0x13, 0x88, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(bytemuck::bytes_of(&SOCKADDR_INET::from(v4).ipv4().expect("IPv4")), expected);
    let v6: SocketAddr = "[2001:db8::7%9]:443".parse().expect("an address");
    let mut expected = [0; 28];
    expected[..4].copy_from_slice(&[23, 0, 1, 0xBB]);
    expected[8..12].copy_from_slice(&[0x20, 0x01, 0x0D, 0xB8]);
    expected[23..25].copy_from_slice(&[7, 9]);
    assert_eq!(bytemuck::bytes_of(&SOCKADDR_INET::from(v6)), expected);
}

#[test]
fn a_mapped_address_stays_an_ipv6_address() {
    let mapped: SocketAddr = "[::ffff:192.0.2.1]:5000".parse().expect("an address");
    assert_eq!(SOCKADDR_INET::from(mapped).to_socket_addr(), Some(mapped));
    assert!(SOCKADDR_INET::from(mapped).ipv4().is_none());
}

#[test]
fn no_address_is_none() {
    assert_eq!(SOCKADDR_INET::UNSPEC, SOCKADDR_INET::default());
    assert_eq!(SOCKADDR_INET::UNSPEC.family(), AF_UNSPEC);
    assert_eq!((SOCKADDR_INET::UNSPEC.len(), SOCKADDR_INET::UNSPEC.to_socket_addr()), (0, None));
    // SAFETY: null is allowed.
    assert_eq!(unsafe { SOCKADDR_INET::read(ptr::null()) }, None);
}

#[test]
fn addresses_print_as_addresses() {
    let other = SOCKADDR_IN { sin_family: 7, ..zeroed() };
    for (inet, text) in [
        (SOCKADDR_INET::from("192.0.2.1:5000".parse::<SocketAddr>().expect("an address")), "192.0.2.1:5000"),
        (SOCKADDR_INET::UNSPEC, "AF_UNSPEC"),
        (SOCKADDR_INET::from(other), "address family 7"),
    ] {
        assert_eq!(format!("{inet:?}"), text);
    }
}
