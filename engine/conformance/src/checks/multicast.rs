//! Multicast and broadcast.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{MSG_BCAST, MSG_MCAST};
use skua_engine::abi::sockaddr::{
    IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF, IPPROTO_IP,
    IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, SO_BROADCAST, SOL_SOCKET,
};
use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};

use crate::client::datagram::DatagramSocket;
use crate::client::{ANY, ANY_V6, Client, LOCALHOST, needs};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Multicast;
    join: "a group can be joined by its interface's address",
        "IP_ADD_MEMBERSHIP; facts 4, Multicast options";
    before: "a datagram for a group does not reach who is no member",
        "IP_ADD_MEMBERSHIP";
    member: "a datagram for a group reaches a member",
        "IP_ADD_MEMBERSHIP";
    flagged: "a datagram for a group is flagged MSG_MCAST",
        "WskReceiveFromEvent, Flags: MSG_MCAST";
    flagged_receive: "a receive of a datagram for a group is flagged MSG_MCAST",
        "WskReceiveFrom, ControlFlags: MSG_MCAST";
    unicast: "a datagram for the socket's own address is flagged neither MSG_MCAST nor MSG_BCAST",
        "WskReceiveFromEvent, Flags";
    left: "a datagram for a group does not reach who has left it",
        "IP_DROP_MEMBERSHIP";
    joined_twice: "a group is not joined twice by one socket",
        "IP_ADD_MEMBERSHIP";
    left_twice: "a group is left by its members only",
        "IP_DROP_MEMBERSHIP";
    no_group: "an address that is no group cannot be joined",
        "IP_ADD_MEMBERSHIP";
    short: "a membership that is too short is refused",
        "IP_MREQ; WskControlSocket, InputSize";
    source: "a membership of one source lets no other in",
        "IP_ADD_SOURCE_MEMBERSHIP; IP_MREQ_SOURCE";
    join_v6: "a group of IPv6 can be joined and left",
        "IPV6_ADD_MEMBERSHIP; IPV6_DROP_MEMBERSHIP";
    broadcast_refused: "without SO_BROADCAST a broadcast is refused",
        "SO_BROADCAST";
    broadcast_flagged: "a broadcast that is received is flagged MSG_BCAST",
        "WskReceiveFromEvent, Flags: MSG_BCAST";
}

/// A group that nobody else uses: administratively scoped (RFC 2365).
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 31);

/// IP_MREQ: the group, by the interface of the loopback address.
fn membership(group: Ipv4Addr) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (group.octets(), Ipv4Addr::LOCALHOST.octets());
    [a, b, c, d, e, f, g, h]
}

/// A sender by the loopback interface, a receiver whose event is enabled, and where the group is at its port.
fn parties<'c, K: Kernel>(
    client: &'c Client<'_, K>,
) -> Result<(DatagramSocket<'c, K>, DatagramSocket<'c, K>, SocketAddr), Outcome> {
    let receiver = DatagramSocket::hearing(client, ANY)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    let interface = Ipv4Addr::LOCALHOST.octets();
    expect_at("IP_MULTICAST_IF", STATUS_SUCCESS, sender.set_bytes(IPPROTO_IP, IP_MULTICAST_IF, &interface)?)?;
    let group = SocketAddr::new(GROUP.into(), receiver.local()?.port());
    Ok((sender, receiver, group))
}

/// Joins the group.
fn enter<K: Kernel>(socket: &DatagramSocket<'_, K>) -> Result<(), Outcome> {
    let status = socket.set_bytes(IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership(GROUP))?;
    expect_at("IP_ADD_MEMBERSHIP", STATUS_SUCCESS, status).map(drop)
}

/// Leaves it.
fn leave<K: Kernel>(socket: &DatagramSocket<'_, K>) -> Result<(), Outcome> {
    let status = socket.set_bytes(IPPROTO_IP, IP_DROP_MEMBERSHIP, &membership(GROUP))?;
    expect_at("IP_DROP_MEMBERSHIP", STATUS_SUCCESS, status).map(drop)
}

fn join<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY)?;
    expect(STATUS_SUCCESS, socket.set_bytes(IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership(GROUP))?)
}

fn before<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver, group) = parties(client)?;
    sender.deliver(group, b"for members")?;
    expect(true, receiver.event.stays_at(0))
}

fn member<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver, group) = parties(client)?;
    enter(&receiver)?;
    sender.deliver(group, b"for members")?;
    expect(true, receiver.event.seen(0)?.payload() == b"for members")
}

fn flagged<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Without them a stack does not know where a datagram was sent to.
    client.needs_control_messages()?;
    let (sender, receiver, group) = parties(client)?;
    enter(&receiver)?;
    sender.deliver(group, b"for members")?;
    expect(MSG_MCAST, receiver.event.seen(0)?.flags & (MSG_MCAST | MSG_BCAST))
}

fn flagged_receive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Without them a stack does not know where a datagram was sent to.
    client.needs_control_messages()?;
    let (sender, receiver, group) = parties(client)?;
    enter(&receiver)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(group, b"for members")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(MSG_MCAST, receiving.flags() & (MSG_MCAST | MSG_BCAST))
}

fn unicast<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    sender.deliver(receiver.local()?, b"for you")?;
    expect(0_u32, receiver.event.seen(0)?.flags & (MSG_MCAST | MSG_BCAST))
}

fn left<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver, group) = parties(client)?;
    enter(&receiver)?;
    leave(&receiver)?;
    sender.deliver(group, b"for members")?;
    expect(true, receiver.event.stays_at(0))
}

fn joined_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY)?;
    enter(&socket)?;
    expect(Value::Failure, socket.set_bytes(IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership(GROUP))?)
}

fn left_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY)?;
    expect(Value::Failure, socket.set_bytes(IPPROTO_IP, IP_DROP_MEMBERSHIP, &membership(GROUP))?)
}

fn no_group<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY)?;
    let nobody = membership(Ipv4Addr::LOCALHOST);
    expect(Value::Failure, socket.set_bytes(IPPROTO_IP, IP_ADD_MEMBERSHIP, &nobody)?)
}

fn short<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY)?;
    expect(Value::Failure, socket.set_bytes(IPPROTO_IP, IP_ADD_MEMBERSHIP, &GROUP.octets())?)
}

fn source<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    /// For memberships of sources (RFC 4607).
    const GROUP: Ipv4Addr = Ipv4Addr::new(232, 255, 77, 31);
    let (sender, receiver, _) = parties(client)?;
    // IP_MREQ_SOURCE: group, source, interface.
    let mut request = [0; 12];
    let parts =
        [GROUP, Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST].into_iter().flat_map(|part| part.octets());
    request.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    let status = receiver.set_bytes(IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &request)?;
    needs(status != STATUS_NOT_SUPPORTED, "no memberships of sources here")?;
    expect_at("IP_ADD_SOURCE_MEMBERSHIP", STATUS_SUCCESS, status)?;
    sender.deliver(SocketAddr::new(GROUP.into(), receiver.local()?.port()), b"from another")?;
    expect(true, receiver.event.stays_at(0))
}

fn join_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY_V6)?;
    // IPV6_MREQ: a group of the loopback interface, which is the first.
    let group = Ipv6Addr::new(0xff11, 0, 0, 0, 0, 0, 0x77, 0x31);
    let mut request = [0; 20];
    let parts = group.octets().into_iter().chain(1_u32.to_ne_bytes());
    request.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    let status = socket.set_bytes(IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request)?;
    expect_at("IPV6_ADD_MEMBERSHIP", STATUS_SUCCESS, status)?;
    expect(STATUS_SUCCESS, socket.set_bytes(IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &request)?)
}

fn broadcast_refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, ANY)?;
    let everybody = SocketAddr::new(Ipv4Addr::BROADCAST.into(), socket.local()?.port());
    expect(Value::Failure, socket.send_to(everybody, b"for everybody")?.status)
}

fn broadcast_flagged<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Without them a stack does not know where a datagram was sent to.
    client.needs_control_messages()?;
    let receiver = DatagramSocket::hearing(client, ANY)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    expect_at("SO_BROADCAST", STATUS_SUCCESS, sender.set(SOL_SOCKET, SO_BROADCAST, 1)?)?;
    // Of the loopback network: nothing is to leave the machine.
    let network = SocketAddr::new(Ipv4Addr::new(127, 255, 255, 255).into(), receiver.local()?.port());
    let sent = sender.send_to(network, b"for everybody")?;
    if sent.status == STATUS_SUCCESS && !receiver.event.stays_at(0) {
        return expect(MSG_BCAST, receiver.event.seen(0)?.flags & (MSG_MCAST | MSG_BCAST));
    }
    Err(Outcome::NotApplicable { why: "no broadcast comes back to this machine" })
}
