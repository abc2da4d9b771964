//! Rules of stream sockets, which listen or connect.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use skua_engine::abi::sockaddr::AF_INET;
use skua_engine::abi::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_STREAM_DISPATCH, WSK_EVENT_ACCEPT, WSK_EVENT_RECEIVE, WSK_FLAG_STREAM_SOCKET,
};
use skua_hosted::Transport;

use crate::raw::events::{CONNECTION, Tape};
use crate::raw::socket::Arguments;
use crate::raw::stream::{Stream, arguments};
use crate::raw::{Client, LOCALHOST, kernel};

#[test]
fn a_stream_socket_listens_after_wsk_listen() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Stream::open(&client, WSK_FLAG_STREAM_SOCKET, true);
    assert_eq!(socket.listen(), STATUS_INVALID_DEVICE_STATE, "not bound");
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    let local = socket.local_address().unwrap();
    assert!(TcpStream::connect(local).is_err(), "bound is not listening");
    assert_eq!(socket.event(WSK_EVENT_ACCEPT), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(socket.listen(), STATUS_SUCCESS);
    assert_eq!(socket.listen(), STATUS_INVALID_DEVICE_STATE, "once");
    assert_eq!(socket.connect(local), STATUS_INVALID_DEVICE_STATE, "it listens");
    assert_eq!(socket.send(&[b"x"], 0).0, STATUS_INVALID_DEVICE_STATE, "it is no connection");
    let mut peer = TcpStream::connect(local).unwrap();
    let accepted = socket.accept();
    peer.write_all(b"hello").unwrap();
    assert_eq!(accepted.receive(&[5], 2), (STATUS_SUCCESS, b"hello".to_vec()));
    assert_eq!(socket.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let _another = TcpStream::connect(local).unwrap();
    socket.tape.accepted().close();
    accepted.close();
    socket.close();
    client.end();
}

#[test]
fn a_stream_socket_connects_with_data_or_without() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    let remote = peer.local_addr().unwrap();
    for with_data in [false, true] {
        let socket = Stream::open(&client, WSK_FLAG_STREAM_SOCKET, true);
        assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
        if with_data {
            assert_eq!(socket.connect_ex(remote, b"hello", 0), (STATUS_SUCCESS, 5));
        } else {
            assert_eq!(socket.connect(remote), STATUS_SUCCESS);
            assert_eq!(socket.send(&[b"hello"], 0), (STATUS_SUCCESS, 5));
        }
        let mut accepted = peer.accept().unwrap().0;
        let mut received = [0; 5];
        accepted.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello");
        assert_eq!(socket.remote_address(), Ok(remote));
        assert_eq!(socket.listen(), STATUS_INVALID_DEVICE_STATE, "it is a connection");
        assert_eq!(socket.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
        accepted.write_all(b"back").unwrap();
        assert_eq!(socket.tape.wait_for_data(4), b"back");
        assert_eq!(socket.disconnect(None, 0), STATUS_SUCCESS);
        socket.close();
    }
    client.end();
}

#[test]
fn a_stream_socket_becomes_only_what_it_has_a_table_for() {
    static CONNECT_ONLY: WSK_CLIENT_STREAM_DISPATCH =
        WSK_CLIENT_STREAM_DISPATCH { Listen: std::ptr::null(), Connect: &raw const CONNECTION };
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let tape = Tape::new(&kernel);
    let given = Arguments {
        dispatch: (&raw const CONNECT_ONLY).cast(),
        ..arguments(AF_INET, WSK_FLAG_STREAM_SOCKET, &tape)
    };
    let socket = Stream::of_category(&kernel, given.create(&client).unwrap(), tape, WSK_FLAG_STREAM_SOCKET);
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    assert_eq!(socket.listen(), STATUS_INVALID_DEVICE_REQUEST);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    assert_eq!(socket.connect(peer.local_addr().unwrap()), STATUS_SUCCESS);
    socket.close();
    client.end();
}
