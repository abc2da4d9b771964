//! Raw sockets through the engine: ICMP over the loopback address, with privilege; a refusal, without.

use skua_engine::abi::sockaddr::SOCK_RAW;
use skua_engine::abi::status::STATUS_ACCESS_DENIED;
use skua_engine::{Config, Passive, SendOptions, Sharing, SocketOptions};
use skua_hosted::HostConfig;

use crate::fixture::{Client, Policy};

const ICMP: u32 = 1;

/// An echo request with an identifier of its own. Its checksum is what makes the stack answer.
fn echo() -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0x5a, 0xa5, 0, 1];
    message.extend(b"through the engine");
    let sum: u32 = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

#[test]
fn an_echo_request_is_sent_and_its_reply_received() {
    let icmp = Some(socket2::Protocol::ICMPV4);
    let privileged = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, icmp).is_ok();
    let client = Client::new(HostConfig::default());
    let config = Config { send_slots: 4, ..Config::default() };
    let (engine, ends) = client.engine(Policy::Consume, &config);
    let options = SocketOptions {
        socket_type: SOCK_RAW,
        protocol: ICMP,
        sharing: Sharing::Default,
        ..SocketOptions::new("127.0.0.1:0".parse().unwrap())
    };
    let passive = Passive::acquire(&client.kernel).unwrap();
    match engine.open_socket(&client.provider, &options, &passive) {
        Err(error) => {
            assert!(!privileged);
            assert_eq!(error.status(), STATUS_ACCESS_DENIED);
        }
        Ok(socket) => {
            assert!(privileged);
            let request = echo();
            socket.send("127.0.0.1:0".parse().unwrap(), &request, &SendOptions::default()).unwrap();
            // Other traffic of the host may come in between; IPv4 packets come with their header of 20 bytes.
            let reply = std::iter::repeat_with(|| ends.next()).find(|seen| {
                seen.payload.get(20).is_some_and(|&kind| kind == 0) && seen.payload[24..] == request[4..]
            });
            assert!(reply.unwrap().remote.ip().is_loopback());
            client.close(socket);
        }
    }
    drop(engine);
    client.finish();
}
