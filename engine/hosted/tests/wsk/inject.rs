//! Indications made by hand.

use std::net::SocketAddr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{DISPATCH_LEVEL, mm_get_mapped_system_address};
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_hosted::{Control, Facts, HostConfig, HostKernel, Indicated, Injected};

use crate::raw::recorder::Answer;
use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, LOCALHOST_V6};

fn source() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

#[test]
fn a_list_is_indicated_on_the_processor_and_thread_asked_for() {
    let kernel = HostKernel::new(HostConfig::loopback(4));
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let facts = Facts {
        destination: Some(([192, 0, 2, 1].into(), 3)),
        type_of_service: Some(0xb8),
        hop_limit: Some(63),
        time: Some(12_345),
        coalesced: None,
    };
    let list = [
        Injected { control: Control::Facts(facts), ..Injected::new(source(), b"whole") },
        Injected { parts: vec![b"sp".to_vec(), vec![], b"lit".to_vec()], ..Injected::new(source(), b"") },
        Injected { offset: 2, length: Some(2), ..Injected::new(source(), b"..in..") },
        Injected { parts: vec![], ..Injected::new(source(), b"") },
        Injected::new(source(), b""),
    ];
    assert_eq!(kernel.inject(&socket.local(), 3, &list), Indicated::Consumed);
    let seen = socket.recorder.datagrams();
    let payloads: Vec<&[u8]> = seen.iter().map(|datagram| &datagram.payload[..]).collect();
    assert_eq!(payloads, [&b"whole"[..], b"split", b"in", b"", b""]);
    assert!(seen.iter().map(|datagram| datagram.has_mdl).eq([true, true, true, false, true]));
    assert!(seen.iter().all(|datagram| (datagram.irql, datagram.processor) == (DISPATCH_LEVEL, 3)));
    assert!(seen.iter().all(|datagram| datagram.source == source() && datagram.list == 0));
    assert_eq!(seen[0].control.len(), 4);
    assert!(seen[1..].iter().all(|datagram| datagram.control.is_empty()));
    socket.close();
    client.end();
}

#[test]
fn an_ipv6_socket_gets_mapped_sources() {
    let kernel = HostKernel::new(HostConfig::loopback(1));
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST_V6);
    assert_eq!(kernel.inject(&socket.local(), 0, &[Injected::new(source(), b"x")]), Indicated::Consumed);
    assert_eq!(socket.recorder.datagrams()[0].source, "[::ffff:192.0.2.7]:4711".parse().unwrap());
    socket.close();
    client.end();
}

#[test]
fn an_unmapped_part_takes_a_mapping_that_can_fail() {
    let kernel = HostKernel::new(HostConfig::loopback(1));
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    socket.recorder.answer(Answer::Pending);
    let list = [Injected { unmapped: true, ..Injected::new(source(), b"") }];
    for fails in [true, false] {
        assert_eq!(kernel.inject(&socket.local(), 0, &list), Indicated::Retained);
        let node = socket.recorder.take_retained()[0];
        // SAFETY: retained.
        let mdl = unsafe { (*node).Buffer.Mdl };
        // SAFETY: as above.
        assert!(unsafe { mm_get_mapped_system_address(mdl) }.is_null());
        kernel.fail_mapping(u64::from(fails));
        // SAFETY: as above.
        let mapped = unsafe { kernel.mm_map_locked_pages_specify_cache(mdl) };
        assert_eq!(mapped.is_null(), fails);
        assert_eq!(socket.release(node), STATUS_SUCCESS);
    }
    assert_eq!(kernel.mappings(), 1);
    socket.close();
    client.end();
}

#[test]
fn a_prepared_list_is_indicated_again_and_again_in_place() {
    let kernel = HostKernel::new(HostConfig::loopback(2).unverified());
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let list: Vec<Injected> = (0..32u8).map(|number| Injected::new(source(), vec![number])).collect();
    let prepared = kernel.prepare(&socket.local(), &list).unwrap();
    let mut stage = prepared.stage(1).unwrap();
    for _ in 0..10 {
        assert_eq!(stage.indicate(), Indicated::Consumed);
    }
    drop(stage);
    let seen = socket.recorder.datagrams();
    assert_eq!(seen.len(), 320);
    let starts: Vec<usize> = prepared.payload_ranges().iter().map(|range| range.start).collect();
    assert!(seen.iter().enumerate().all(|(at, datagram)| datagram.first_byte == starts[at % 32]));
    socket.recorder.answer(Answer::Pending);
    assert_eq!(prepared.indicate(0), Indicated::Retained);
    assert_eq!(kernel.outstanding().indications, 32);
    assert_eq!(prepared.indicate(0), Indicated::Busy);
    assert_eq!(socket.release(socket.recorder.take_retained()[0]), STATUS_SUCCESS, "the whole list");
    assert_eq!(kernel.outstanding().indications, 0);
    drop(prepared);
    socket.close();
    client.end();
}

#[test]
fn a_socket_that_takes_nothing_says_why() {
    let kernel = HostKernel::new(HostConfig::loopback(1));
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let local = socket.local();
    let inject = || kernel.inject(&local, 0, &[Injected::new(source(), b"x")]);
    assert_eq!(inject(), Indicated::Off);
    assert_eq!(socket.set_event(0x100, std::ptr::null_mut()), STATUS_SUCCESS);
    socket.recorder.answer(Answer::NotAccepted);
    assert_eq!(inject(), Indicated::NotAccepted);
    assert_eq!(inject(), Indicated::Off, "off by refusing");
    socket.close();
    assert_eq!(inject(), Indicated::Off, "closed");
    client.end();
}
