//! IP_RECVERR and IPV6_RECVERR: ICMP errors come as indications.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use skua_engine::abi::cmsg::IN_RECVERR;
use skua_engine::abi::sockaddr::{
    IP_RECVERR, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR, IPV6_V6ONLY,
};
use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_hosted::Transport;

use crate::raw::recorder::Datagram;
use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, LOCALHOST_V6, kernel};

/// Transports with ICMP errors.
const WITH_ERRORS: &[Transport] =
    if cfg!(target_os = "linux") { &[Transport::Os, Transport::Loopback] } else { &[Transport::Loopback] };

/// A port that nobody has.
fn closed_port(local: SocketAddr) -> u16 {
    let probe = UdpSocket::bind(local).unwrap();
    probe.local_addr().unwrap().port()
}

/// The error that an indication carries.
fn error(datagram: &Datagram, level: u32, kind: u32) -> Option<IN_RECVERR> {
    let wanted = (level.cast_signed(), kind.cast_signed());
    let found = datagram.control.iter().find(|(level, kind, _)| (*level, *kind) == wanted)?;
    Some(bytemuck::pod_read_unaligned(&found.2))
}

#[test]
fn a_port_that_nobody_has_is_indicated_with_the_destination_that_failed() {
    for &transport in WITH_ERRORS {
        for (local, level, option, expected) in [
            (LOCALHOST, IPPROTO_IP, IP_RECVERR, (IPPROTO_ICMP, 3, 3)),
            (LOCALHOST_V6, IPPROTO_IPV6, IPV6_RECVERR, (IPPROTO_ICMPV6, 1, 4)),
        ] {
            let kernel = kernel(transport);
            let client = Client::with_static_events(&kernel);
            let socket = Socket::bound(&client, local);
            assert_eq!(socket.set(level, option, 1u32), STATUS_SUCCESS);
            let to = SocketAddr::new(local.ip(), closed_port(local));
            socket.deliver(to, b"to nobody");
            socket.recorder.wait_for(1);
            let seen = &socket.recorder.datagrams()[0];
            assert_eq!(seen.source, to, "{transport:?}");
            assert_eq!(seen.payload, b"", "no data");
            let error = error(seen, level, option).unwrap();
            assert_eq!((error.protocol, error.r#type, error.code), expected);
            socket.close();
            client.end();
        }
    }
}

#[test]
fn errors_fail_neither_sends_nor_receives() {
    for &transport in WITH_ERRORS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        assert_eq!(socket.set(IPPROTO_IP, IP_RECVERR, 1u32), STATUS_SUCCESS);
        let nobody = SocketAddr::new(LOCALHOST.ip(), closed_port(LOCALHOST));
        for round in 0..50u8 {
            socket.deliver(nobody, &[round]);
            socket.deliver(socket.local(), &[round]);
        }
        let seen = || -> (usize, Vec<u8>) {
            let all = socket.recorder.datagrams();
            let errors = all.iter().filter(|seen| error(seen, IPPROTO_IP, IP_RECVERR).is_some()).count();
            (errors, all.into_iter().flat_map(|seen| seen.payload).collect())
        };
        crate::raw::eventually("not everything came", || seen().1.len() == 50 && seen().0 > 0);
        assert!(seen().1.into_iter().eq(0..50), "{transport:?}: each datagram once, in order");
        socket.close();
        client.end();
    }
}

#[test]
fn errors_are_not_told_unless_asked_for() {
    for &transport in WITH_ERRORS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let nobody = SocketAddr::new(LOCALHOST.ip(), closed_port(LOCALHOST));
        for on in [1u32, 0] {
            assert_eq!(socket.set(IPPROTO_IP, IP_RECVERR, on), STATUS_SUCCESS);
        }
        for _ in 0..3 {
            socket.deliver(nobody, b"to nobody");
        }
        socket.deliver(socket.local(), b"behind");
        socket.recorder.wait_for(1);
        assert_eq!(socket.recorder.datagrams()[0].payload, b"behind", "{transport:?}");
        socket.close();
        client.end();
    }
}

#[test]
fn a_dual_stack_socket_hears_of_ipv4_under_mapped_addresses() {
    for &transport in WITH_ERRORS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::open(&client, false);
        assert_eq!(socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 0u32), STATUS_SUCCESS);
        assert_eq!(socket.bind("[::]:0".parse().unwrap()), STATUS_SUCCESS);
        assert_eq!(socket.set(IPPROTO_IP, IP_RECVERR, 1u32), STATUS_SUCCESS);
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let to = SocketAddr::new(mapped.into(), closed_port(LOCALHOST));
        socket.deliver(to, b"to nobody");
        socket.recorder.wait_for(1);
        let seen = &socket.recorder.datagrams()[0];
        assert_eq!(seen.source, to, "{transport:?}");
        let error = error(seen, IPPROTO_IP, IP_RECVERR).unwrap();
        assert_eq!((error.protocol, error.r#type, error.code), (IPPROTO_ICMP, 3, 3));
        socket.close();
        client.end();
    }
}

#[test]
fn a_transport_that_hears_of_no_errors_says_so() {
    let kernel = kernel(Transport::Portable);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    assert_eq!(socket.set(IPPROTO_IP, IP_RECVERR, 1u32), STATUS_NOT_SUPPORTED);
    socket.close();
    client.end();
}
