//! Rules of WskReceiveFromEvent and WskRelease.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use skua_engine::abi::status::{
    STATUS_EVENT_PENDING, STATUS_FILE_FORCED_CLOSED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_DATAGRAM_INDICATION, WSK_EVENT_DISABLE, WSK_EVENT_RECEIVE_FROM};
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::recorder::Answer;
use crate::raw::socket::Socket;
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, TRANSPORTS, check, kernel, with};

#[test]
fn every_payload_size_arrives_whole_and_in_order() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        for (local, largest) in [(LOCALHOST, 65_507), (LOCALHOST_V6, 65_487)] {
            let socket = Socket::bound(&client, local);
            let sender = Socket::bound(&client, local);
            let payloads: Vec<Vec<u8>> =
                [0, 1, 1472, 2047, 2048, 2049, 9000, largest].into_iter().map(pattern).collect();
            for payload in &payloads {
                // One at a time, so that no buffer fills.
                let before = socket.recorder.count();
                assert_eq!(sender.send_to(socket.local(), &[payload], &[]), (STATUS_SUCCESS, payload.len()));
                socket.recorder.wait_for(before + 1);
            }
            let seen = socket.recorder.datagrams();
            assert!(seen.iter().map(|datagram| &datagram.payload).eq(payloads.iter()), "{transport:?}");
            assert!(seen.iter().all(|datagram| datagram.source == sender.local() && datagram.has_mdl));
            socket.close();
            sender.close();
        }
        client.end();
    }
}

#[test]
fn payload_is_received_where_it_is_indicated() {
    let kernel = crate::raw::unverified(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let buffers = kernel.receive_buffers(&socket.local());
    UdpSocket::bind(LOCALHOST).unwrap().send_to(b"x", socket.local()).unwrap();
    socket.recorder.wait_for(1);
    let at = socket.recorder.datagrams()[0].first_byte;
    assert!(buffers.iter().any(|buffer| buffer.start == at), "a copy was made");
    socket.close();
    client.end();
}

#[test]
fn retained_indications_keep_their_bytes_until_they_are_released_in_any_order_from_any_thread() {
    for transport in TRANSPORTS {
        let blocks = 16;
        let kernel = with(ProviderConfig { transport, blocks, batch: 8, ..ProviderConfig::default() });
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        socket.recorder.answer(Answer::Pending);
        // Twice as many as there are blocks: the rest waits below until blocks come back.
        for number in 0..2 * blocks {
            assert_eq!(sender.send_to(socket.local(), &[&number.to_ne_bytes()], &[]).0, STATUS_SUCCESS);
        }
        socket.recorder.wait_for(blocks as usize);
        assert!(socket.recorder.is_quiet(blocks as usize), "every block is lent");
        assert_eq!(kernel.outstanding().indications, blocks as usize);
        let mut retained = socket.recorder.take_retained();
        // A permutation without fixed order, from two threads, singly.
        let step = 5;
        retained = (0..retained.len()).map(|at| retained[at * step % retained.len()]).collect();
        let (front, back) = retained.split_at(retained.len() / 2);
        std::thread::scope(|scope| {
            for half in [front, back] {
                let half: Vec<usize> = half.iter().map(|node| node.expose_provenance()).collect();
                let socket = &socket;
                scope.spawn(move || {
                    for node in half {
                        let node: *mut WSK_DATAGRAM_INDICATION = std::ptr::with_exposed_provenance_mut(node);
                        // SAFETY: retained, so it is the client's.
                        unsafe { (*node).Next = std::ptr::null_mut() };
                        assert_eq!(socket.release(node), STATUS_SUCCESS);
                    }
                });
            }
        });
        socket.recorder.wait_for(2 * blocks as usize);
        let numbers: Vec<u32> = socket
            .recorder
            .datagrams()
            .iter()
            .map(|datagram| u32::from_ne_bytes(datagram.payload[..].try_into().unwrap()))
            .collect();
        assert!(numbers.iter().copied().eq(0..2 * blocks), "{transport:?}");
        for node in socket.recorder.take_retained() {
            // SAFETY: retained.
            unsafe { (*node).Next = std::ptr::null_mut() };
            assert_eq!(socket.release(node), STATUS_SUCCESS);
        }
        assert_eq!(kernel.outstanding().indications, 0);
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_static_event_that_refuses_is_called_again_without_spinning() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    socket.recorder.answer(Answer::NotAccepted);
    UdpSocket::bind(LOCALHOST).unwrap().send_to(b"x", socket.local()).unwrap();
    let begun = Instant::now();
    socket.recorder.wait_for_calls(5);
    assert!(begun.elapsed() >= Duration::from_millis(4), "it rests 1 ms between calls");
    socket.recorder.answer(Answer::Success);
    socket.recorder.wait_for(1);
    socket.close();
    client.end();
}

#[test]
fn a_disabled_event_waits_for_callbacks_with_an_irp_and_says_so_without() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        let nobody = std::ptr::null_mut();
        let disable = WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE;
        assert_eq!(socket.set_event(WSK_EVENT_RECEIVE_FROM, nobody), STATUS_SUCCESS);
        assert_eq!(socket.set_event(disable, nobody), STATUS_SUCCESS, "idle");
        let (status, _) = socket.run(|irp| socket.set_event(disable, irp));
        assert_eq!(status, STATUS_SUCCESS, "idle");
        assert_eq!(socket.set_event(WSK_EVENT_RECEIVE_FROM, nobody), STATUS_SUCCESS);
        socket.recorder.block(true);
        sender.deliver(socket.local(), b"x");
        socket.recorder.wait_until_inside();
        assert_eq!(socket.set_event(disable, nobody), STATUS_EVENT_PENDING);
        assert!(STATUS_EVENT_PENDING.is_success());
        let mut irp = Irp::new(&kernel);
        let returned = socket.set_event(disable, irp.raw());
        assert_eq!(returned, STATUS_PENDING);
        assert!(!irp.is_complete(), "{transport:?}: a callback runs");
        socket.recorder.block(false);
        let completion = irp.wait();
        check(returned, completion);
        assert_eq!(completion.status, Some(STATUS_SUCCESS));
        assert_eq!(socket.recorder.inside(), 0);
        sender.deliver(socket.local(), b"y");
        assert!(socket.recorder.is_quiet(1), "off");
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_dying_socket_is_told_by_a_null_list_and_is_good_for_closing_only() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let local = socket.local();
        socket.recorder.answer(Answer::Pending);
        let sender = Socket::bound(&client, LOCALHOST);
        sender.deliver(local, b"kept");
        socket.recorder.wait_for(1);
        assert_eq!(kernel.kill(&local), 1);
        assert_eq!(kernel.kill(&local), 1, "it is bound still");
        assert_eq!(socket.recorder.deaths(), 1, "told once");
        sender.deliver(local, b"after");
        assert!(socket.recorder.is_quiet(1), "{transport:?}: nothing comes after that");
        assert_eq!(socket.local_address(), Err(STATUS_FILE_FORCED_CLOSED));
        assert_eq!(socket.send_to(local, &[b"x"], &[]).0, STATUS_FILE_FORCED_CLOSED);
        assert_eq!(socket.set(0, 19, 1u32), STATUS_FILE_FORCED_CLOSED);
        let node = socket.recorder.take_retained()[0];
        assert_eq!(socket.release(node), STATUS_SUCCESS, "what it lent is still taken back");
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn workers_share_a_port_and_indicate_on_processors_of_their_own() {
    let kernel = with(ProviderConfig { workers: 2, ..ProviderConfig::default() });
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let local = socket.local();
    // Senders are spread by a hash of their addresses.
    let (senders, each) = (64, 4);
    for _ in 0..senders {
        let peer = UdpSocket::bind(LOCALHOST).unwrap();
        for _ in 0..each {
            peer.send_to(b"x", local).unwrap();
        }
    }
    socket.recorder.wait_for(senders * each);
    let processors: BTreeSet<u32> =
        socket.recorder.datagrams().iter().map(|datagram| datagram.processor).collect();
    let expected: &[u32] = if cfg!(target_os = "linux") { &[0, 1] } else { &[0] };
    assert!(processors.iter().eq(expected));
    assert!(UdpSocket::bind(local).is_err(), "another socket is refused");
    let second = Socket::open(&client, true);
    assert!(!second.bind(local).is_success(), "one of the same kernel too");
    second.close();
    socket.close();
    client.end();
    assert!(UdpSocket::bind(local).is_ok(), "closed when the IRP completes");
}

#[test]
fn a_callback_has_its_processor_to_itself() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let sockets = [Socket::bound(&client, LOCALHOST), Socket::bound(&client, LOCALHOST)];
    // Worker 0 of either socket runs on processor 0.
    let peer = UdpSocket::bind(LOCALHOST).unwrap();
    sockets[0].recorder.block(true);
    peer.send_to(b"x", sockets[0].local()).unwrap();
    sockets[0].recorder.wait_until_inside();
    peer.send_to(b"y", sockets[1].local()).unwrap();
    assert!(sockets[1].recorder.is_quiet(0), "processor 0 is taken");
    sockets[0].recorder.block(false);
    sockets[1].recorder.wait_for(1);
    sockets.into_iter().for_each(Socket::close);
    client.end();
}

/// Bytes that differ from their neighbours.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}
