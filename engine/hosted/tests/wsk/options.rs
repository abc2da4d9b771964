//! Socket options: who has them, what they are on a new socket, what they take, and when.

use std::ffi::c_void;

use skua_engine::abi::sockaddr::*;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SO_WSK_SECURITY, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET,
    WSK_FLAG_STREAM_SOCKET, WskGetOption, WskSetOption,
};
use skua_hosted::Transport;

use crate::raw::socket::{Arguments, Socket};
use crate::raw::stream::Stream;
use crate::raw::{Client, LOCALHOST, LOCALHOST_V6, TRANSPORTS, kernel};

/// SO_LINGER of Winsock, which WSK does not have.
const SO_LINGER: u32 = 0x0080;

/// A basic socket.
pub(crate) fn basic(client: &Client, family: u16, is_tcp: bool) -> Socket {
    let (socket_type, protocol) = if is_tcp { (SOCK_STREAM, IPPROTO_TCP) } else { (SOCK_DGRAM, IPPROTO_UDP) };
    let arguments =
        Arguments { flags: WSK_FLAG_BASIC_SOCKET, socket_type, protocol, ..Arguments::datagram(family) };
    let raw = arguments.create(client).unwrap();
    Socket { kernel: client.kernel.clone(), raw, recorder: std::sync::Arc::default() }
}

/// Options of datagram sockets over IPv4: level, code, what a new socket has, another value.
const OF_DATAGRAMS: [(u32, u32, u32, u32); 22] = [
    (SOL_SOCKET, SO_REUSEADDR, 0, 1),
    (SOL_SOCKET, SO_RANDOMIZE_PORT, 0, 1),
    (SOL_SOCKET, SO_BROADCAST, 0, 1),
    (IPPROTO_IP, IP_PKTINFO, 0, 1),
    (IPPROTO_IP, IP_RECVTOS, 0, 1),
    (IPPROTO_IP, IP_ECN, 0, 1),
    (IPPROTO_IP, IP_HOPLIMIT, 0, 1),
    (IPPROTO_IP, IP_RECVERR, 0, 1),
    (IPPROTO_IP, IP_RECEIVE_BROADCAST, 1, 0),
    (IPPROTO_IP, IP_TOS, 0, 0xb8),
    (IPPROTO_IP, IP_TTL, 64, 255),
    (IPPROTO_IP, IP_DONTFRAGMENT, 0, 1),
    (IPPROTO_IP, IP_MTU_DISCOVER, 0, IP_PMTUDISC_DO),
    (IPPROTO_IP, IP_MULTICAST_TTL, 1, 7),
    (IPPROTO_IP, IP_MULTICAST_LOOP, 1, 0),
    (IPPROTO_IP, IP_MULTICAST_IF, 0, 0x0100_0000),
    (IPPROTO_IP, IP_UNICAST_IF, 0, 0x0100_0000),
    (IPPROTO_UDP, UDP_NOCHECKSUM, 0, 1),
    (IPPROTO_UDP, UDP_SEND_MSG_SIZE, 0, 1200),
    (IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, 0, 65_527),
    (IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, 65_527, 1000),
    (SOL_SOCKET, SO_REUSEADDR, 1, 0),
];

/// The same over IPv6.
const OF_DATAGRAMS_V6: [(u32, u32, u32, u32); 13] = [
    (IPPROTO_IPV6, IPV6_V6ONLY, 1, 0),
    (IPPROTO_IPV6, IPV6_PKTINFO, 0, 1),
    (IPPROTO_IPV6, IPV6_RECVTCLASS, 0, 1),
    (IPPROTO_IPV6, IPV6_ECN, 0, 1),
    (IPPROTO_IPV6, IPV6_HOPLIMIT, 0, 1),
    (IPPROTO_IPV6, IPV6_RECVERR, 0, 1),
    (IPPROTO_IPV6, IPV6_TCLASS, 0, 0x20),
    (IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 9),
    (IPPROTO_IPV6, IPV6_DONTFRAG, 0, 1),
    (IPPROTO_IPV6, IPV6_MTU_DISCOVER, 0, IP_PMTUDISC_DONT),
    (IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 3),
    (IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, 0),
    (IPPROTO_IPV6, IPV6_UNICAST_IF, 0, 1),
];

/// Options of sockets over TCP and IPv4.
const OF_STREAMS: [(u32, u32, u32, u32); 11] = [
    (SOL_SOCKET, SO_REUSEADDR, 0, 1),
    (SOL_SOCKET, SO_KEEPALIVE, 0, 1),
    (IPPROTO_TCP, TCP_NODELAY, 0, 1),
    (IPPROTO_TCP, TCP_KEEPIDLE, 7200, 30),
    (IPPROTO_TCP, TCP_KEEPINTVL, 1, 5),
    (IPPROTO_TCP, TCP_KEEPCNT, 10, 3),
    (IPPROTO_TCP, TCP_MAXRT, 0, 20),
    (IPPROTO_TCP, TCP_FASTOPEN, 0, 1),
    (IPPROTO_IP, IP_TOS, 0, 0x10),
    (IPPROTO_IP, IP_TTL, 64, 32),
    (IPPROTO_IP, IP_DONTFRAGMENT, 0, 1),
];

/// Whether this host has every option below `transport`; elsewhere those that it has not are refused.
fn has_all(transport: Transport) -> bool {
    transport == Transport::Loopback || (transport == Transport::Os && cfg!(target_os = "linux"))
}

#[track_caller]
fn check(socket: &Socket, options: &[(u32, u32, u32, u32)], has_all: bool) {
    for &(level, code, new, other) in options {
        assert_eq!(socket.get(level, code), Ok(new), "level {level} option {code}");
        match socket.set(level, code, other) {
            STATUS_SUCCESS => assert_eq!(socket.get(level, code), Ok(other), "level {level} option {code}"),
            status => {
                assert_eq!((status, has_all), (STATUS_NOT_SUPPORTED, false), "level {level} option {code}");
                assert_eq!(socket.get(level, code), Ok(new), "what is refused changes nothing");
            }
        }
    }
}

#[test]
fn each_option_is_what_windows_begins_with_and_keeps_what_is_set() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let (v4, v6) = (Socket::open(&client, true), Socket::open(&client, false));
        check(&v4, &OF_DATAGRAMS[..20], has_all(transport));
        if has_all(transport) {
            check(&v4, &OF_DATAGRAMS[20..], true);
        }
        check(&v6, &OF_DATAGRAMS_V6, has_all(transport));
        v4.close();
        v6.close();
        for is_tcp in [false, true] {
            if is_tcp && transport == Transport::Loopback {
                continue;
            }
            let probe = basic(&client, AF_INET, is_tcp);
            let options = if is_tcp { &OF_STREAMS[..] } else { &OF_DATAGRAMS[..20] };
            check(&probe, options, has_all(transport));
            probe.close();
        }
        client.end();
    }
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    for flags in [WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_STREAM_SOCKET] {
        let socket = Stream::open(&client, flags, true);
        check(&socket, &OF_STREAMS, has_all(Transport::Os));
        socket.close();
    }
    client.end();
}

#[test]
fn a_value_out_of_range_is_refused_and_changes_nothing() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    for (level, code, value) in [
        (IPPROTO_IP, IP_TTL, 0),
        (IPPROTO_IP, IP_TTL, 256),
        (IPPROTO_IP, IP_TOS, 256),
        (IPPROTO_IP, IP_MULTICAST_TTL, 256),
        (IPPROTO_IP, IP_MTU_DISCOVER, 4),
        (IPPROTO_UDP, UDP_SEND_MSG_SIZE, 65_536),
        (IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, 65_528),
    ] {
        let before = socket.get(level, code);
        assert_eq!(socket.set(level, code, value), STATUS_INVALID_PARAMETER, "option {code}, {value}");
        assert_eq!(socket.get(level, code), before);
    }
    assert_eq!(socket.set(SOL_SOCKET, SO_BROADCAST, 7u32), STATUS_SUCCESS);
    assert_eq!(socket.get(SOL_SOCKET, SO_BROADCAST), Ok(1), "a switch is on or off");
    socket.close();
    client.end();
}

#[test]
fn a_buffer_that_is_too_short_is_refused_and_one_that_is_longer_is_not() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::open(&client, true);
        let mut value = [1u32, 0x5555_5555];
        let buffer = |value: &mut [u32; 2], size| Some((value.as_mut_ptr().cast::<c_void>(), size));
        for size in 0..4 {
            let set = socket.control(WskSetOption, SOL_SOCKET, SO_BROADCAST, buffer(&mut value, size), None);
            assert_eq!(set, (STATUS_INVALID_PARAMETER, 0), "{size} bytes");
            let get = socket.control(WskGetOption, SOL_SOCKET, SO_BROADCAST, None, buffer(&mut value, size));
            assert_eq!(get, (STATUS_BUFFER_TOO_SMALL, 0), "{size} bytes");
            assert_eq!(value, [1, 0x5555_5555], "nothing is written");
        }
        let nothing: (NTSTATUS, usize) = socket.control(WskSetOption, SOL_SOCKET, SO_BROADCAST, None, None);
        assert_eq!(nothing, (STATUS_INVALID_PARAMETER, 0));
        let set = socket.control(WskSetOption, SOL_SOCKET, SO_BROADCAST, buffer(&mut value, 8), None);
        assert_eq!(set, (STATUS_SUCCESS, 0));
        let get = socket.control(WskGetOption, SOL_SOCKET, SO_BROADCAST, None, buffer(&mut value, 8));
        assert_eq!((get, value), ((STATUS_SUCCESS, 4), [1, 0x5555_5555]), "as long as the value");
        socket.close();
        client.end();
    }
}

#[test]
fn what_an_address_is_bound_with_is_set_before_that() {
    for (transport, local) in
        TRANSPORTS.into_iter().flat_map(|transport| [(transport, LOCALHOST), (transport, LOCALHOST_V6)])
    {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, local);
        for code in [SO_REUSEADDR, SO_EXCLUSIVEADDRUSE, SO_RANDOMIZE_PORT] {
            assert_eq!(socket.set(SOL_SOCKET, code, 1u32), STATUS_INVALID_DEVICE_STATE);
        }
        let only = if local.is_ipv6() { STATUS_INVALID_DEVICE_STATE } else { STATUS_NOT_SUPPORTED };
        assert_eq!(socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 1u32), only);
        assert_eq!(socket.set(SOL_SOCKET, SO_BROADCAST, 1u32), STATUS_SUCCESS, "any time");
        socket.close();
        client.end();
    }
}

#[test]
fn an_option_of_others_or_of_nobody_is_not_supported() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let datagram = Socket::open(&client, true);
    let connection = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, true);
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    let (of_udp, of_tcp) = (basic(&client, AF_INET, false), basic(&client, AF_INET, true));
    let not_for: [(&Socket, &[(u32, u32)]); 5] = [
        (
            &datagram,
            &[
                (SOL_SOCKET, SO_KEEPALIVE),
                (SOL_SOCKET, SO_CONDITIONAL_ACCEPT),
                (IPPROTO_TCP, TCP_NODELAY),
                (IPPROTO_IPV6, IPV6_PKTINFO),
                (IPPROTO_IP, IP_MTU),
            ],
        ),
        (
            &connection,
            &[
                (SOL_SOCKET, SO_CONDITIONAL_ACCEPT),
                (SOL_SOCKET, SO_BROADCAST),
                (IPPROTO_IP, IP_PKTINFO),
                (IPPROTO_IP, IP_ADD_MEMBERSHIP),
                (IPPROTO_UDP, UDP_SEND_MSG_SIZE),
            ],
        ),
        (&listener, &[(SOL_SOCKET, SO_BROADCAST), (IPPROTO_UDP, UDP_NOCHECKSUM)]),
        (&of_udp, &[(SOL_SOCKET, SO_WSK_SECURITY), (IPPROTO_TCP, TCP_NODELAY)]),
        (&of_tcp, &[(SOL_SOCKET, SO_WSK_SECURITY), (IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE)]),
    ];
    let of_nobody =
        [(SOL_SOCKET, SO_LINGER), (SOL_SOCKET, 0x7777), (0x1234, 1), (IPPROTO_IP, 0x7777), (IPPROTO_TCP, 99)];
    for (socket, options) in not_for {
        for &(level, code) in options.iter().chain(&of_nobody) {
            assert_eq!(socket.set(level, code, 1u64), STATUS_NOT_SUPPORTED, "level {level} option {code}");
            assert_eq!(socket.get(level, code), Err(STATUS_NOT_SUPPORTED), "level {level} option {code}");
        }
    }
    for socket in [datagram, of_udp, of_tcp] {
        socket.close();
    }
    connection.close();
    listener.close();
    client.end();
}

#[test]
fn what_a_connection_is_made_of_can_be_got_and_not_set() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, peer) = Stream::pair(&client);
    if cfg!(target_os = "linux") {
        assert!(connection.get(IPPROTO_TCP, TCP_MAXSEG).unwrap() > 500);
        assert!(connection.get(IPPROTO_IP, IP_MTU).unwrap() > 1000);
    }
    assert_eq!(connection.set(IPPROTO_TCP, TCP_MAXSEG, 1000u32), STATUS_NOT_SUPPORTED);
    assert_eq!(connection.set(IPPROTO_IP, IP_MTU, 1000u32), STATUS_NOT_SUPPORTED);
    drop(peer);
    connection.close();
    client.end();
}
