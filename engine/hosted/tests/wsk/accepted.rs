//! What an accepted connection has from its listening socket, and addresses that closed connections still use.

use std::io::Read;
use std::net::TcpStream;

use skua_engine::abi::sockaddr::{
    IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_TCP, SO_KEEPALIVE, SO_RCVBUF, SOL_SOCKET, TCP_KEEPIDLE, TCP_NODELAY,
};
use skua_engine::abi::status::{STATUS_ADDRESS_ALREADY_EXISTS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET};
use skua_hosted::Transport;

use crate::raw::stream::Stream;
use crate::raw::{Client, LOCALHOST, kernel};

#[test]
fn an_accepted_connection_has_the_options_of_its_listening_socket() {
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
        let options = [
            (SOL_SOCKET, SO_KEEPALIVE, 1),
            (SOL_SOCKET, SO_RCVBUF, 30_000),
            (IPPROTO_TCP, TCP_NODELAY, 1),
            (IPPROTO_TCP, TCP_KEEPIDLE, 77),
            (IPPROTO_IP, IP_TTL, 33),
            (IPPROTO_IP, IP_TOS, 0x10),
        ];
        let had: Vec<_> = options.iter().map(|(level, code, _)| listener.get(*level, *code)).collect();
        let set: Vec<_> =
            options.iter().map(|(level, code, value)| listener.set(*level, *code, *value)).collect();
        assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
        let peer = TcpStream::connect(listener.listens_at()).unwrap();
        let accepted = listener.accept();
        for (((level, code, value), set), had) in options.into_iter().zip(set).zip(had) {
            let expected = if set.is_success() { Ok(value) } else { had };
            assert_eq!(accepted.get(level, code), expected, "level {level} option {code}");
        }
        // From now on each has its own.
        assert_eq!(accepted.set(SOL_SOCKET, SO_KEEPALIVE, 0u32), STATUS_SUCCESS);
        assert_eq!(listener.get(SOL_SOCKET, SO_KEEPALIVE), Ok(1));
        drop(peer);
        accepted.close();
        listener.close();
        client.end();
    }
}

#[test]
fn a_socket_listens_where_closed_connections_were() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let local = listener.listens_at();
    let mut peer = TcpStream::connect(local).unwrap();
    let accepted = listener.accept();
    // Ended from here first, so that the connection lingers here.
    assert_eq!(accepted.disconnect(None, 0), STATUS_SUCCESS);
    peer.read_to_end(&mut Vec::new()).unwrap();
    drop(peer);
    assert_eq!(accepted.receive(&[1], 0), (STATUS_SUCCESS, Vec::new()));
    accepted.close();
    let in_use = Stream::open(&client, WSK_FLAG_STREAM_SOCKET, true);
    assert_eq!(in_use.bind(local), STATUS_ADDRESS_ALREADY_EXISTS, "somebody listens");
    listener.close();
    assert_eq!(in_use.bind(local), STATUS_SUCCESS);
    assert_eq!(in_use.listen(), STATUS_SUCCESS);
    let peer = TcpStream::connect(local).unwrap();
    in_use.accept().close();
    drop(peer);
    in_use.close();
    let connection = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, true);
    assert_eq!(connection.bind(local), STATUS_SUCCESS, "a connection may begin there too");
    connection.close();
    client.end();
}
