//! Deadlines, cancellation and closing, at any point.

use std::io::Write;
use std::time::{Duration, Instant};

use skua_engine::{Dispatch, Family, NoHandler, RequestError, SocketBuilder, WaitError};

use super::{Tcp, any};
use crate::fixture::PATIENCE;

#[test]
fn a_passed_deadline_cancels() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let before = Instant::now();
    let error =
        socket.receive(tcp.buffer(b"")).wait(Duration::from_millis(30), &tcp.passive()).err().unwrap();
    assert!(before.elapsed() >= Duration::from_millis(30));
    assert_eq!(error.failed(), Some(RequestError::Cancelled { call: "WskReceive" }));
    // The connection is as it was.
    peer.write_all(b"after").unwrap();
    let (heard, _) = tcp.wait(socket.receive_all(tcp.buffer(b""), 5)).unwrap();
    assert_eq!(&*heard, b"after");
    drop(heard);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn what_a_cancelled_request_had_received_is_its_result() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let pending = socket.receive_all(tcp.buffer(b""), 10);
    peer.write_all(b"part").unwrap();
    while tcp.wait(socket.receive_backlog()).unwrap() != 0 {
        std::thread::yield_now();
    }
    // Some of it is in the request or still below; in either case it is not lost.
    let mut all = match pending.wait(Duration::from_millis(200), &tcp.passive()) {
        Ok((heard, _)) => heard.to_vec(),
        Err(error) => {
            assert_eq!(error.failed(), Some(RequestError::Cancelled { call: "WskReceive" }));
            Vec::new()
        }
    };
    peer.write_all(b"!").unwrap();
    let left = 5 - all.len();
    let (rest, _) = tcp.wait(socket.receive_all(tcp.buffer(b""), left)).unwrap();
    all.extend_from_slice(&rest);
    assert_eq!(all, b"part!");
    drop(rest);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

/// A byte comes at about the moment of the deadline: each is received once, by the request or by the next one.
#[test]
fn no_byte_is_lost_between_a_deadline_and_a_completion() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let (mut received, mut in_time) = (Vec::new(), 0);
    let rounds = 200_u8;
    for round in 0..rounds {
        let pending = socket.receive(tcp.buffer(b""));
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(u64::from(round) * 5));
            peer.write_all(&[round]).unwrap();
            peer
        });
        match pending.wait(Duration::from_micros(500), &tcp.passive()) {
            Ok((heard, _)) => {
                in_time += 1;
                received.extend_from_slice(&heard);
            }
            Err(WaitError::Failed(RequestError::Cancelled { .. })) => {}
            Err(error) => panic!("{error}"),
        }
        peer = writer.join().unwrap();
    }
    while received.len() < usize::from(rounds) {
        let (heard, _) = tcp.wait(socket.receive(tcp.buffer(b""))).unwrap();
        received.extend_from_slice(&heard);
    }
    assert_eq!(received, (0..rounds).collect::<Vec<_>>(), "{in_time} came in time");
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn waiting_above_passive_level_gives_the_request_back() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let passive = tcp.passive();
    let pending = socket.receive(tcp.buffer(b""));
    let error = Dispatch::with(&tcp.kernel, |_| pending.wait(PATIENCE, &passive)).err().unwrap();
    assert!(matches!(error, WaitError::NotPassive(_)), "{error}");
    peer.write_all(b"still there").unwrap();
    let (heard, _) = tcp.wait(error.into_pending().unwrap()).unwrap();
    assert_eq!(&*heard, b"still there");
    drop(heard);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_close_ends_every_request_of_its_socket() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, _peer) = tcp.pair(&connections, NoHandler);
    let receives: Vec<_> = (0..10).map(|_| socket.receive(tcp.buffer(b""))).collect();
    let drain = socket.drain();
    tcp.close(socket);
    for receive in receives {
        assert!(receive.is_over());
        assert_eq!(tcp.wait(receive).err(), Some(RequestError::Cancelled { call: "WskReceive" }));
    }
    assert!(tcp.wait(drain).is_err());
    drop(connections);
    tcp.finish();
}

/// Opens as far as `step`, leaves what is under way to itself, drops everything and leaves.
#[test]
fn every_step_may_be_the_last() {
    for step in 0..9 {
        let tcp = Tcp::new();
        let connections = tcp.connections(4);
        let builder = SocketBuilder::new(Family::Inet);
        let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
        'steps: {
            let made = builder.listen_socket(&tcp.provider, &connections, NoHandler);
            if step == 0 {
                break 'steps;
            }
            let unbound = tcp.wait(made).unwrap();
            if step == 1 {
                break 'steps;
            }
            let binding = unbound.bind(any());
            if step == 2 {
                break 'steps;
            }
            let listener = tcp.wait(binding).unwrap();
            let to = tcp.wait(listener.local_address()).unwrap();
            let accept = listener.accept(NoHandler);
            if step == 3 {
                break 'steps;
            }
            let made = builder.connection_socket(&tcp.provider, &connections, NoHandler);
            let client = tcp.wait(tcp.wait(made).unwrap().bind(any())).unwrap();
            let connecting = client.connect(to);
            if step == 4 {
                break 'steps;
            }
            let client = tcp.wait(connecting).unwrap();
            let server = tcp.wait(accept).unwrap();
            let receive = server.receive(tcp.buffer(b""));
            if step == 5 {
                break 'steps;
            }
            let send = client.send(tcp.buffer(b"data"));
            if step == 6 {
                break 'steps;
            }
            tcp.wait(send).unwrap();
            let disconnect = client.disconnect();
            if step == 7 {
                break 'steps;
            }
            tcp.wait(disconnect).unwrap();
            drop(client);
            // Requests outlive the sockets they were made of.
            drop(server);
            kept.push(Box::new(receive));
        }
        drop(connections);
        drop(kept);
        tcp.finish();
    }
}
