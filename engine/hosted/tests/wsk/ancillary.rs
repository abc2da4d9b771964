//! Control messages of received datagrams, and the flags of a list.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{MSG_BCAST, MSG_MCAST};
use skua_engine::abi::sockaddr::{
    GROUP_SOURCE_REQ, IN_ADDR, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_ECN, IP_HOPLIMIT,
    IP_MREQ_SOURCE, IP_MULTICAST_IF, IP_PKTINFO, IP_RECVTOS, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6,
    IPV6_V6ONLY, MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, SIO_TIMESTAMPING, SO_BROADCAST,
    SO_TIMESTAMP, SOCKADDR_INET, SOL_SOCKET, TIMESTAMPING_CONFIG,
};
use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::zeroed;
use skua_hosted::Transport;

use crate::raw::recorder::{Datagram, Message};
use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, kernel};

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
