//! Control messages of received datagrams, and the flags of a list.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{MSG_BCAST, MSG_MCAST};
use skua_engine::abi::sockaddr::{
    GROUP_SOURCE_REQ, IN_ADDR, IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP, IP_ECN, IP_HOPLIMIT, IP_MREQ, IP_MREQ_SOURCE, IP_MULTICAST_IF, IP_PKTINFO,
    IP_RECVTOS, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_ECN, IPV6_HOPLIMIT, IPV6_MREQ, IPV6_PKTINFO,
    IPV6_RECVTCLASS, IPV6_TCLASS, IPV6_V6ONLY, MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP,
    SIO_TIMESTAMPING, SO_BROADCAST, SO_TIMESTAMP, SOCKADDR_INET, SOL_SOCKET, TIMESTAMPING_CONFIG,
};
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::zeroed;
use skua_hosted::Transport;

use crate::raw::recorder::{Datagram, Message};
use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, LOCALHOST_V6, kernel};

/// Transports with control messages.
const WITH_CONTROL: &[Transport] = if cfg!(any(target_os = "linux", windows)) {
    &[Transport::Os, Transport::Loopback]
} else {
    &[Transport::Loopback]
};

/// Whether the transport tells when a datagram arrived.
fn tells_time(transport: Transport) -> bool {
    !(cfg!(windows) && transport == Transport::Os)
}

/// The interface of the loopback address: the first one everywhere.
const LOOPBACK_INTERFACE: u32 = 1;

/// The payload of the message of this level and type.
fn payload(datagram: &Datagram, level: u32, kind: u32) -> Option<&[u8]> {
    let wanted = (level.cast_signed(), kind.cast_signed());
    let found = |(level, kind, _): &&Message| (*level, *kind) == wanted;
    datagram.control.iter().find(found).map(|(_, _, payload)| &payload[..])
}

fn number(datagram: &Datagram, level: u32, kind: u32) -> Option<i32> {
    payload(datagram, level, kind).map(|payload| i32::from_ne_bytes(payload.try_into().unwrap()))
}

#[test]
fn an_ipv4_datagram_says_where_it_went_how_and_when() {
    for &transport in WITH_CONTROL {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        for option in [IP_PKTINFO, IP_RECVTOS, IP_ECN, IP_HOPLIMIT] {
            assert_eq!(socket.set(IPPROTO_IP, option, 1u32), STATUS_SUCCESS);
            assert_eq!(socket.get(IPPROTO_IP, option), Ok(1));
        }
        let config = TIMESTAMPING_CONFIG { Flags: 1, ..TIMESTAMPING_CONFIG::default() };
        let status = if tells_time(transport) { STATUS_SUCCESS } else { STATUS_NOT_SUPPORTED };
        assert_eq!(socket.ioctl(SIO_TIMESTAMPING, Some(config)), status);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(IPPROTO_IP, IP_TOS, 0xb9u32), STATUS_SUCCESS);
        assert_eq!(sender.set(IPPROTO_IP, IP_TTL, 7u32), STATUS_SUCCESS);
        let before = kernel.ke_query_performance_counter();
        sender.deliver(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), socket.local().port()), b"x");
        socket.recorder.wait_for(1);
        let after = kernel.ke_query_performance_counter();
        let seen = &socket.recorder.datagrams()[0];
        let info = payload(seen, IPPROTO_IP, IP_PKTINFO).unwrap();
        assert_eq!(info[..4], [127, 0, 0, 1], "{transport:?}");
        assert_eq!(info[4..8], LOOPBACK_INTERFACE.to_ne_bytes());
        assert_eq!(info.len(), 8, "IN_PKTINFO");
        assert_eq!(number(seen, IPPROTO_IP, IP_TOS), Some(0xb9));
        assert_eq!(number(seen, IPPROTO_IP, IP_ECN), Some(1));
        assert_eq!(number(seen, IPPROTO_IP, IP_TTL), Some(7));
        let time = payload(seen, SOL_SOCKET, SO_TIMESTAMP);
        assert_eq!(time.is_some(), tells_time(transport));
        if let Some(time) = time {
            let time = u64::from_ne_bytes(time.try_into().unwrap());
            // The wall clock may be slewed between the arrival and its translation.
            let slack = 1_000_000;
            assert!(before - slack <= time && time <= after + slack, "{before} {time} {after}");
        }
        assert_eq!(seen.flags & (MSG_BCAST | MSG_MCAST), 0);
        // Turned off again, nothing is said.
        for option in [IP_PKTINFO, IP_RECVTOS, IP_ECN, IP_HOPLIMIT] {
            assert_eq!(socket.set(IPPROTO_IP, option, 0u32), STATUS_SUCCESS);
        }
        assert_eq!(socket.ioctl(SIO_TIMESTAMPING, Some(TIMESTAMPING_CONFIG::default())), status);
        sender.deliver(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), socket.local().port()), b"y");
        socket.recorder.wait_for(2);
        assert_eq!(socket.recorder.datagrams()[1].control, []);
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn tos_and_ecn_are_told_apart_by_what_was_asked_for() {
    for &transport in WITH_CONTROL {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(IPPROTO_IP, IP_TOS, 0x2au32), STATUS_SUCCESS);
        for (round, (tos, ecn)) in [(0u32, 1u32), (1, 0), (1, 1), (0, 0)].into_iter().enumerate() {
            assert_eq!(socket.set(IPPROTO_IP, IP_RECVTOS, tos), STATUS_SUCCESS);
            assert_eq!(socket.set(IPPROTO_IP, IP_ECN, ecn), STATUS_SUCCESS);
            sender.deliver(socket.local(), b"x");
            socket.recorder.wait_for(round + 1);
            let seen = &socket.recorder.datagrams()[round];
            assert_eq!(number(seen, IPPROTO_IP, IP_TOS), (tos == 1).then_some(0x2a), "{transport:?}");
            assert_eq!(number(seen, IPPROTO_IP, IP_ECN), (ecn == 1).then_some(2));
        }
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn an_ipv6_datagram_says_where_it_went_and_how() {
    for &transport in WITH_CONTROL {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0));
        for option in [IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_ECN, IPV6_HOPLIMIT] {
            assert_eq!(socket.set(IPPROTO_IPV6, option, 1u32), STATUS_SUCCESS);
        }
        let sender = Socket::bound(&client, LOCALHOST_V6);
        let class = match sender.set(IPPROTO_IPV6, IPV6_TCLASS, 0x2eu32) {
            // Wine has no such option.
            STATUS_NOT_SUPPORTED if cfg!(windows) && transport == Transport::Os => 0,
            status => {
                assert_eq!(status, STATUS_SUCCESS);
                0x2e
            }
        };
        sender.deliver(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), socket.local().port()), b"x");
        socket.recorder.wait_for(1);
        let seen = &socket.recorder.datagrams()[0];
        let info = payload(seen, IPPROTO_IPV6, IPV6_PKTINFO).unwrap();
        assert_eq!(info[..16], Ipv6Addr::LOCALHOST.octets(), "{transport:?}");
        assert_eq!(info[16..20], LOOPBACK_INTERFACE.to_ne_bytes());
        assert_eq!(number(seen, IPPROTO_IPV6, IPV6_TCLASS), Some(class));
        assert_eq!(number(seen, IPPROTO_IPV6, IPV6_ECN), Some(class & 3));
        assert!(number(seen, IPPROTO_IPV6, IPV6_HOPLIMIT).is_some());
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_dual_stack_socket_sees_ipv4_as_mapped_addresses_with_messages_of_ipproto_ip() {
    for &transport in WITH_CONTROL {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::open(&client, false);
        assert_eq!(socket.get(IPPROTO_IPV6, IPV6_V6ONLY), Ok(1), "as on Windows");
        assert_eq!(socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 0u32), STATUS_SUCCESS);
        assert_eq!(socket.bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)), STATUS_SUCCESS);
        for (level, options) in [
            (IPPROTO_IP, [IP_PKTINFO, IP_RECVTOS, IP_HOPLIMIT]),
            (IPPROTO_IPV6, [IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_HOPLIMIT]),
        ] {
            for option in options {
                assert_eq!(socket.set(level, option, 1u32), STATUS_SUCCESS);
            }
        }
        let port = socket.local().port();
        let v4 = Socket::bound(&client, LOCALHOST);
        v4.deliver(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), b"four");
        socket.recorder.wait_for(1);
        let v6 = Socket::bound(&client, LOCALHOST_V6);
        v6.deliver(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port), b"six");
        socket.recorder.wait_for(2);
        let seen = socket.recorder.datagrams();
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(seen[0].source, SocketAddr::new(mapped.into(), v4.local().port()), "{transport:?}");
        assert!(
            seen[0].control.iter().all(|(level, _, _)| *level == IPPROTO_IP.cast_signed()),
            "{:?}",
            seen[0]
        );
        assert_eq!(payload(&seen[0], IPPROTO_IP, IP_PKTINFO).unwrap()[..4], [127, 0, 0, 1]);
        assert_eq!(seen[0].control.len(), 3);
        assert_eq!(seen[1].source, v6.local());
        assert!(seen[1].control.iter().all(|(level, _, _)| *level == IPPROTO_IPV6.cast_signed()));
        assert_eq!(seen[1].control.len(), 3);
        // And back, to the mapped address.
        v4.recorder.answer(crate::raw::recorder::Answer::Success);
        socket.deliver(seen[0].source, b"reply");
        v4.recorder.wait_for(1);
        assert_eq!(v4.recorder.datagrams()[0].source.port(), port);
        [socket, v4, v6].into_iter().for_each(Socket::close);
        client.end();
    }
}

#[test]
fn an_ipv6_socket_is_of_ipv6_alone_unless_told_otherwise() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0));
    let port = socket.local().port();
    let peer = UdpSocket::bind(LOCALHOST).unwrap();
    // Refused by ICMP, or for want of a listener simply gone.
    let _ = peer.send_to(b"four", (Ipv4Addr::LOCALHOST, port));
    assert!(socket.recorder.is_quiet(0));
    assert!(!socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 0u32).is_success(), "too late");
    socket.close();
    client.end();
}

#[test]
fn multicast_reaches_members_only_and_is_flagged() {
    for &transport in WITH_CONTROL {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        assert_eq!(socket.set(IPPROTO_IP, IP_PKTINFO, 1u32), STATUS_SUCCESS);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(IPPROTO_IP, IP_MULTICAST_IF, address(Ipv4Addr::LOCALHOST)), STATUS_SUCCESS);
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let to = SocketAddr::new(group.into(), socket.local().port());
        sender.deliver(to, b"before");
        assert!(socket.recorder.is_quiet(0), "{transport:?}: no member");
        let member = IP_MREQ { imr_multiaddr: group.into(), imr_interface: address(Ipv4Addr::LOCALHOST) };
        assert_eq!(socket.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, member), STATUS_SUCCESS);
        assert!(!socket.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, member).is_success(), "a member already");
        sender.deliver(to, b"during");
        socket.recorder.wait_for(1);
        let seen = &socket.recorder.datagrams()[0];
        assert_eq!((&seen.payload[..], seen.flags & (MSG_BCAST | MSG_MCAST)), (&b"during"[..], MSG_MCAST));
        assert_eq!(payload(seen, IPPROTO_IP, IP_PKTINFO).unwrap()[..4], group.octets());
        assert_eq!(socket.set(IPPROTO_IP, IP_DROP_MEMBERSHIP, member), STATUS_SUCCESS);
        sender.deliver(to, b"after");
        assert!(socket.recorder.is_quiet(1));
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn multicast_of_one_source_lets_no_other_in() {
    for &transport in WITH_CONTROL {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        let group = Ipv4Addr::new(232, 255, 77, 2);
        let to = SocketAddr::new(group.into(), socket.local().port());
        let mut request: GROUP_SOURCE_REQ = zeroed();
        request.gsr_interface = LOOPBACK_INTERFACE;
        put(&mut request.gsr_group, group);
        put(&mut request.gsr_source, Ipv4Addr::new(127, 0, 0, 2));
        let joined = socket.set(IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, request);
        if cfg!(windows) && transport == Transport::Os && joined == STATUS_NOT_SUPPORTED {
            // Wine would let the wrong one in.
            socket.close();
            client.end();
            continue;
        }
        assert_eq!(joined, STATUS_SUCCESS);
        let senders = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)]
            .map(|source| Socket::bound(&client, SocketAddr::new(source.into(), 0)));
        for sender in &senders {
            assert_eq!(sender.set(IPPROTO_IP, IP_MULTICAST_IF, 1u32.to_be()), STATUS_SUCCESS, "by index");
            sender.deliver(to, b"x");
        }
        socket.recorder.wait_for(1);
        assert!(socket.recorder.is_quiet(1), "{transport:?}");
        assert_eq!(socket.recorder.datagrams()[0].source, senders[1].local());
        // The other one too, named by the interface's address.
        let other = IP_MREQ_SOURCE {
            imr_multiaddr: group.into(),
            imr_sourceaddr: address(Ipv4Addr::LOCALHOST),
            imr_interface: address(Ipv4Addr::LOCALHOST),
        };
        assert_eq!(socket.set(IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, other), STATUS_SUCCESS);
        senders[0].deliver(to, b"y");
        socket.recorder.wait_for(2);
        assert_eq!(socket.set(IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, other), STATUS_SUCCESS);
        assert_eq!(socket.set(IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, request), STATUS_SUCCESS);
        senders.iter().for_each(|sender| sender.deliver(to, b"z"));
        assert!(socket.recorder.is_quiet(2));
        socket.close();
        senders.into_iter().for_each(Socket::close);
        client.end();
    }
}

#[test]
fn multicast_requests_that_name_no_group_are_refused() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let member =
        IP_MREQ { imr_multiaddr: address(Ipv4Addr::LOCALHOST), imr_interface: address(Ipv4Addr::LOCALHOST) };
    assert_eq!(socket.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, member), STATUS_INVALID_PARAMETER);
    assert_eq!(socket.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, 7u32), STATUS_INVALID_PARAMETER, "too short");
    let v6 = Socket::bound(&client, LOCALHOST_V6);
    let group =
        IPV6_MREQ { ipv6mr_multiaddr: "ff15::77:1".parse::<Ipv6Addr>().unwrap().into(), ipv6mr_interface: 1 };
    assert_eq!(v6.set(IPPROTO_IPV6, skua_engine::abi::sockaddr::IPV6_ADD_MEMBERSHIP, group), STATUS_SUCCESS);
    assert_eq!(v6.set(IPPROTO_IPV6, skua_engine::abi::sockaddr::IPV6_DROP_MEMBERSHIP, group), STATUS_SUCCESS);
    socket.close();
    v6.close();
    client.end();
}

#[test]
fn a_list_is_split_where_its_flags_change() {
    for &transport in WITH_CONTROL {
        if cfg!(windows) && transport == Transport::Os {
            // Wine does not flag the broadcast of a network, and sends none to all networks by the loopback interface.
            continue;
        }
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        assert_eq!(socket.set(IPPROTO_IP, IP_PKTINFO, 1u32), STATUS_SUCCESS);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(SOL_SOCKET, SO_BROADCAST, 1u32), STATUS_SUCCESS);
        let port = socket.local().port();
        let (one, all) = (
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
            // The broadcast address of the loopback network; in memory there is only that of all networks.
            if transport == Transport::Loopback {
                SocketAddr::new(Ipv4Addr::BROADCAST.into(), port)
            } else {
                SocketAddr::new(Ipv4Addr::new(127, 255, 255, 255).into(), port)
            },
        );
        for to in [one, one, all, one] {
            sender.deliver(to, b"x");
        }
        assert_eq!(socket.set_event(0x100, std::ptr::null_mut()), STATUS_SUCCESS);
        socket.recorder.wait_for(4);
        let seen: Vec<(usize, u32)> = socket
            .recorder
            .datagrams()
            .iter()
            .map(|datagram| (datagram.list, datagram.flags & (MSG_BCAST | MSG_MCAST)))
            .collect();
        assert_eq!(seen, [(0, 0), (0, 0), (1, MSG_BCAST), (2, 0)], "{transport:?}");
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn control_messages_that_a_transport_has_not_are_refused() {
    let kernel = kernel(Transport::Portable);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    assert_eq!(socket.set(IPPROTO_IP, IP_PKTINFO, 1u32), STATUS_NOT_SUPPORTED);
    let config = TIMESTAMPING_CONFIG { Flags: 1, ..TIMESTAMPING_CONFIG::default() };
    assert_eq!(socket.ioctl(SIO_TIMESTAMPING, Some(config)), STATUS_NOT_SUPPORTED);
    socket.close();
    client.end();
}

fn address(address: Ipv4Addr) -> IN_ADDR {
    address.into()
}

fn put(storage: &mut skua_engine::abi::sockaddr::SOCKADDR_STORAGE, address: Ipv4Addr) {
    let inet = SOCKADDR_INET::from(SocketAddr::new(address.into(), 0));
    let bytes: &mut [u8; 128] = bytemuck::cast_mut(storage);
    bytes[..28].copy_from_slice(bytemuck::bytes_of(&inet));
}
