//! Basic sockets, options and I/O controls.

use skua_engine::abi::sockaddr::{SO_KEEPALIVE, SO_RCVBUF, SOCK_STREAM, SOL_SOCKET};
use skua_engine::{Controlled, Family, NoHandler, RequestError, Sharing, SocketBuilder};

use super::{Tcp, any};
use crate::fixture::PATIENCE;

#[test]
fn a_basic_socket_is_made_asked_and_closed() {
    let tcp = Tcp::new();
    let builder = SocketBuilder::new(Family::Inet);
    let socket = tcp.wait(builder.basic(&tcp.provider, &tcp.requests, SOCK_STREAM)).unwrap();
    // No provider knows it; that it answers is what counts.
    let answer = tcp.wait(socket.query::<u64>(0x4fff_fff0));
    assert!(matches!(answer, Err(RequestError::Refused { call: "WskControlSocket", .. })), "{answer:?}");
    assert!(!socket.is_dead());
    socket.close(PATIENCE, &tcp.passive()).unwrap();
    tcp.finish();
}

#[test]
fn options_are_set_before_the_bind_and_read_after() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let builder =
        SocketBuilder::new(Family::Inet).sharing(Sharing::Exclusive).option(SOL_SOCKET, SO_RCVBUF, 100_000);
    let listener =
        builder.listen_on(&tcp.provider, &connections, NoHandler, any(), PATIENCE, &tcp.passive()).unwrap();
    let bytes: u32 = tcp.wait(listener.get_option(SOL_SOCKET, SO_RCVBUF)).unwrap();
    assert!(bytes >= 100_000, "{bytes}");
    let address = tcp.wait(listener.local_address()).unwrap();
    let again = builder.listen_on(&tcp.provider, &connections, NoHandler, address, PATIENCE, &tcp.passive());
    let error = again.err().expect("the address is taken");
    assert!(error.to_string().contains("another program has the port"), "{error}");
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn an_option_of_a_connection_is_what_was_set() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, _peer) = tcp.pair(&connections, NoHandler);
    tcp.wait(socket.set_option(SOL_SOCKET, SO_KEEPALIVE, 1_u32)).unwrap();
    let on: u32 = tcp.wait(socket.get_option(SOL_SOCKET, SO_KEEPALIVE)).unwrap();
    assert_eq!(on, 1);
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}
