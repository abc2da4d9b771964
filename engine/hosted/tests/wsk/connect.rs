//! Rules of WskConnect, WskConnectEx and WskSocketConnect.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use skua_engine::abi::status::{
    STATUS_BUFFER_OVERFLOW, STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_EVENT_RECEIVE, WSK_FLAG_CONNECTION_SOCKET};
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::stream::{Stream, start_socket_connect};
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, check, kernel};

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind(LOCALHOST).unwrap().local_addr().unwrap()
}

#[test]
fn a_connect_takes_a_bound_socket_and_gives_it_both_addresses() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    let remote = peer.local_addr().unwrap();
    let connection = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, true);
    assert_eq!(connection.local_address(), Err(STATUS_INVALID_DEVICE_STATE));
    assert_eq!(connection.connect(remote), STATUS_INVALID_DEVICE_STATE, "not bound");
    assert_eq!(connection.bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)), STATUS_SUCCESS);
    let bound = connection.local_address().unwrap();
    assert!(bound.ip().is_unspecified() && bound.port() != 0);
    assert_eq!(connection.remote_address(), Err(STATUS_INVALID_DEVICE_STATE));
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_INVALID_DEVICE_STATE, "not connected");
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(connection.receive(&[1], 0).0, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(connection.disconnect(None, 0), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(connection.connect(remote), STATUS_SUCCESS);
    assert_eq!(connection.connect(remote), STATUS_INVALID_DEVICE_STATE, "connected already");
    let (_accepted, seen) = peer.accept().unwrap();
    assert_eq!(connection.local_address(), Ok(seen), "the wildcard is replaced");
    assert_eq!(seen.port(), bound.port());
    assert_eq!(connection.remote_address(), Ok(remote));
    connection.close();
    client.end();
}

#[test]
fn a_refused_connect_says_so_and_may_be_tried_again() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let connection = Stream::bound(&client);
    assert_eq!(connection.connect(nobody()), STATUS_CONNECTION_REFUSED);
    assert_eq!(connection.remote_address(), Err(STATUS_INVALID_DEVICE_STATE));
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    assert_eq!(connection.connect(peer.local_addr().unwrap()), STATUS_SUCCESS);
    connection.close();
    client.end();
}

#[test]
fn a_connect_takes_an_address_of_its_family_with_a_port_and_no_flags() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let connection = Stream::bound(&client);
    assert_eq!(connection.connect(LOCALHOST), STATUS_INVALID_PARAMETER, "port 0");
    assert_eq!(connection.connect(LOCALHOST_V6), STATUS_INVALID_PARAMETER);
    assert_eq!(connection.connect_ex(nobody(), b"x", 1).0, STATUS_INVALID_PARAMETER);
    let call = connection.table().WskConnect.unwrap();
    // SAFETY: a live socket.
    let (status, _) = connection.run(|irp| unsafe { call(connection.raw, std::ptr::null_mut(), 0, irp) });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    connection.close();
    client.end();
}

#[test]
fn a_connect_with_data_sends_it_first() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    let connection = Stream::bound(&client);
    let data = vec![7; 65_535];
    let remote = peer.local_addr().unwrap();
    let too_long = vec![7; 65_536];
    assert_eq!(connection.connect_ex(remote, &too_long, 0), (STATUS_BUFFER_OVERFLOW, 0));
    assert_eq!(connection.connect_ex(remote, &data, 0), (STATUS_SUCCESS, data.len()));
    let mut accepted = peer.accept().unwrap().0;
    assert_eq!(connection.send(&[b"behind"], 0), (STATUS_SUCCESS, 6));
    let mut received = vec![0; data.len() + 6];
    accepted.read_exact(&mut received).unwrap();
    assert_eq!(received, [&data[..], b"behind"].concat());
    connection.close();
    client.end();
}

#[test]
fn a_socket_connect_creates_binds_and_connects_with_one_irp() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    let returned = start_socket_connect(&client, &tape, LOCALHOST, peer.local_addr().unwrap(), &mut irp);
    let connected = irp.wait();
    check(returned, connected);
    assert_eq!(connected.status, Some(STATUS_SUCCESS));
    let connection = Stream::of(&kernel, std::ptr::with_exposed_provenance_mut(connected.information), tape);
    let (mut accepted, seen) = peer.accept().unwrap();
    assert_eq!(connection.local_address(), Ok(seen));
    assert_eq!(connection.send(&[b"hello"], 0), (STATUS_SUCCESS, 5));
    let mut received = [0; 5];
    accepted.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
    connection.close();
    client.end();
}

#[test]
fn a_socket_connect_that_fails_leaves_no_socket() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let tape = Tape::new(&kernel);
    let taken = TcpListener::bind(LOCALHOST).unwrap();
    for (local, remote, expected) in [
        (LOCALHOST, nobody(), STATUS_CONNECTION_REFUSED),
        (LOCALHOST, LOCALHOST_V6, STATUS_INVALID_PARAMETER),
        (taken.local_addr().unwrap(), nobody(), skua_engine::abi::status::STATUS_ADDRESS_ALREADY_EXISTS),
    ] {
        let mut irp = Irp::new(&kernel);
        let returned = start_socket_connect(&client, &tape, local, remote, &mut irp);
        check(returned, irp.wait());
        assert_eq!((irp.wait().status, irp.wait().information), (Some(expected), 0));
    }
    client.end();
}
