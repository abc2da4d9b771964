//! Multicast groups, joined and left by interface and source.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use skua_engine::abi::status::STATUS_NOT_SUPPORTED;
use skua_engine::{Config, Membership, MembershipError, Passive};
use skua_hosted::HostConfig;
use skua_record::RecordFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::fixture::{Client, Policy, told, wait_for};

/// The index of the loopback interface, as it arrives with a datagram.
pub(crate) fn loopback_index(client: &Client) -> u32 {
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    crate::fixture::sender(socket.local_address()).send(b"which").unwrap();
    let index = ends.next().interface;
    client.close(socket);
    index
}

/// A sender whose IPv4 multicast leaves by the loopback interface.
fn sender() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.set_multicast_loop_v4(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket
}

/// Wine would exchange the source and the interface, so the provider refuses.
fn is_refused_by_wine(joined: Result<(), MembershipError>, membership: &Membership) -> bool {
    let Membership { group, interface, .. } = *membership;
    let refused = MembershipError::Refused { group, interface, status: STATUS_NOT_SUPPORTED };
    cfg!(windows) && joined == Err(refused)
}

fn heard_while_joined(group: &str, source: Option<&str>) {
    let group: IpAddr = group.parse().unwrap();
    let client = Client::new(HostConfig::default());
    let index = loopback_index(&client);
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let mut socket = client.listen(&engine, &told("0.0.0.0:0"));
    let to = SocketAddr::new(group, socket.local_address().port()).into();
    let port = socket.local_address().port();
    let direct = crate::fixture::sender(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let sender = sender();
    let mut heard = 0;
    let membership =
        Membership { group, interface: index, source: source.map(|source| source.parse().unwrap()) };
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let joined = socket.join(&membership, &passive);
        if source.is_none() || !is_refused_by_wine(joined, &membership) {
            joined.unwrap();
            sender.send_to(b"group", &to).unwrap();
            let seen = ends.next();
            assert_eq!((seen.payload.as_slice(), seen.local.ip()), (&b"group"[..], group));
            assert_eq!(seen.flags, RecordFlags::MULTICAST);
            assert_eq!(seen.interface, index);
            socket.leave(&membership, &passive).unwrap();
            heard += 1;
        }
    }
    // What follows on the same path tells that the group's datagram did not come.
    let _ = sender.send_to(b"left", &to);
    direct.send(b"direct").unwrap();
    assert_eq!(ends.next().payload, b"direct");
    assert_eq!(wait_for(&engine, |stats| stats.indicated > heard).indicated, heard + 1);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn an_ipv4_group_is_heard_while_it_is_joined() {
    heard_while_joined("239.255.7.1", None);
}

#[test]
fn an_ipv4_group_is_heard_from_the_one_source_asked_for() {
    heard_while_joined("232.255.7.2", Some("127.0.0.1"));
}

/// Without traffic: a host need not route IPv6 multicast to its loopback interface.
#[test]
fn an_ipv6_group_is_left_once_for_each_join() {
    let client = Client::new(HostConfig::default());
    let index = loopback_index(&client);
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let mut socket = client.listen(&engine, &told("[::]:0"));
    let membership = Membership { group: "ff01::7:3".parse().unwrap(), interface: index, source: None };
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        socket.join(&membership, &passive).unwrap();
        socket.leave(&membership, &passive).unwrap();
        assert!(matches!(socket.leave(&membership, &passive), Err(MembershipError::Refused { .. })));
    }
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn an_ipv4_group_is_not_heard_from_another_source() {
    let group: IpAddr = "232.255.7.4".parse().unwrap();
    let client = Client::new(HostConfig::default());
    let index = loopback_index(&client);
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let mut socket = client.listen(&engine, &told("0.0.0.0:0"));
    let membership = Membership { group, interface: index, source: Some("192.0.2.1".parse().unwrap()) };
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let joined = socket.join(&membership, &passive);
        if !is_refused_by_wine(joined, &membership) {
            joined.unwrap();
        }
    }
    let port = socket.local_address().port();
    sender().send_to(b"other", &SocketAddr::new(group, port).into()).unwrap();
    crate::fixture::sender(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).send(b"direct").unwrap();
    assert_eq!(ends.next().payload, b"direct");
    assert_eq!(wait_for(&engine, |stats| stats.indicated > 0).indicated, 1);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn what_is_no_group_is_refused() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let mut socket = client.listen(&engine, &told("0.0.0.0:0"));
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let unicast: IpAddr = "192.0.2.1".parse().unwrap();
        let membership = Membership { group: unicast, interface: 0, source: None };
        assert_eq!(socket.join(&membership, &passive), Err(MembershipError::NotAGroup(unicast)));
        let mixed = Membership {
            group: "239.1.1.1".parse().unwrap(),
            interface: 0,
            source: Some("2001:db8::1".parse().unwrap()),
        };
        assert_eq!(socket.join(&mixed, &passive), Err(MembershipError::NotAGroup(mixed.group)));
        let nowhere = Membership { interface: 1 << 30, ..Membership { source: None, ..mixed } };
        assert!(matches!(socket.join(&nowhere, &passive), Err(MembershipError::Refused { .. })));
    }
    client.close(socket);
    drop(engine);
    client.finish();
}
