//! Calls on a socket over TCP that come at once, and sockets that are closed where it is least expected.

use std::io::{Read, Write};
use std::net::TcpStream;

use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_ADDRESS_COMPONENT, STATUS_NOT_SUPPORTED,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_EVENT_ACCEPT, WSK_EVENT_RECEIVE, WSK_FLAG_CONNECTION_SOCKET};
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::socket::Buffer;
use crate::raw::stream::{Stream, room};
use crate::raw::{Client, Irp, check, eventually, kernel};

#[test]
fn what_several_threads_send_at_once_does_not_mix() {
    const THREADS: u8 = 4;
    const EACH: usize = 60;
    const BLOCK: usize = 100_000;
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let mut received = vec![0; usize::from(THREADS) * EACH * BLOCK];
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let connection = &connection;
            scope.spawn(move || {
                let block = vec![thread; BLOCK];
                for _ in 0..EACH {
                    assert_eq!(connection.send(&[&block], 0), (STATUS_SUCCESS, BLOCK));
                }
            });
        }
        peer.read_exact(&mut received).unwrap();
    });
    for block in received.chunks(BLOCK) {
        assert!(block.iter().all(|byte| *byte == block[0]), "a send was cut in two");
    }
    for thread in 0..THREADS {
        let bytes = received.iter().filter(|byte| **byte == thread).count();
        assert_eq!(bytes, EACH * BLOCK);
    }
    connection.close();
    client.end();
}

#[test]
fn cancels_and_connections_that_race_complete_every_accept_once() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let local = listener.listens_at();
    let (mut connected, mut accepted) = (0, 0);
    for round in 0..200 {
        let tape = Tape::new(&kernel);
        let mut irp = Irp::new(&kernel);
        let returned = listener.start_accept(&tape, irp.raw());
        std::thread::scope(|scope| {
            scope.spawn(|| drop(TcpStream::connect(local).unwrap()));
            for _ in 0..round * 40 {
                std::hint::spin_loop();
            }
            irp.cancel();
        });
        connected += 1;
        let completion = irp.wait();
        check(returned, completion);
        match completion.status {
            Some(STATUS_CANCELLED) => {}
            Some(STATUS_SUCCESS) => {
                accepted += 1;
                let raw = std::ptr::with_exposed_provenance_mut(completion.information);
                Stream::of(&kernel, raw, tape).close();
            }
            other => panic!("{other:?}"),
        }
    }
    // Those whose accept was cancelled still wait.
    for _ in accepted..connected {
        listener.accept().close();
    }
    listener.close();
    client.end();
}

#[test]
fn a_listener_may_be_closed_while_connections_come() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    for round in 0..40u32 {
        let listener = Stream::listening(&client);
        assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
        let (local, tape) = (listener.listens_at(), std::sync::Arc::clone(&listener.tape));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..10 {
                    let _ = TcpStream::connect(local);
                }
            });
            std::thread::sleep(std::time::Duration::from_micros(u64::from(round) * 20));
            listener.close();
        });
        while tape.accepted_count() > 0 {
            tape.accepted().close();
        }
        assert_eq!(kernel.outstanding().sockets, 0);
    }
    client.end();
}

#[test]
fn no_callback_comes_after_the_close_completes() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    for _ in 0..40 {
        let (connection, mut peer) = Stream::pair(&client);
        assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
        let tape = std::sync::Arc::clone(&connection.tape);
        std::thread::scope(|scope| {
            scope.spawn(move || while peer.write_all(&[1; 100]).is_ok() {});
            tape.wait_for_data(1);
            connection.close();
            let calls = tape.state().indications.len();
            std::thread::yield_now();
            assert_eq!(tape.state().indications.len(), calls);
        });
    }
    client.end();
}

#[test]
fn closing_waits_for_a_running_callback_without_blocking_the_caller() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    connection.tape.block(true);
    peer.write_all(b"x").unwrap();
    connection.tape.wait("nobody is inside", |state| state.inside == 1);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_close(&mut irp), STATUS_PENDING);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(!irp.is_complete(), "a callback runs");
    connection.tape.block(false);
    check(STATUS_PENDING, irp.wait());
    client.end();
}

#[test]
fn sockets_that_die_while_they_are_used_complete_every_request_once() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    for round in 0..60u32 {
        let (connection, mut peer) = Stream::pair(&client);
        let local = connection.local_address().unwrap();
        let (target, data) = (room(&kernel, &[64]), Buffer::new(&kernel, &[&[1; 300_000]]));
        let mut irps: Vec<Irp> = (0..4).map(|_| Irp::new(&kernel)).collect();
        let mut returned = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_micros(u64::from(round) * 3));
                kernel.kill(&local);
            });
            for (index, irp) in irps.iter_mut().enumerate() {
                returned.push(match index {
                    0 | 2 => connection.start_receive(&target, 0, irp.raw()),
                    1 => connection.start_send(&data, 0, irp.raw()),
                    _ => connection.start_disconnect(None, 0, irp.raw()),
                });
            }
            let _ = peer.write_all(b"xyz");
        });
        for (returned, irp) in returned.into_iter().zip(&irps) {
            check(returned, irp.wait());
        }
        eventually("it lives", || connection.receive(&[1], 0).0 == STATUS_FILE_FORCED_CLOSED);
        connection.close();
    }
    client.end();
}

#[test]
fn calls_with_control_messages_take_none() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let data = Buffer::new(&kernel, &[b"data"]);
    let send = connection.table().WskSendEx.unwrap();
    let mut area = [0u64; 4];
    for (length, expected) in [(0, (STATUS_SUCCESS, 4)), (32, (STATUS_NOT_SUPPORTED, 0))] {
        let mut header = data.header();
        // SAFETY: a live socket and buffers.
        let sent = connection.run(|irp| unsafe {
            send(connection.raw, &raw mut header, 0, length, area.as_mut_ptr().cast(), irp)
        });
        assert_eq!(sent, expected);
    }
    let mut seen = [0; 4];
    peer.read_exact(&mut seen).unwrap();
    peer.write_all(b"back").unwrap();
    let target = room(&kernel, &[8]);
    let (mut header, mut length, mut flags) = (target.header(), 32, 7);
    let receive = connection.table().WskReceiveEx.unwrap();
    let area = area.as_mut_ptr().cast();
    // SAFETY: a live socket and buffers.
    let received = connection.run(|irp| unsafe {
        receive(connection.raw, &raw mut header, 0, &raw mut length, area, &raw mut flags, irp)
    });
    assert_eq!((received, length, flags), ((STATUS_SUCCESS, 4), 0, 0));
    connection.close();
    client.end();
}

#[test]
fn an_address_that_is_not_local_is_refused_and_another_can_be_tried() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    // Wine binds any address of IPv4.
    let connection = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, false);
    assert_eq!(connection.bind("[2001:db8::1]:0".parse().unwrap()), STATUS_INVALID_ADDRESS_COMPONENT);
    assert_eq!(connection.bind(crate::raw::LOCALHOST_V6), STATUS_SUCCESS);
    connection.close();
    client.end();
}
