//! Sending and receiving by request, waited for.

use std::io::{Read, Write};
use std::net::Shutdown;

use skua_engine::{Family, NoHandler, RequestError, SocketBuilder};

use super::{Tcp, any};
use crate::fixture::PATIENCE;

#[test]
fn bytes_go_both_ways() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let (sent, bytes) = tcp.wait(socket.send(tcp.buffer(b"to the peer"))).unwrap();
    assert_eq!((&*sent, bytes), (&b"to the peer"[..], 11));
    let mut heard = [0; 11];
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"to the peer");
    peer.write_all(b"and back").unwrap();
    let (heard, bytes) = tcp.wait(socket.receive(sent)).unwrap();
    assert_eq!((&*heard, bytes), (&b"and back"[..], 8));
    drop(heard);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_receive_of_all_waits_for_all() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let pending = socket.receive_all(tcp.buffer(b""), 6);
    peer.write_all(b"abc").unwrap();
    while tcp.wait(socket.receive_backlog()).unwrap() != 0 {
        std::thread::yield_now();
    }
    assert!(!pending.is_over());
    peer.write_all(b"defghi").unwrap();
    let (heard, _) = tcp.wait(pending).unwrap();
    assert_eq!(&*heard, b"abcdef");
    let (rest, _) = tcp.wait(socket.receive(heard)).unwrap();
    assert_eq!(&*rest, b"ghi");
    let capacity = rest.capacity();
    let refused = tcp.wait(socket.receive_all(rest, capacity + 1));
    assert_eq!(refused.unwrap_err(), RequestError::TooLong { bytes: capacity + 1 });
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn the_end_of_the_stream_is_a_receive_of_nothing() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    peer.write_all(b"last").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let (heard, _) = tcp.wait(socket.receive_all(tcp.buffer(b""), 100)).unwrap();
    assert_eq!(&*heard, b"last");
    let (heard, bytes) = tcp.wait(socket.receive(heard)).unwrap();
    assert!(heard.is_empty() && bytes == 0);
    drop(heard);
    tcp.wait(socket.disconnect_with(tcp.buffer(b"bye"))).unwrap();
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"bye");
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn draining_takes_everything_up_to_the_end() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let pending = socket.drain();
    peer.write_all(&[7; 100_000]).unwrap();
    assert!(!pending.is_over());
    drop(peer);
    tcp.wait(pending).unwrap();
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn an_abort_resets_the_connection() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    tcp.wait(socket.abort()).unwrap();
    let error = peer.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn both_ends_know_their_addresses() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, peer) = tcp.pair(&connections, NoHandler);
    assert_eq!(tcp.wait(socket.local_address()).unwrap(), peer.peer_addr().unwrap());
    assert_eq!(tcp.wait(socket.remote_address()).unwrap(), peer.local_addr().unwrap());
    assert!(tcp.wait(socket.ideal_send_backlog()).unwrap() > 0);
    assert!(socket.accepted_ends().is_none());
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_connection_that_is_refused_says_so() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = SocketBuilder::new(Family::Inet).connect_to(
        &tcp.provider,
        &connections,
        NoHandler,
        (any(), free),
        PATIENCE,
        &tcp.passive(),
    );
    let error = refused.err().expect("nobody listens");
    assert!(error.to_string().contains("nobody listens there"), "{error}");
    // Its block comes back when the dropped socket is closed.
    let mut tcp = tcp;
    let passive = skua_engine::Passive::acquire(&tcp.kernel).unwrap();
    while tcp.registration.reap(&passive).is_some() {
        std::thread::yield_now();
    }
    let (socket, _peer) = tcp.pair(&connections, NoHandler);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn one_request_makes_binds_and_connects() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ends = (any(), listener.local_addr().unwrap());
    let builder = SocketBuilder::new(Family::Inet);
    let socket = tcp.wait(builder.socket_connect(&tcp.provider, &connections, NoHandler, ends)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    tcp.wait(socket.send_now(tcp.buffer(b"there"))).unwrap();
    let mut heard = [0; 5];
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"there");
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn slots_and_connections_run_out_with_an_error() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, _peer) = tcp.pair(&connections, NoHandler);
    let builder = SocketBuilder::new(Family::Inet);
    let refused = tcp.wait(builder.connection_socket(&tcp.provider, &connections, NoHandler));
    assert_eq!(refused.err(), Some(RequestError::NoConnection));
    let all: Vec<_> = std::iter::from_fn(|| tcp.requests.take()).collect();
    assert_eq!(all.len(), 64);
    assert_eq!(tcp.wait(socket.local_address()).unwrap_err(), RequestError::NoSlot);
    drop(all);
    assert!(tcp.wait(socket.local_address()).is_ok());
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}
