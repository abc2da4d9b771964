//! Multicast options, and broadcasts that are not wanted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use skua_engine::abi::cmsg::{MSG_BCAST, MSG_MCAST};
use skua_engine::abi::sockaddr::*;
use skua_engine::abi::status::{
    STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::zeroed;
use skua_hosted::Transport;

use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, kernel};

/// Transports on which sources can be told apart.
const WITH_SOURCES: &[Transport] =
    if cfg!(target_os = "linux") { &[Transport::Os, Transport::Loopback] } else { &[Transport::Loopback] };

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 9);
/// The interface of the loopback address.
const INTERFACE: u32 = 1;

fn storage(address: IpAddr) -> SOCKADDR_STORAGE {
    let mut bytes = [0u8; size_of::<SOCKADDR_STORAGE>()];
    bytes[..28].copy_from_slice(bytemuck::bytes_of(&SOCKADDR_INET::from(SocketAddr::new(address, 0))));
    bytemuck::must_cast(bytes)
}

fn group(address: IpAddr) -> GROUP_REQ {
    GROUP_REQ { gr_interface: INTERFACE, gr_group: storage(address), ..zeroed() }
}

fn source(group: IpAddr, source: IpAddr) -> GROUP_SOURCE_REQ {
    let (gsr_group, gsr_source) = (storage(group), storage(source));
    GROUP_SOURCE_REQ { gsr_interface: INTERFACE, gsr_group, gsr_source, ..zeroed() }
}

/// A receiver on the wildcard, a sender of multicast by the loopback interface, and where it sends to.
fn pair(client: &Client) -> (Socket, Socket, SocketAddr) {
    let receiver = Socket::bound(client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
    let sender = Socket::bound(client, LOCALHOST);
    let by: IN_ADDR = Ipv4Addr::LOCALHOST.into();
    assert_eq!(sender.set(IPPROTO_IP, IP_MULTICAST_IF, by), STATUS_SUCCESS);
    assert_eq!(sender.get(IPPROTO_IP, IP_MULTICAST_IF), Ok(by.S_addr));
    let to = SocketAddr::new(GROUP.into(), receiver.local().port());
    (receiver, sender, to)
}

#[test]
fn a_blocked_source_is_not_heard_until_it_is_admitted_again() {
    for &transport in WITH_SOURCES {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let by_any = source(GROUP.into(), Ipv4Addr::LOCALHOST.into());
        let by_v4 = IP_MREQ_SOURCE {
            imr_multiaddr: GROUP.into(),
            imr_sourceaddr: Ipv4Addr::LOCALHOST.into(),
            imr_interface: Ipv4Addr::LOCALHOST.into(),
        };
        let (receiver, sender, to) = pair(&client);
        let here = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port());
        let block = |on: bool, round: usize| match (on, round) {
            (true, 0) => receiver.set(IPPROTO_IP, MCAST_BLOCK_SOURCE, by_any),
            (false, 0) => receiver.set(IPPROTO_IP, MCAST_UNBLOCK_SOURCE, by_any),
            (true, _) => receiver.set(IPPROTO_IP, IP_BLOCK_SOURCE, by_v4),
            (false, _) => receiver.set(IPPROTO_IP, IP_UNBLOCK_SOURCE, by_v4),
        };
        assert!(!block(true, 0).is_success(), "not joined");
        for round in 0..2 {
            let seen = receiver.recorder.count();
            assert_eq!(receiver.set(IPPROTO_IP, MCAST_JOIN_GROUP, group(GROUP.into())), STATUS_SUCCESS);
            sender.deliver(to, b"heard");
            receiver.recorder.wait_for(seen + 1);
            assert_eq!(block(true, round), STATUS_SUCCESS, "{transport:?}");
            sender.deliver(to, b"blocked");
            sender.deliver(here, b"unicast");
            receiver.recorder.wait_for(seen + 2);
            assert_eq!(block(false, round), STATUS_SUCCESS);
            assert!(!block(false, round).is_success(), "not blocked");
            sender.deliver(to, b"again");
            receiver.recorder.wait_for(seen + 3);
            assert_eq!(receiver.set(IPPROTO_IP, MCAST_LEAVE_GROUP, group(GROUP.into())), STATUS_SUCCESS);
        }
        let payloads: Vec<_> = receiver.recorder.datagrams().into_iter().map(|seen| seen.payload).collect();
        assert_eq!(payloads, [&b"heard"[..], b"unicast", b"again", b"heard", b"unicast", b"again"]);
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_list_is_flagged_whether_or_not_destinations_are_asked_for() {
    for &transport in WITH_SOURCES {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let (receiver, sender, to) = pair(&client);
        assert_eq!(receiver.set(IPPROTO_IP, MCAST_JOIN_GROUP, group(GROUP.into())), STATUS_SUCCESS);
        sender.deliver(to, b"multicast");
        sender.deliver(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port()), b"unicast");
        receiver.recorder.wait_for(2);
        for (seen, flag) in receiver.recorder.datagrams().iter().zip([MSG_MCAST, 0]) {
            assert_eq!(seen.flags & (MSG_MCAST | MSG_BCAST), flag, "{transport:?}");
            assert_eq!(seen.control, [], "nothing was asked for");
        }
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn broadcasts_are_received_unless_that_is_called_off() {
    for &transport in WITH_SOURCES {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let (receiver, sender, to) = pair(&client);
        assert_eq!(sender.set(SOL_SOCKET, SO_BROADCAST, 1u32), STATUS_SUCCESS);
        let all = match transport {
            Transport::Loopback => Ipv4Addr::BROADCAST,
            _ => Ipv4Addr::new(127, 255, 255, 255),
        };
        let all = SocketAddr::new(all.into(), to.port());
        let here = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port());
        sender.deliver(all, b"wanted");
        receiver.recorder.wait_for(1);
        assert_eq!(receiver.recorder.datagrams()[0].flags & MSG_BCAST, MSG_BCAST, "{transport:?}");
        assert_eq!(receiver.set(IPPROTO_IP, IP_RECEIVE_BROADCAST, 0u32), STATUS_SUCCESS);
        sender.deliver(all, b"refused");
        sender.deliver(here, b"unicast");
        receiver.recorder.wait_for(2);
        assert_eq!(receiver.recorder.datagrams()[1].payload, b"unicast");
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_membership_takes_a_bound_socket_and_a_group_of_its_levels_family() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let v6_group: IpAddr = "ff15::77:9".parse::<Ipv6Addr>().unwrap().into();
    let unbound = Socket::open(&client, true);
    let join = group(GROUP.into());
    assert_eq!(unbound.set(IPPROTO_IP, MCAST_JOIN_GROUP, join), STATUS_INVALID_DEVICE_STATE);
    unbound.close();

    let v4 = Socket::bound(&client, LOCALHOST);
    assert_eq!(v4.set(IPPROTO_IPV6, MCAST_JOIN_GROUP, group(v6_group)), STATUS_NOT_SUPPORTED);
    assert_eq!(v4.set(IPPROTO_IP, MCAST_JOIN_GROUP, group(v6_group)), STATUS_INVALID_PARAMETER);
    assert_eq!(v4.get(IPPROTO_IP, MCAST_JOIN_GROUP), Err(STATUS_NOT_SUPPORTED), "can only be set");
    let mixed = source(GROUP.into(), Ipv6Addr::LOCALHOST.into());
    for option in [MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_BLOCK_SOURCE] {
        assert_eq!(v4.set(IPPROTO_IP, option, mixed), STATUS_INVALID_PARAMETER);
    }
    for (option, size) in [
        (IP_ADD_MEMBERSHIP, size_of::<IP_MREQ>()),
        (IP_ADD_SOURCE_MEMBERSHIP, size_of::<IP_MREQ_SOURCE>()),
        (MCAST_JOIN_GROUP, size_of::<GROUP_REQ>()),
        (MCAST_JOIN_SOURCE_GROUP, size_of::<GROUP_SOURCE_REQ>()),
    ] {
        let mut bytes = vec![0u64; 33];
        for length in [0, 1, size - 1] {
            let input = Some((bytes.as_mut_ptr().cast(), length));
            let kind = skua_engine::abi::wsk::WskSetOption;
            let set = v4.control(kind, IPPROTO_IP, option, input, None);
            assert_eq!(set, (STATUS_INVALID_PARAMETER, 0), "option {option}, {length} bytes");
        }
    }
    let not_one = group(Ipv4Addr::LOCALHOST.into());
    assert_eq!(v4.set(IPPROTO_IP, MCAST_JOIN_GROUP, not_one), STATUS_INVALID_PARAMETER);
    v4.close();
    client.end();
}
