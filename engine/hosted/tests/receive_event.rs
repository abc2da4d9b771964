//! Rules of WskReceiveFromEvent and WskRelease.

mod raw;

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use raw::socket::Socket;
use raw::{Client, TRANSPORTS, any_port, kernel};
use skua_hosted::Transport;

#[test]
fn every_payload_size_arrives_whole_and_in_order() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    for ip in ["127.0.0.1", "::1"] {
        let socket = Socket::bound(
            &client,
            format!("{}:0", if ip.contains(':') { "[::1]" } else { ip }).parse().unwrap(),
        );
        let peer = UdpSocket::bind((ip, 0)).unwrap();
        let largest = if ip.contains(':') { 65_487 } else { 65_507 };
        let payloads: Vec<Vec<u8>> = [0, 1, 1472, 2048, 2049, 9000, largest]
            .iter()
            .map(|size| (0..*size).map(|at| (at % 251) as u8).collect())
            .collect();
        for payload in &payloads {
            assert_eq!(peer.send_to(payload, socket.local()).unwrap(), payload.len());
        }
        socket.recorder.wait_for(payloads.len());
        let seen = socket.recorder.datagrams();
        assert!(seen.iter().map(|datagram| &datagram.payload).eq(payloads.iter()));
        assert!(
            seen.iter().all(|datagram| datagram.source == peer.local_addr().unwrap() && datagram.has_mdl)
        );
        socket.close();
    }
    client.end();
    let _ = (TRANSPORTS, any_port(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST);
}
