//! Rules of WskBind, WskGetLocalAddress and of options before and after it.

use std::net::{SocketAddr, UdpSocket};

use skua_engine::abi::sockaddr::{SO_EXCLUSIVEADDRUSE, SO_RCVBUF, SO_REUSEADDR, SOL_SOCKET};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_hosted::Transport;

use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, TRANSPORTS, kernel};

#[test]
fn an_address_is_shared_when_both_ask_to() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let open = || {
            let socket = Socket::open(&client, true);
            assert_eq!(socket.set(SOL_SOCKET, SO_REUSEADDR, 1u32), STATUS_SUCCESS);
            assert_eq!(socket.set(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1u32), STATUS_INVALID_PARAMETER);
            socket
        };
        let (first, second) = (open(), open());
        assert_eq!(first.bind(LOCALHOST), STATUS_SUCCESS);
        assert_eq!(second.bind(first.local()), STATUS_SUCCESS, "{transport:?}");
        first.close();
        second.close();
        client.end();
    }
}

#[test]
fn a_port_of_another_program_is_refused_and_so_is_an_address_that_is_not_local() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = UdpSocket::bind(LOCALHOST).unwrap();
    let socket = Socket::open(&client, true);
    assert_eq!(socket.set(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1u32), STATUS_SUCCESS);
    assert_eq!(socket.bind(peer.local_addr().unwrap()), STATUS_ADDRESS_ALREADY_EXISTS);
    socket.close();
    // Wine binds any address of IPv4.
    let elsewhere = if cfg!(windows) { "[2001:db8::1]:0" } else { "192.0.2.1:0" };
    let elsewhere: SocketAddr = elsewhere.parse().unwrap();
    let socket = Socket::open(&client, elsewhere.is_ipv4());
    assert_eq!(socket.bind(elsewhere), STATUS_INVALID_ADDRESS_COMPONENT);
    socket.close();
    client.end();
}

#[test]
fn a_buffer_in_memory_of_any_size_can_be_asked_for() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    assert_eq!(socket.set(SOL_SOCKET, SO_RCVBUF, u32::MAX), STATUS_SUCCESS);
    assert_eq!(socket.get(SOL_SOCKET, SO_RCVBUF), Ok(64 << 20));
    socket.close();
    client.end();
}
