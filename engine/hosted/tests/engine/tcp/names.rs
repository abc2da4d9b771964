//! From names to addresses and back.

use std::net::SocketAddr;

use skua_engine::abi::sockaddr::{IPPROTO_TCP, SOCK_STREAM};
use skua_engine::abi::wsk::{AI_NUMERICHOST, NI_NUMERICHOST, NI_NUMERICSERV};
use skua_engine::{DeregisterError, Dispatch, Family, NameQuery, Passive, RequestError};

use super::executor::block_on;
use super::{Tcp, any};
use crate::fixture::PATIENCE;

fn numeric(node: &str) -> NameQuery<'_> {
    NameQuery {
        service: Some("8080"),
        socket_type: SOCK_STREAM,
        protocol: IPPROTO_TCP,
        flags: AI_NUMERICHOST,
        ..NameQuery::new(node)
    }
}

#[test]
fn a_name_resolves_to_addresses_and_they_to_names() {
    let tcp = Tcp::new();
    for text in ["192.0.2.7", "2001:db8::7"] {
        let found = tcp.wait(tcp.provider.address_info(&tcp.requests, &numeric(text))).unwrap();
        let expected = SocketAddr::new(text.parse().unwrap(), 8080);
        assert!(found.addresses().all(|address| address == expected));
        assert_eq!(found.addresses().count(), 1);
        assert!(found.canonical_name().is_none());
        let flags = NI_NUMERICHOST | NI_NUMERICSERV;
        let names = block_on(&tcp.requests, tcp.provider.name_info(&tcp.requests, expected, flags)).unwrap();
        assert_eq!(names.node().collect::<String>(), text);
        assert_eq!(names.service().collect::<String>(), "8080");
    }
    let query = NameQuery { family: Some(Family::Inet), ..NameQuery::new("localhost") };
    let found = block_on(&tcp.requests, tcp.provider.address_info(&tcp.requests, &query)).unwrap();
    assert!(found.addresses().count() > 0);
    assert!(found.addresses().all(|address| address.ip().is_loopback() && address.is_ipv4()));
    drop(found);
    tcp.finish();
}

#[test]
fn what_is_no_address_is_an_error() {
    let tcp = Tcp::new();
    let refused = tcp.wait(tcp.provider.address_info(&tcp.requests, &numeric("no number")));
    assert!(matches!(refused.err(), Some(RequestError::Refused { call: "WskGetAddressInfo", .. })));
    let long = "x".repeat(20_000);
    let refused = tcp.wait(tcp.provider.address_info(&tcp.requests, &NameQuery::new(&long)));
    assert!(matches!(refused.err(), Some(RequestError::TooLong { .. })));
    tcp.finish();
}

#[test]
fn a_list_is_freed_at_passive_level_only() {
    let tcp = Tcp::new();
    let found = tcp.wait(tcp.provider.address_info(&tcp.requests, &numeric("192.0.2.7"))).unwrap();
    Dispatch::with(&tcp.kernel, |_| drop(found));
    // It still has its capture, until somebody serves.
    let Tcp { kernel, registration, provider, requests } = tcp;
    drop(provider);
    let passive = Passive::acquire(&kernel).unwrap();
    let error = registration.close(PATIENCE, &passive).unwrap_err();
    let DeregisterError::InUse { captures: 1, registration, .. } = error else { panic!("{error}") };
    assert_eq!(requests.serve(PATIENCE, &passive), 1);
    registration.close(PATIENCE, &passive).unwrap();
    assert_eq!(requests.outstanding(), 0);
    drop(requests);
    let outstanding = kernel.outstanding();
    assert!(outstanding.is_empty(), "{outstanding:?}");
}

#[test]
fn a_dropped_question_leaves_nothing_whatever_it_finds() {
    let tcp = Tcp::new();
    for round in 0..100 {
        let pending = tcp.provider.address_info(&tcp.requests, &numeric("192.0.2.7"));
        if round % 2 == 0 {
            std::thread::yield_now();
        }
        drop(pending);
        drop(tcp.provider.name_info(&tcp.requests, any(), NI_NUMERICHOST));
        let passive = tcp.passive();
        while tcp.requests.outstanding() != 0 {
            tcp.requests.serve(std::time::Duration::from_millis(10), &passive);
        }
    }
    tcp.finish();
}
