//! Accepting: by request, by event, and conditionally.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use skua_engine::{Acceptance, Arriving, InspectId, Inspection, ListenHandler, NoHandler, RequestError};
use skua_hosted::HostKernel;

use super::{Connection, Tcp};
use crate::fixture::PATIENCE;

#[test]
fn a_request_accepts_before_and_after_the_connection_came() {
    let tcp = Tcp::new();
    let connections = tcp.connections(2);
    let (listener, address) = tcp.listen(&connections, NoHandler);
    let early = listener.accept(NoHandler);
    assert!(!early.is_over());
    let mut first = TcpStream::connect(address).unwrap();
    let socket = tcp.wait(early).unwrap();
    assert_eq!(socket.accepted_ends(), Some((address, first.local_addr().unwrap())));
    first.write_all(b"hello").unwrap();
    let (heard, _) = tcp.wait(socket.receive(tcp.buffer(b""))).unwrap();
    assert_eq!(&*heard, b"hello");
    drop(heard);
    let second = TcpStream::connect(address).unwrap();
    let late = tcp.wait(listener.accept(NoHandler)).unwrap();
    assert_eq!(late.accepted_ends().unwrap().1, second.local_addr().unwrap());
    let none = tcp.wait(listener.accept(NoHandler)).err();
    assert_eq!(none, Some(RequestError::NoConnection));
    tcp.close(late);
    tcp.close(socket);
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn closing_the_listener_ends_an_accept_and_frees_its_connection() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (listener, _) = tcp.listen(&connections, NoHandler);
    let pending = listener.accept(NoHandler);
    tcp.stop(listener);
    assert_eq!(tcp.wait(pending).err(), Some(RequestError::Cancelled { call: "WskAccept" }));
    drop(connections);
    tcp.finish();
}

/// Accepts, and hands the sockets to the test.
struct Door {
    accepted: Sender<Connection>,
    limit: Mutex<usize>,
}

impl Door {
    fn new(limit: usize) -> (Self, Receiver<Connection>) {
        let (accepted, sockets) = channel();
        (Self { accepted, limit: Mutex::new(limit) }, sockets)
    }
}

impl ListenHandler<HostKernel> for Door {
    type Connection = NoHandler;
    const ACCEPTS: bool = true;

    fn accept<'a>(&self, arriving: Arriving<'a, HostKernel, NoHandler>) -> Acceptance<'a> {
        let mut left = self.limit.lock().unwrap();
        if *left == 0 {
            return arriving.refuse();
        }
        match arriving.accept(NoHandler) {
            Ok((acceptance, socket)) => {
                *left -= 1;
                let _ = self.accepted.send(socket);
                acceptance
            }
            Err((refusal, NoHandler)) => refusal,
        }
    }
}

#[test]
fn the_event_accepts_and_refuses() {
    let tcp = Tcp::new();
    let connections = tcp.connections(8);
    let (door, sockets) = Door::new(3);
    let (listener, address) = tcp.listen(&connections, door);
    for round in 0..3_u8 {
        let mut peer = TcpStream::connect(address).unwrap();
        let socket = sockets.recv_timeout(PATIENCE).unwrap();
        assert_eq!(socket.accepted_ends(), Some((address, peer.local_addr().unwrap())));
        tcp.wait(socket.send(tcp.buffer(&[round; 10]))).unwrap();
        let mut heard = [0; 10];
        peer.read_exact(&mut heard).unwrap();
        assert_eq!(heard, [round; 10]);
        tcp.close(socket);
    }
    let mut refused = TcpStream::connect(address).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(refused.read(&mut [0; 1]), Ok(0) | Err(_)), "the provider closes what was refused");
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_connection_beyond_the_room_for_them_is_refused() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (door, sockets) = Door::new(9);
    let (listener, address) = tcp.listen(&connections, door);
    let _first = TcpStream::connect(address).unwrap();
    let first = sockets.recv_timeout(PATIENCE).unwrap();
    let mut second = TcpStream::connect(address).unwrap();
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(second.read(&mut [0; 1]), Ok(0) | Err(_)));
    tcp.close(first);
    let _third = TcpStream::connect(address).unwrap();
    tcp.close(sockets.recv_timeout(PATIENCE).unwrap());
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

/// Drops what it accepts, inside the callback.
struct Slammer;

impl ListenHandler<HostKernel> for Slammer {
    type Connection = NoHandler;
    const ACCEPTS: bool = true;

    fn accept<'a>(&self, arriving: Arriving<'a, HostKernel, NoHandler>) -> Acceptance<'a> {
        match arriving.accept(NoHandler) {
            Ok((acceptance, _dropped)) => acceptance,
            Err((refusal, NoHandler)) => refusal,
        }
    }
}

#[test]
fn a_socket_dropped_in_its_accept_event_is_closed_later() {
    let mut tcp = Tcp::new();
    let connections = tcp.connections(4);
    let (listener, address) = tcp.listen(&connections, Slammer);
    for _ in 0..20 {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
        loop {
            let passive = skua_engine::Passive::acquire(&tcp.kernel).unwrap();
            let _left = tcp.registration.reap(&passive);
            match peer.read(&mut [0; 1]) {
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {}
                _closed => break,
            }
        }
    }
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

/// Leaves every connection pending, and tells the test.
struct Doorman {
    asked: Mutex<Sender<(SocketAddr, InspectId)>>,
    gone: Mutex<Sender<InspectId>>,
}

impl ListenHandler<HostKernel> for Doorman {
    type Connection = NoHandler;
    const ACCEPTS: bool = false;
    const INSPECTS: bool = true;

    fn inspect(&self, _local: SocketAddr, remote: SocketAddr, id: InspectId) -> Inspection {
        let _ = self.asked.lock().unwrap().send((remote, id));
        Inspection::Pend
    }

    fn abort(&self, id: InspectId) {
        let _ = self.gone.lock().unwrap().send(id);
    }
}

#[test]
fn a_pending_connection_is_decided_later() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (asked, questions) = channel();
    let (gone, aborted) = channel();
    let doorman = Doorman { asked: asked.into(), gone: gone.into() };
    let (listener, address) = tcp.listen(&connections, doorman);
    let accept = listener.accept(NoHandler);
    let mut turned_away = TcpStream::connect(address).unwrap();
    let (remote, id) = questions.recv_timeout(PATIENCE).unwrap();
    assert_eq!(remote, turned_away.local_addr().unwrap());
    assert!(!accept.is_over());
    tcp.wait(listener.inspect_complete(id, Inspection::Reject)).unwrap();
    assert!(matches!(turned_away.read(&mut [0; 1]), Ok(0) | Err(_)));
    let leaves = TcpStream::connect(address).unwrap();
    let (_, id) = questions.recv_timeout(PATIENCE).unwrap();
    drop(leaves);
    assert_eq!(aborted.recv_timeout(PATIENCE).unwrap(), id);
    let let_in = TcpStream::connect(address).unwrap();
    let (_, id) = questions.recv_timeout(PATIENCE).unwrap();
    tcp.wait(listener.inspect_complete(id, Inspection::Accept)).unwrap();
    let socket = tcp.wait(accept).unwrap();
    assert_eq!(socket.accepted_ends().unwrap().1, let_in.local_addr().unwrap());
    // Once decided it cannot be decided again.
    assert!(tcp.wait(listener.inspect_complete(id, Inspection::Accept)).is_err());
    tcp.close(socket);
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}
