//! Rules of listening sockets: WskBind, WskAccept, WskAcceptEvent.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use skua_engine::abi::nt::DISPATCH_LEVEL;
use skua_engine::abi::sockaddr::{SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE, SO_REUSEADDR, SOL_SOCKET};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_LISTEN_SOCKET,
};
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::stream::{Stream, arguments, is_dropped};
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, check, eventually, kernel};

#[test]
fn an_accept_ends_at_once_when_a_connection_waits() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let peer = TcpStream::connect(listener.listens_at()).unwrap();
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    // The stack queues it behind the handshake.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let returned = listener.start_accept(&tape, irp.raw());
    assert_eq!(returned, STATUS_SUCCESS);
    let accepted = irp.wait();
    check(returned, accepted);
    let socket = Stream::of(&kernel, std::ptr::with_exposed_provenance_mut(accepted.information), tape);
    assert_eq!(socket.local_address(), Ok(listener.listens_at()));
    assert_eq!(socket.remote_address(), Ok(peer.local_addr().unwrap()));
    socket.close();
    listener.close();
    client.end();
}

#[test]
fn accepts_wait_in_the_order_of_their_calls() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let tapes = [Tape::new(&kernel), Tape::new(&kernel)];
    let mut irps = [Irp::new(&kernel), Irp::new(&kernel)];
    for (tape, irp) in tapes.iter().zip(&mut irps) {
        assert_eq!(listener.start_accept(tape, irp.raw()), STATUS_PENDING);
    }
    let mut peers = Vec::new();
    for (tape, irp) in tapes.into_iter().zip(&irps) {
        let peer = TcpStream::connect(listener.listens_at()).unwrap();
        let accepted = irp.wait();
        check(STATUS_PENDING, accepted);
        let socket = Stream::of(&kernel, std::ptr::with_exposed_provenance_mut(accepted.information), tape);
        assert_eq!(socket.remote_address(), Ok(peer.local_addr().unwrap()));
        peers.push(peer);
        socket.close();
    }
    listener.close();
    client.end();
}

#[test]
fn a_cancelled_accept_takes_no_connection() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    assert_eq!(listener.start_accept(&tape, irp.raw()), STATUS_PENDING);
    assert!(irp.cancel());
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    let peer = TcpStream::connect(listener.listens_at()).unwrap();
    let accepted = listener.accept();
    assert_eq!(accepted.remote_address(), Ok(peer.local_addr().unwrap()));
    accepted.close();
    listener.close();
    client.end();
}

#[test]
fn an_accept_needs_a_socket_that_listens_and_no_flags() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    let tape = Tape::new(&kernel);
    let (status, _) = listener.run(|irp| listener.start_accept(&tape, irp));
    assert_eq!(status, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_INVALID_DEVICE_STATE, "before bind");
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
    assert_eq!(listener.bind(LOCALHOST), STATUS_INVALID_DEVICE_STATE, "bound already");
    let call = listener.listen_table().WskAccept.unwrap();
    let nowhere = std::ptr::null_mut();
    let (status, _) = listener.run(|irp| {
        // SAFETY: a live socket.
        unsafe { call(listener.raw, 1, std::ptr::null_mut(), std::ptr::null(), nowhere, nowhere, irp) }
    });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    listener.close();
    client.end();
}

#[test]
fn the_accept_event_gets_connections_with_both_ends_at_dispatch_level() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let peer = TcpStream::connect(listener.listens_at()).unwrap();
    let accepted = listener.tape.accepted();
    let ends = listener.tape.state().ends.clone();
    assert_eq!(ends, [[listener.listens_at(), peer.local_addr().unwrap()]]);
    assert_eq!(listener.tape.state().irqls, [DISPATCH_LEVEL]);
    assert_eq!(accepted.send(&[b"hello"], 0), (STATUS_SUCCESS, 5));
    let mut received = [0; 5];
    (&peer).read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
    accepted.close();
    listener.close();
    client.end();
}

#[test]
fn a_connection_that_the_event_refuses_is_closed() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    listener.tape.refuse();
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    assert!(is_dropped(&mut peer));
    eventually("the provider keeps the socket", || kernel.outstanding().sockets == 1);
    listener.close();
    client.end();
}

#[test]
fn an_accept_that_waits_comes_before_the_event() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    assert_eq!(listener.start_accept(&tape, irp.raw()), STATUS_PENDING);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let first = TcpStream::connect(listener.listens_at()).unwrap();
    let accepted = irp.wait();
    assert_eq!(listener.tape.accepted_count(), 0);
    let second = TcpStream::connect(listener.listens_at()).unwrap();
    let by_event = listener.tape.accepted();
    assert_eq!(by_event.remote_address(), Ok(second.local_addr().unwrap()));
    let by_request = Stream::of(&kernel, std::ptr::with_exposed_provenance_mut(accepted.information), tape);
    assert_eq!(by_request.remote_address(), Ok(first.local_addr().unwrap()));
    by_event.close();
    by_request.close();
    listener.close();
    client.end();
}

#[test]
fn connections_wait_while_nobody_accepts() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let peers: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(listener.listens_at()).unwrap()).collect();
    assert_eq!(kernel.outstanding().sockets, 1);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    for peer in &peers {
        let accepted = listener.tape.accepted();
        assert_eq!(accepted.remote_address(), Ok(peer.local_addr().unwrap()), "in order");
        accepted.close();
    }
    // Off again, the next one waits.
    listener.disable(WSK_EVENT_ACCEPT);
    let _peer = TcpStream::connect(listener.listens_at()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(listener.tape.accepted_count(), 0);
    listener.close();
    client.end();
}

#[test]
fn events_of_connections_enabled_on_a_listener_are_defaults_of_what_its_event_accepts() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let mask = WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;
    assert_eq!(listener.event(mask), STATUS_SUCCESS);
    let undo = WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE;
    assert_eq!(listener.event(undo), STATUS_INVALID_PARAMETER, "a default cannot be taken back");
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    peer.write_all(b"data").unwrap();
    let by_event = listener.tape.accepted();
    assert_eq!(by_event.tape.wait_for_data(4), b"data");
    drop(peer);
    by_event.tape.wait("no end", |state| state.disconnects.len() == 1);
    // Not of what WskAccept accepts.
    listener.disable(WSK_EVENT_ACCEPT);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    peer.write_all(b"data").unwrap();
    let by_request = listener.accept();
    assert!(by_request.tape.is_quiet());
    assert_eq!(by_request.receive(&[4], 2), (STATUS_SUCCESS, b"data".to_vec()));
    by_event.close();
    by_request.close();
    listener.close();
    client.end();
}

#[test]
fn static_events_are_enabled_on_accepted_sockets_too() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    assert_eq!(client.set_static_events(WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    let tape = Tape::new(&kernel);
    let without = crate::raw::socket::Arguments {
        dispatch: std::ptr::null(),
        ..arguments(skua_engine::abi::sockaddr::AF_INET, WSK_FLAG_LISTEN_SOCKET, &tape)
    };
    assert_eq!(without.create(&client), Err(STATUS_INVALID_PARAMETER), "a static event needs a callback");
    let listener = Stream::listening(&client);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    peer.write_all(b"data").unwrap();
    let accepted = listener.tape.accepted();
    assert_eq!(accepted.tape.wait_for_data(4), b"data");
    let off = WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE;
    assert_eq!(accepted.event(off), STATUS_INVALID_PARAMETER, "static is for good");
    accepted.close();
    listener.close();
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
fn closing_a_listener_cancels_its_accepts_and_leaves_accepted_sockets() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    let accepted = listener.accept();
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    assert_eq!(listener.start_accept(&tape, irp.raw()), STATUS_PENDING);
    let local = listener.listens_at();
    listener.close();
    assert!(irp.is_complete(), "before the close");
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    assert!(TcpStream::connect(local).is_err(), "nobody listens");
    peer.write_all(b"x").unwrap();
    assert_eq!(accepted.receive(&[8], 0), (STATUS_SUCCESS, b"x".to_vec()));
    accepted.close();
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

#[test]
fn sockets_of_ipv6_take_addresses_of_ipv6_alone() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, false);
    assert_eq!(listener.bind(LOCALHOST), STATUS_INVALID_PARAMETER);
    assert_eq!(listener.bind(LOCALHOST_V6), STATUS_SUCCESS);
    let peer = TcpStream::connect(listener.listens_at()).unwrap();
    let accepted = listener.accept();
    assert_eq!(accepted.remote_address(), Ok(peer.local_addr().unwrap()));
    accepted.close();
    listener.close();
    // As on Windows, not of IPv4 as well.
    let wildcard = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, false);
    assert_eq!(wildcard.bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)), STATUS_SUCCESS);
    let port = wildcard.listens_at().port();
    assert!(TcpStream::connect(SocketAddr::new(LOCALHOST.ip(), port)).is_err());
    wildcard.close();
    client.end();
}
