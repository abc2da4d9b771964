//! Rules of listening sockets: WskBind, WskAccept, WskAcceptEvent.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use skua_engine::abi::sockaddr::{SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE, SO_REUSEADDR, SOL_SOCKET};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_EVENT_ACCEPT, WSK_EVENT_RECEIVE, WSK_FLAG_LISTEN_SOCKET};
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::stream::{Stream, arguments};
use crate::raw::{Client, Irp, LOCALHOST, kernel};

#[test]
fn a_static_event_needs_a_callback() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    assert_eq!(client.set_static_events(WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    let tape = Tape::new(&kernel);
    let without = crate::raw::socket::Arguments {
        dispatch: std::ptr::null(),
        ..arguments(skua_engine::abi::sockaddr::AF_INET, WSK_FLAG_LISTEN_SOCKET, &tape)
    };
    assert_eq!(without.create(&client), Err(STATUS_INVALID_PARAMETER));
    client.end();
}

#[test]
fn a_listening_socket_that_dies_says_so_with_null() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    assert_eq!(listener.start_accept(&tape, irp.raw()), STATUS_PENDING);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    assert_eq!(kernel.kill(&listener.listens_at()), 1);
    assert_eq!(irp.wait().status, Some(STATUS_FILE_FORCED_CLOSED));
    listener.tape.wait("it was not told", |state| state.deaths == 1);
    let (status, _) = listener.run(|irp| listener.start_accept(&tape, irp));
    assert_eq!(status, STATUS_FILE_FORCED_CLOSED);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_FILE_FORCED_CLOSED);
    listener.close();
    client.end();
}

#[test]
fn a_port_in_use_is_refused_unless_all_share_it() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    assert_eq!(listener.bind(peer.local_addr().unwrap()), STATUS_ADDRESS_ALREADY_EXISTS);
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS, "another can be tried");
    assert_eq!(listener.set(SOL_SOCKET, SO_REUSEADDR, 1u32), STATUS_INVALID_DEVICE_STATE, "before bind");
    let open = || {
        let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
        assert_eq!(listener.set(SOL_SOCKET, SO_REUSEADDR, 1u32), STATUS_SUCCESS);
        assert_eq!(listener.set(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1u32), STATUS_INVALID_PARAMETER);
        assert_eq!(listener.set(SOL_SOCKET, SO_KEEPALIVE, 1u32), STATUS_SUCCESS);
        assert_eq!(listener.get(SOL_SOCKET, SO_KEEPALIVE), Ok(1));
        listener
    };
    let (first, second) = (open(), open());
    assert_eq!(first.bind(LOCALHOST), STATUS_SUCCESS);
    // Wine 8 shares no address that is listened at.
    let second_local = if cfg!(windows) { LOCALHOST } else { first.listens_at() };
    assert_eq!(second.bind(second_local), STATUS_SUCCESS);
    for socket in [listener, first, second] {
        socket.close();
    }
    client.end();
}

#[test]
fn an_address_can_be_listened_at_again_while_its_connections_fade() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let local = listener.listens_at();
    let mut peer = TcpStream::connect(local).unwrap();
    let accepted = listener.accept();
    assert_eq!(accepted.disconnect(None, 0), STATUS_SUCCESS);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    drop(peer);
    assert_eq!(accepted.receive(&[1], 0), (STATUS_SUCCESS, Vec::new()));
    accepted.close();
    listener.close();
    let again = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    assert_eq!(again.bind(local), STATUS_SUCCESS);
    again.close();
    client.end();
}
