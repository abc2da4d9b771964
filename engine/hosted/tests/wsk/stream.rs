//! Rules of stream sockets, which listen or connect.

use std::net::TcpListener;

use skua_engine::abi::sockaddr::AF_INET;
use skua_engine::abi::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_CLIENT_STREAM_DISPATCH, WSK_FLAG_STREAM_SOCKET};
use skua_hosted::Transport;

use crate::raw::events::{CONNECTION, Tape};
use crate::raw::socket::Arguments;
use crate::raw::stream::{Stream, arguments};
use crate::raw::{Client, LOCALHOST, kernel};

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
