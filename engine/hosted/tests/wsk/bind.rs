//! Rules of WskBind, WskGetLocalAddress and of options before and after it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use skua_engine::abi::sockaddr::{
    IP_DONTFRAGMENT, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_UNICAST_IF, IPPROTO_IP, SO_BROADCAST,
    SO_EXCLUSIVEADDRUSE, SO_RCVBUF, SO_REUSEADDR, SO_SNDBUF, SOL_SOCKET,
};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_hosted::Transport;

use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, LOCALHOST_V6, TRANSPORTS, bytes_of, kernel};

#[test]
fn port_0_becomes_a_port_and_the_wildcard_stays() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        for local in [LOCALHOST, LOCALHOST_V6, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)] {
            let socket = Socket::bound(&client, local);
            assert_eq!(socket.local().ip(), local.ip(), "{transport:?}");
            assert_ne!(socket.local().port(), 0);
            socket.close();
        }
        client.end();
    }
}

#[test]
fn an_address_in_use_is_refused_and_another_can_be_tried() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let first = Socket::bound(&client, LOCALHOST);
        let second = Socket::open(&client, true);
        assert_eq!(second.bind(first.local()), STATUS_ADDRESS_ALREADY_EXISTS, "{transport:?}");
        assert_eq!(second.bind(LOCALHOST), STATUS_SUCCESS);
        first.close();
        second.close();
        client.end();
    }
}

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
fn options_that_come_before_bind_are_too_late_after_it() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::open(&client, true);
        for option in [SO_REUSEADDR, SO_EXCLUSIVEADDRUSE] {
            assert_eq!(socket.get(SOL_SOCKET, option), Ok(0), "{transport:?}");
        }
        assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
        for option in [SO_REUSEADDR, SO_EXCLUSIVEADDRUSE] {
            assert_eq!(socket.set(SOL_SOCKET, option, 1u32), STATUS_INVALID_DEVICE_STATE);
        }
        socket.close();
        client.end();
    }
}

#[test]
fn options_are_remembered_and_unknown_ones_not_supported() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let everywhere = [
            (SOL_SOCKET, SO_BROADCAST, 1),
            (IPPROTO_IP, IP_MULTICAST_TTL, 9),
            (IPPROTO_IP, IP_MULTICAST_LOOP, 0),
        ];
        let of_linux = [(IPPROTO_IP, IP_DONTFRAGMENT, 1), (IPPROTO_IP, IP_UNICAST_IF, 1u32.to_be())];
        let more = if transport == Transport::Portable { &of_linux[..0] } else { &of_linux };
        for (level, option, value) in everywhere.iter().chain(more) {
            assert_eq!(socket.set(*level, *option, *value), STATUS_SUCCESS, "{transport:?} {level} {option}");
            assert_eq!(socket.get(*level, *option), Ok(*value));
        }
        assert_eq!(socket.set(IPPROTO_IP, IP_MULTICAST_TTL, 256u32), STATUS_INVALID_PARAMETER);
        assert_eq!(socket.set(SOL_SOCKET, 0x7777, 1u32), STATUS_NOT_SUPPORTED);
        assert_eq!(socket.get(IPPROTO_IP, 0x7777), Err(STATUS_NOT_SUPPORTED));
        assert_eq!(socket.ioctl(0x9800_000C, Some(0u32)), STATUS_NOT_SUPPORTED);
        assert_eq!(socket.set(SOL_SOCKET, SO_BROADCAST, 1u8), STATUS_INVALID_PARAMETER, "too short");
        socket.close();
        client.end();
    }
}

#[test]
fn buffer_sizes_are_answered_as_they_were_set() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::open(&client, true);
        for option in [SO_RCVBUF, SO_SNDBUF] {
            if (transport, option) == (Transport::Loopback, SO_SNDBUF) {
                continue;
            }
            assert_eq!(socket.set(SOL_SOCKET, option, 40_000u32), STATUS_SUCCESS);
            assert_eq!(socket.get(SOL_SOCKET, option), Ok(40_000), "{transport:?}");
        }
        socket.close();
        client.end();
    }
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

#[test]
fn controls_need_an_irp() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    let mut on = 1u32;
    let nobody = std::ptr::null_mut();
    let kind = skua_engine::abi::wsk::WskSetOption;
    let input = Some(bytes_of(&mut on));
    assert_eq!(
        socket.control_with(kind, SOL_SOCKET, SO_BROADCAST, input, None, nobody),
        STATUS_INVALID_PARAMETER
    );
    let kind = skua_engine::abi::wsk::WSK_CONTROL_SOCKET_TYPE(3);
    assert_eq!(socket.control(kind, SOL_SOCKET, SO_BROADCAST, input, None).0, STATUS_INVALID_PARAMETER);
    socket.close();
    client.end();
}
