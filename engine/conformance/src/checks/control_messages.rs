//! Control messages, sent and received.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::ControlMessage;
use skua_engine::abi::sockaddr::{
    IP_ECN, IP_HOPLIMIT, IP_PKTINFO, IP_RECVTOS, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP,
    IPV6_ECN, IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_V6ONLY,
    UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE,
};
use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE_FROM;

use crate::client::buffer::{Buffer, digest};
use crate::client::control_area::ControlArea;
use crate::client::datagram::{DatagramSocket, Sending};
use crate::client::recorder::Seen;
use crate::client::{ANY, ANY_V6, Client, LOCALHOST, LOCALHOST_V6, needs};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { ControlMessages;
    packet_info: "IP_PKTINFO tells the address that a datagram was sent to",
        "IP_PKTINFO; facts 5, Control messages";
    packet_info_interface: "IP_PKTINFO tells the interface that a datagram came by",
        "IN_PKTINFO, ipi_ifindex";
    packet_info_v6: "IPV6_PKTINFO tells the address that a datagram was sent to",
        "IPV6_PKTINFO; facts 5, Control messages";
    hop_limit: "IP_HOPLIMIT tells the time to live",
        "IP_HOPLIMIT; facts 5, Control messages";
    hop_limit_v6: "IPV6_HOPLIMIT tells the hop limit",
        "IPV6_HOPLIMIT; facts 5, Control messages";
    tos: "IP_RECVTOS tells the type of service",
        "IP_RECVTOS; facts 5, Control messages";
    class: "IPV6_RECVTCLASS tells the traffic class",
        "IPV6_RECVTCLASS; facts 5, Control messages";
    ecn: "IP_ECN tells the congestion bits alone",
        "IP_ECN; facts 5, Control messages";
    ecn_v6: "IPV6_ECN tells the congestion bits alone",
        "IPV6_ECN; facts 5, Control messages";
    none: "without an option no control messages come",
        "WSK_DATAGRAM_INDICATION, ControlInfo";
    off_again: "an option that is turned off again brings none",
        "IP_PKTINFO";
    several: "several control messages come together",
        "WSK_DATAGRAM_INDICATION, ControlInfo";
    source: "a send with IP_PKTINFO has the source address that it names",
        "WskSendTo, ControlInfo; IP_PKTINFO";
    sent_tos: "a send with IP_TOS has that type of service",
        "WskSendTo, ControlInfo; IP_TOS";
    sent_ttl: "a send with IP_TTL has that time to live",
        "WskSendTo, ControlInfo; facts 5, Control messages";
    sent_by_list: "control messages are those of every datagram of a list",
        "WskSendMessages, ControlInfo";
    only_this_send: "control messages hold for one send",
        "WskSendTo, ControlInfo";
    empty_message: "a message without a payload beside IP_PKTINFO changes nothing",
        "facts 5, Control messages: IP_OPTIONS";
    malformed: "a control message that is shorter than its kind is refused",
        "WskSendTo, ControlInfo; CMSGHDR, cmsg_len";
    beyond: "a control message that is longer than the area is refused",
        "WskSendTo, ControlInfoLength";
    mapped: "a dual-stack socket sees IPv4 as mapped addresses",
        "IPV6_V6ONLY; facts 5, WSK_DATAGRAM_INDICATION";
    mapped_messages: "a dual-stack socket has messages of IPPROTO_IP for IPv4",
        "facts 5, Control messages";
    segments: "UDP_SEND_MSG_SIZE cuts one buffer into datagrams",
        "UDP_SEND_MSG_SIZE; facts 5, USO";
    segments_last: "the last datagram of a buffer that is cut may be shorter",
        "UDP_SEND_MSG_SIZE; facts 5, USO";
    segment_option: "UDP_SEND_MSG_SIZE as an option cuts every send",
        "UDP_SEND_MSG_SIZE";
    coalesced: "datagrams that are received joined are of the size that UDP_COALESCED_INFO says",
        "UDP_RECV_MAX_COALESCED_SIZE; UDP_COALESCED_INFO; facts 5, URO";
}

/// A receiver with an option of these, and what it saw of a datagram that a socket of its family sent with another.
fn received<K: Kernel, R>(
    client: &Client<'_, K>,
    (level, option): (u32, u32),
    sending: Option<(u32, u32)>,
    look: impl FnOnce(&Seen) -> Result<R, Outcome>,
) -> Result<R, Outcome> {
    client.needs_control_messages()?;
    let local = if level == IPPROTO_IPV6 { LOCALHOST_V6 } else { LOCALHOST };
    let receiver = DatagramSocket::hearing(client, local)?;
    let sender = DatagramSocket::bound(client, local)?;
    if let Some((option, value)) = sending {
        let status = sender.set(level, option, value)?;
        needs(status != STATUS_NOT_SUPPORTED, "the sender's option is not supported here")?;
        expect_at("the sender's option", STATUS_SUCCESS, status)?;
    }
    let status = receiver.set(level, option, 1)?;
    needs(status != STATUS_NOT_SUPPORTED, "the receiver's option is not supported here")?;
    expect_at("the receiver's option", STATUS_SUCCESS, status)?;
    sender.deliver(receiver.local()?, b"with messages")?;
    look(receiver.event.seen(0)?)
}

/// A control message's number; not applicable where the stack had no memory for it.
fn word(seen: &Seen, message: ControlMessage) -> Result<u32, Outcome> {
    let word = seen.control_word(message);
    word.ok_or(Outcome::NotApplicable { why: "the datagram came without the control message" })
}

/// A control message's payload.
fn payload(seen: &Seen, message: ControlMessage) -> Result<[u8; 24], Outcome> {
    let payload = seen.control(message);
    payload.ok_or(Outcome::NotApplicable { why: "the datagram came without the control message" })
}

/// The address in an IN_PKTINFO.
fn address(payload: [u8; 24]) -> SocketAddr {
    let [a, b, c, d, ..] = payload;
    SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), 0)
}

fn packet_info<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let info = (IPPROTO_IP, IP_PKTINFO);
    let seen = received(client, info, None, |seen| payload(seen, ControlMessage::IP_PKTINFO))?;
    expect(LOCALHOST, address(seen))
}

fn packet_info_interface<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let info = (IPPROTO_IP, IP_PKTINFO);
    let seen = received(client, info, None, |seen| payload(seen, ControlMessage::IP_PKTINFO))?;
    let [_, _, _, _, a, b, c, d, ..] = seen;
    expect(Value::AtLeast(1), u32::from_ne_bytes([a, b, c, d]))
}

fn packet_info_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let info = (IPPROTO_IPV6, IPV6_PKTINFO);
    let seen = received(client, info, None, |seen| payload(seen, ControlMessage::IPV6_PKTINFO))?;
    expect(true, seen.starts_with(&Ipv6Addr::LOCALHOST.octets()))
}

fn hop_limit<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let seen = received(client, (IPPROTO_IP, IP_HOPLIMIT), Some((IP_TTL, 7)), |seen| {
        // Either number is used: see the facts.
        word(seen, ControlMessage::IP_TTL).or_else(|_| word(seen, ControlMessage::IP_HOPLIMIT))
    })?;
    expect(7_u32, seen)
}

fn hop_limit_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let seen = received(client, (IPPROTO_IPV6, IPV6_HOPLIMIT), Some((IPV6_UNICAST_HOPS, 7)), |seen| {
        word(seen, ControlMessage::IPV6_HOPLIMIT)
    })?;
    expect(7_u32, seen)
}

fn tos<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let seen = received(client, (IPPROTO_IP, IP_RECVTOS), Some((IP_TOS, 0x28)), |seen| {
        word(seen, ControlMessage::IP_TOS)
    })?;
    expect(Value::Bits(0x28), Value::Bits(seen.into()))
}

fn class<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let seen = received(client, (IPPROTO_IPV6, IPV6_RECVTCLASS), Some((IPV6_TCLASS, 0x28)), |seen| {
        word(seen, ControlMessage::IPV6_TCLASS)
    })?;
    expect(Value::Bits(0x28), Value::Bits(seen.into()))
}

fn ecn<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let seen = received(client, (IPPROTO_IP, IP_ECN), Some((IP_TOS, 0x2a)), |seen| {
        word(seen, ControlMessage::IP_ECN)
    })?;
    expect(2_u32, seen)
}

fn ecn_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let seen = received(client, (IPPROTO_IPV6, IPV6_ECN), Some((IPV6_TCLASS, 0x2a)), |seen| {
        word(seen, ControlMessage::IPV6_ECN)
    })?;
    expect(2_u32, seen)
}

fn none<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    sender.deliver(receiver.local()?, b"alone")?;
    expect(0_usize, receiver.event.seen(0)?.control_length())
}

fn off_again<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    expect_at("on", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_PKTINFO, 1)?)?;
    expect_at("off", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_PKTINFO, 0)?)?;
    sender.deliver(receiver.local()?, b"alone")?;
    expect(0_usize, receiver.event.seen(0)?.control_length())
}

fn several<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    for option in [IP_PKTINFO, IP_RECVTOS] {
        expect_at("options", STATUS_SUCCESS, receiver.set(IPPROTO_IP, option, 1)?)?;
    }
    sender.deliver(receiver.local()?, b"two")?;
    let seen = receiver.event.seen(0)?;
    payload(seen, ControlMessage::IP_PKTINFO)?;
    expect(0_u32, word(seen, ControlMessage::IP_TOS)?)
}

/// What a receiver with an option sees of a send with control messages.
fn sent<K: Kernel, R>(
    client: &Client<'_, K>,
    option: u32,
    messages: &[(ControlMessage, &[u8])],
    look: impl FnOnce(&Seen) -> Result<R, Outcome>,
) -> Result<R, Outcome> {
    client.needs_control_messages()?;
    let receiver = DatagramSocket::hearing(client, LOCALHOST)?;
    let sender = DatagramSocket::bound(client, ANY)?;
    expect_at("the receiver's option", STATUS_SUCCESS, receiver.set(IPPROTO_IP, option, 1)?)?;
    let control = ControlArea::of(client.bench(), messages)?;
    let buffer = Buffer::of(client.bench(), &[b"with control"])?;
    let done = sender.send(Sending::of(&buffer).to(receiver.local()?).with(&control))?;
    needs(done.status != STATUS_NOT_SUPPORTED, "the message cannot be sent here")?;
    done.succeeds("WskSendTo")?;
    look(receiver.event.seen(0)?)
}

/// 127.0.0.9, any interface.
const SOURCE: [u8; 8] = [127, 0, 0, 9, 0, 0, 0, 0];

fn source<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let messages: [(ControlMessage, &[u8]); 1] = [(ControlMessage::IP_PKTINFO, &SOURCE)];
    let seen = sent(client, IP_PKTINFO, &messages, |seen| Ok(seen.source()))?;
    let expected = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 9).into(), 0);
    expect(expected, seen.map_or(LOCALHOST, |seen| SocketAddr::new(seen.ip(), 0)))
}

fn empty_message<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let messages: [(ControlMessage, &[u8]); 2] =
        [(ControlMessage::IP_PKTINFO, &SOURCE), (ControlMessage::IP_OPTIONS, &[])];
    let seen = sent(client, IP_PKTINFO, &messages, |seen| Ok(seen.source()))?;
    let expected = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 9).into(), 0);
    expect(expected, seen.map_or(LOCALHOST, |seen| SocketAddr::new(seen.ip(), 0)))
}

fn sent_tos<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let value = 0x28_u32.to_ne_bytes();
    let messages: [(ControlMessage, &[u8]); 1] = [(ControlMessage::IP_TOS, &value)];
    let seen = sent(client, IP_RECVTOS, &messages, |seen| word(seen, ControlMessage::IP_TOS))?;
    expect(Value::Bits(0x28), Value::Bits(seen.into()))
}

fn sent_ttl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let value = 9_u32.to_ne_bytes();
    let messages: [(ControlMessage, &[u8]); 1] = [(ControlMessage::IP_TTL, &value)];
    let seen = sent(client, IP_HOPLIMIT, &messages, |seen| {
        word(seen, ControlMessage::IP_TTL).or_else(|_| word(seen, ControlMessage::IP_HOPLIMIT))
    })?;
    expect(9_u32, seen)
}

fn sent_by_list<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let receiver = DatagramSocket::hearing(client, LOCALHOST)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    expect_at("IP_RECVTOS", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_RECVTOS, 1)?)?;
    let value = 0x28_u32.to_ne_bytes();
    let control = ControlArea::of(client.bench(), &[(ControlMessage::IP_TOS, &value)])?;
    let (one, two) = (Buffer::of(client.bench(), &[b"one"])?, Buffer::of(client.bench(), &[b"two"])?);
    let done = sender.send_messages(Some(receiver.local()?), &[&one, &two], 0, Some(&control))?;
    needs(done.status != STATUS_NOT_SUPPORTED, "the message cannot be sent here")?;
    done.succeeds("WskSendMessages")?;
    expect_at("the first", 0x28_u32, word(receiver.event.seen(0)?, ControlMessage::IP_TOS)?)?;
    expect(0x28_u32, word(receiver.event.seen(1)?, ControlMessage::IP_TOS)?)
}

fn only_this_send<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    expect_at("IP_RECVTOS", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_RECVTOS, 1)?)?;
    let value = 0x28_u32.to_ne_bytes();
    let control = ControlArea::of(client.bench(), &[(ControlMessage::IP_TOS, &value)])?;
    let buffer = Buffer::of(client.bench(), &[b"special"])?;
    let done = sender.send(Sending::of(&buffer).to(receiver.local()?).with(&control))?;
    needs(done.status != STATUS_NOT_SUPPORTED, "the message cannot be sent here")?;
    done.succeeds("WskSendTo")?;
    sender.deliver(receiver.local()?, b"ordinary")?;
    expect(0_u32, word(receiver.event.seen(1)?, ControlMessage::IP_TOS)?)
}

fn malformed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let control = ControlArea::of(client.bench(), &[(ControlMessage::IP_PKTINFO, &[127, 0])])?;
    let buffer = Buffer::of(client.bench(), &[b"never sent"])?;
    let done = sender.send(Sending::of(&buffer).to(receiver.local()?).with(&control))?;
    expect(Value::Failure, done.status)
}

fn beyond<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    // cmsg_len says 4096, of 24 bytes.
    let mut bytes = [0; 24];
    bytes.iter_mut().zip(4096_u64.to_ne_bytes()).for_each(|(place, byte)| *place = byte);
    let control = ControlArea::bytes(client.bench(), &bytes)?;
    let buffer = Buffer::of(client.bench(), &[b"never sent"])?;
    let done = sender.send(Sending::of(&buffer).to(receiver.local()?).with(&control))?;
    expect(Value::Failure, done.status)
}

/// A dual-stack socket whose event is enabled, and the port it is bound to.
fn dual<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<(DatagramSocket<'c, K>, u16), Outcome> {
    let socket = DatagramSocket::open(client, ANY_V6)?;
    let status = socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 0)?;
    needs(status != STATUS_NOT_SUPPORTED, "no dual-stack sockets here")?;
    expect_at("IPV6_V6ONLY", STATUS_SUCCESS, status)?;
    expect_at("WskBind", STATUS_SUCCESS, socket.bind(ANY_V6)?)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, socket.set_events(WSK_EVENT_RECEIVE_FROM))?;
    let port = socket.local()?.port();
    Ok((socket, port))
}

fn mapped<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (receiver, port) = dual(client)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    sender.deliver(SocketAddr::new(LOCALHOST.ip(), port), b"four")?;
    let source = receiver.event.seen(0)?.source().unwrap_or(LOCALHOST);
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    expect(SocketAddr::new(mapped.into(), sender.local()?.port()), source)
}

fn mapped_messages<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (receiver, port) = dual(client)?;
    for (level, option) in [(IPPROTO_IP, IP_PKTINFO), (IPPROTO_IPV6, IPV6_PKTINFO)] {
        expect_at("options", STATUS_SUCCESS, receiver.set(level, option, 1)?)?;
    }
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    sender.deliver(SocketAddr::new(LOCALHOST.ip(), port), b"four")?;
    expect(LOCALHOST, address(payload(receiver.event.seen(0)?, ControlMessage::IP_PKTINFO)?))
}

/// Sends `length` bytes to be cut into parts of 1000, and gives the receiver to `look`.
fn cut<K: Kernel>(
    client: &Client<'_, K>,
    length: usize,
    look: impl FnOnce(&DatagramSocket<'_, K>) -> Verdict,
) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let size = 1000_u32.to_ne_bytes();
    let control = ControlArea::of(client.bench(), &[(ControlMessage::UDP_SEND_MSG_SIZE, &size)])?;
    let buffer = Buffer::patterned(client.bench(), 9, length)?;
    let done = sender.send(Sending::of(&buffer).to(receiver.local()?).with(&control))?;
    needs(done.status != STATUS_NOT_SUPPORTED, "nothing is segmented here")?;
    done.succeeds("WskSendTo")?;
    expect_at("bytes", length, done.information)?;
    look(&receiver)
}

fn segments<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    cut(client, 3000, |receiver| {
        for index in 0..3 {
            expect_at("bytes of each", 1000_usize, receiver.event.seen(index)?.said)?;
        }
        expect(3_usize, receiver.event.count())
    })
}

fn segments_last<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    cut(client, 2300, |receiver| {
        receiver.event.wait_for(3)?;
        expect(300_usize, receiver.event.seen(2)?.said)
    })
}

fn segment_option<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let status = sender.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 500)?;
    needs(status != STATUS_NOT_SUPPORTED, "nothing is segmented here")?;
    expect_at("UDP_SEND_MSG_SIZE", STATUS_SUCCESS, status)?;
    let buffer = Buffer::patterned(client.bench(), 9, 1000)?;
    let done = sender.send(Sending::of(&buffer).to(receiver.local()?))?;
    needs(done.status != STATUS_NOT_SUPPORTED, "nothing is segmented here")?;
    done.succeeds("WskSendTo")?;
    expect_at("the first", 500_usize, receiver.event.seen(0)?.said)?;
    expect(500_usize, receiver.event.seen(1)?.said)
}

fn coalesced<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let status = receiver.set(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, 65_527)?;
    needs(status != STATUS_NOT_SUPPORTED, "nothing is joined here")?;
    expect_at("UDP_RECV_MAX_COALESCED_SIZE", STATUS_SUCCESS, status)?;
    let buffer = Buffer::patterned(client.bench(), 4, 400)?;
    for _ in 0..4 {
        sender.send(Sending::of(&buffer).to(receiver.local()?))?.succeeds("WskSendTo")?;
    }
    // Whether and how they are joined is the stack's to choose.
    let (mut bytes, mut index) = (0, 0);
    while bytes < 1600 {
        let seen = receiver.event.seen(index)?;
        if seen.said > 400 {
            expect_at("UDP_COALESCED_INFO", 400_u32, word(seen, ControlMessage::UDP_COALESCED_INFO)?)?;
            expect_at("whole datagrams", 0_usize, seen.said % 400)?;
        } else {
            let same = seen.digest == digest(buffer.bytes().iter().copied());
            expect_at("the datagram as it was sent", true, same)?;
        }
        bytes += seen.said;
        index += 1;
    }
    expect(1600_usize, bytes)
}
