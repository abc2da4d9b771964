//! Stream sockets: what they become, and the data that a connect carries.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use skua_engine::{Family, NoHandler, RequestError, SocketBuilder};

use super::{Tcp, any};

#[test]
fn a_stream_socket_listens_and_accepts() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let builder = SocketBuilder::new(Family::Inet);
    let unbound = tcp.wait(builder.stream_listener(&tcp.provider, &connections, NoHandler)).unwrap();
    let bound = tcp.wait(unbound.bind(any())).unwrap();
    let address = tcp.wait(bound.local_address()).unwrap();
    let listener = tcp.wait(bound.listen()).unwrap();
    let mut peer = TcpStream::connect(address).unwrap();
    let socket = tcp.wait(listener.accept(NoHandler)).unwrap();
    peer.write_all(b"in").unwrap();
    let (heard, _) = tcp.wait(socket.receive_all(tcp.buffer(b""), 2)).unwrap();
    assert_eq!(&*heard, b"in");
    tcp.wait(socket.send(heard)).unwrap();
    let mut back = [0; 2];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"in");
    tcp.close(socket);
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_connect_carries_the_first_bytes() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let builder = SocketBuilder::new(Family::Inet);
    let unbound = tcp.wait(builder.stream_connector(&tcp.provider, &connections, NoHandler)).unwrap();
    let bound = tcp.wait(unbound.bind(any())).unwrap();
    let address = tcp.wait(bound.local_address()).unwrap();
    let to = peer.local_addr().unwrap();
    let socket = tcp.wait(bound.connect_with(to, tcp.buffer(b"first bytes"))).unwrap();
    let (mut peer, from) = peer.accept().unwrap();
    assert_eq!(from, address);
    let mut heard = [0; 11];
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"first bytes");
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn an_ipv4_socket_takes_no_ipv6_address() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let builder = SocketBuilder::new(Family::Inet);
    let unbound = tcp.wait(builder.stream_connector(&tcp.provider, &connections, NoHandler)).unwrap();
    let refused = tcp.wait(unbound.bind("[::1]:0".parse().unwrap()));
    assert_eq!(refused.err(), Some(RequestError::Family));
    drop(connections);
    tcp.finish();
}
