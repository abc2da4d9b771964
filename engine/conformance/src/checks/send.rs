//! WskSendTo and WskSendMessages.

use core::net::SocketAddr;

use skua_engine::Kernel;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use skua_engine::abi::wsk::{SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS};

use crate::client::buffer::{Buffer, digest};
use crate::client::datagram::{DatagramSocket, Sending};
use crate::client::{Client, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Send;
    information: "a send completes with the bytes that were sent",
        "WskSendTo, Irp: IoStatus.Information";
    empty: "an empty datagram is sent",
        "WSK_BUF, Mdl: NULL where Length is 0";
    chain: "a chain of MDLs is one datagram",
        "WSK_BUF: a chain of MDLs";
    offset: "data may begin behind the first MDL's first byte",
        "WSK_BUF, Offset";
    unbound: "a send from a socket that is not bound is refused",
        "WskSendTo, Remarks: a socket is bound first";
    flags: "a send takes no flags",
        "WskSendTo, Flags: must be 0";
    empty_part: "an empty part of a chain is skipped",
        "WSK_BUF: a chain of MDLs";
    shorter_than_chain: "a chain may be longer than the length",
        "WSK_BUF, Length; facts 6";
    header_again: "the buffer's header is the client's again when the call returns",
        "facts 5, WskSendTo";
    no_remote: "a send needs a remote address",
        "WskSendTo, RemoteAddress";
    other_family: "a send to another family is refused",
        "WskSendTo, RemoteAddress";
    largest: "the largest datagram of IPv4 is sent whole",
        "WskSendTo, Buffer";
    too_large: "a datagram that IPv4 cannot carry is refused",
        "WskSendTo, Return value";
    unreachable: "a port that nobody is bound to fails neither the send nor the next one",
        "WskSendTo; facts 4, SIO_UDP_CONNRESET";
    over_v6: "a datagram is sent over IPv6",
        "WskSendTo";
    raised: "a datagram may be sent at DISPATCH_LEVEL",
        "WskSendTo, IRQL";
    twice: "two sends arrive in order",
        "WskSendTo";
    fixed: "a fixed remote address is where sends without one go",
        "SIO_WSK_SET_REMOTE_ADDRESS";
    fixed_filters: "a fixed remote address lets nobody else's datagrams in",
        "SIO_WSK_SET_REMOTE_ADDRESS";
    fixed_friend: "a fixed remote address lets its own datagrams in",
        "SIO_WSK_SET_REMOTE_ADDRESS";
    fixed_overridden: "an address given with a send goes before a fixed one",
        "SIO_WSK_SET_REMOTE_ADDRESS; WskSendTo, RemoteAddress";
    fixed_cleared: "a fixed remote address can be taken away",
        "SIO_WSK_SET_REMOTE_ADDRESS, InputSize: 0";
    fixed_unbound: "a remote address is fixed after bind",
        "SIO_WSK_SET_REMOTE_ADDRESS, Remarks";
    fixed_short: "a fixed address that is too short is refused",
        "SIO_WSK_SET_REMOTE_ADDRESS, InputSize";
    fixed_family: "a fixed address of another family is refused",
        "SIO_WSK_SET_REMOTE_ADDRESS, InputBuffer";
    destination: "a fixed destination is where sends without one go",
        "SIO_WSK_SET_SENDTO_ADDRESS";
    destination_open: "a fixed destination lets everybody's datagrams in",
        "SIO_WSK_SET_SENDTO_ADDRESS";
    messages_flags: "a list is sent without flags",
        "WskSendMessages, Flags: must be 0";
    messages_unbound: "a list from a socket that is not bound is refused",
        "WskSendMessages, Remarks";
    messages_raised: "a list may be sent at DISPATCH_LEVEL",
        "WskSendMessages; facts 5";
    messages_many: "a list of forty datagrams arrives whole and in order",
        "WskSendMessages, BufferList";
    messages_fixed: "a list without a remote address goes to the fixed one",
        "WskSendMessages, RemoteAddress";
    messages: "a list of buffers is sent with one completion, in order",
        "WskSendMessages, BufferList";
}

fn information<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let done = sender.send_to(receiver.local()?, &[7; 100])?;
    expect_at("WskSendTo", STATUS_SUCCESS, done.status)?;
    expect(100_usize, done.information)
}

fn empty<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let none =
        Sending { header: skua_engine::abi::zeroed(), ..Sending::of(&Buffer::room(client.bench(), &[1])?) };
    sender.send(none.to(receiver.local()?))?.succeeds("WskSendTo")?;
    expect(0_usize, receiver.event.seen(0)?.said)
}

fn chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let parts: [&[u8]; 3] = [b"one ", b"data", b"gram"];
    let buffer = Buffer::of(client.bench(), &parts)?;
    sender.send(Sending::of(&buffer).to(receiver.local()?))?.succeeds("WskSendTo")?;
    expect(true, receiver.event.seen(0)?.payload() == b"one datagram")
}

fn offset<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::of(client.bench(), &[b"head", b"tail"])?;
    let mut sending = Sending::of(&buffer).to(receiver.local()?);
    sending.header.Offset = 3;
    sending.header.Length = 3;
    sender.send(sending)?.succeeds("WskSendTo")?;
    expect(true, receiver.event.seen(0)?.payload() == b"dta")
}

fn unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (_sender, receiver) = DatagramSocket::pair(client)?;
    let unbound = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, unbound.send_to(receiver.local()?, b"lost")?.status)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::of(client.bench(), &[b"flags"])?;
    let sending = Sending { flags: 1, ..Sending::of(&buffer) };
    expect(STATUS_INVALID_PARAMETER, sender.send(sending.to(receiver.local()?))?.status)
}

fn messages<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let bench = client.bench();
    let (first, second) = (Buffer::patterned(bench, 1, 700)?, Buffer::patterned(bench, 2, 300)?);
    let done = sender.send_messages(Some(receiver.local()?), &[&first, &second], 0, None)?;
    done.succeeds("WskSendMessages")?;
    expect_at("Information", 1000_usize, done.information)?;
    for (index, sent) in [first, second].iter().enumerate() {
        let same = receiver.event.seen(index)?.digest == digest(sent.bytes().iter().copied());
        expect_at("bytes as they were sent, in order", true, same)?;
    }
    expect(2_usize, receiver.event.count())
}

fn empty_part<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::of(client.bench(), &[b"one ", b"", b"datagram"])?;
    sender.send(Sending::of(&buffer).to(receiver.local()?))?.succeeds("WskSendTo")?;
    expect(true, receiver.event.seen(0)?.payload() == b"one datagram")
}

fn shorter_than_chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::of(client.bench(), &[b"head", b"tail", b"not sent"])?;
    let mut sending = Sending::of(&buffer).to(receiver.local()?);
    sending.header.Length = 8;
    sender.send(sending)?.succeeds("WskSendTo")?;
    expect(true, receiver.event.seen(0)?.payload() == b"headtail")
}

fn header_again<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // The header lies on the frame of the call, which is gone before the datagram is looked at.
    information(client)
}

fn no_remote<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    let buffer = Buffer::of(client.bench(), &[b"to nobody"])?;
    expect(Value::Failure, sender.send(Sending::of(&buffer))?.status)
}

fn other_family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    let elsewhere = SocketAddr::new(LOCALHOST_V6.ip(), 9);
    expect(Value::Failure, sender.send_to(elsewhere, b"of another family")?.status)
}

/// The payload of the largest datagram of IPv4.
const LARGEST: usize = 65_535 - 20 - 8;

fn largest<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::patterned(client.bench(), 7, LARGEST)?;
    sender.send(Sending::of(&buffer).to(receiver.local()?))?.succeeds("WskSendTo")?;
    let seen = receiver.event.seen(0)?;
    expect_at("the same bytes", true, seen.digest == digest(buffer.bytes().iter().copied()))?;
    expect(LARGEST, seen.said)
}

fn too_large<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::patterned(client.bench(), 7, LARGEST + 1)?;
    expect(Value::Failure, sender.send(Sending::of(&buffer).to(receiver.local()?))?.status)
}

fn unreachable<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    let gone = DatagramSocket::bound(client, LOCALHOST)?;
    let nobody = gone.local()?;
    gone.close()?.succeeds("WskCloseSocket")?;
    sender.deliver(nobody, b"to nobody")?;
    expect(STATUS_SUCCESS, sender.send_to(nobody, b"to nobody again")?.status)
}

fn over_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::hearing(client, LOCALHOST_V6)?;
    let sender = DatagramSocket::bound(client, LOCALHOST_V6)?;
    sender.deliver(receiver.local()?, b"over IPv6")?;
    let seen = receiver.event.seen(0)?;
    expect_at("the same bytes", true, seen.payload() == b"over IPv6")?;
    expect(sender.local()?, seen.source().unwrap_or(LOCALHOST))
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let remote = receiver.local()?;
    client.bench().raise_calls();
    sender.deliver(remote, b"from above")?;
    expect(true, receiver.event.seen(0)?.payload() == b"from above")
}

fn twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    for payload in [b"1", b"2"] {
        sender.deliver(receiver.local()?, payload)?;
    }
    let (first, second) = (receiver.event.seen(0)?, receiver.event.seen(1)?);
    expect(true, first.payload() == b"1" && second.payload() == b"2")
}

/// Fixes a remote address by one of the two controls.
fn fix<K: Kernel>(socket: &DatagramSocket<'_, K>, code: u32, remote: SocketAddr) -> Result<(), Outcome> {
    let status = socket.ioctl_address(code, Some(remote))?;
    expect_at("the fixed address", STATUS_SUCCESS, status).map(drop)
}

/// A send without an address.
fn send<K: Kernel>(socket: &DatagramSocket<'_, K>, payload: &[u8]) -> Result<NTSTATUS, Outcome> {
    let buffer = Buffer::of(socket.bench(), &[payload])?;
    Ok(socket.send(Sending::of(&buffer))?.status)
}

fn fixed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    fix(&sender, SIO_WSK_SET_REMOTE_ADDRESS, receiver.local()?)?;
    expect_at("WskSendTo", STATUS_SUCCESS, send(&sender, b"where it is fixed")?)?;
    expect(true, receiver.event.seen(0)?.payload() == b"where it is fixed")
}

fn fixed_filters<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (stranger, receiver) = DatagramSocket::pair(client)?;
    let friend = DatagramSocket::bound(client, LOCALHOST)?;
    fix(&receiver, SIO_WSK_SET_REMOTE_ADDRESS, friend.local()?)?;
    stranger.deliver(receiver.local()?, b"let me in")?;
    expect(true, receiver.event.stays_at(0))
}

fn fixed_friend<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (friend, receiver) = DatagramSocket::pair(client)?;
    fix(&receiver, SIO_WSK_SET_REMOTE_ADDRESS, friend.local()?)?;
    friend.deliver(receiver.local()?, b"it is me")?;
    expect(true, receiver.event.seen(0)?.payload() == b"it is me")
}

fn fixed_overridden<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let fixed = DatagramSocket::hearing(client, LOCALHOST)?;
    fix(&sender, SIO_WSK_SET_SENDTO_ADDRESS, fixed.local()?)?;
    sender.deliver(receiver.local()?, b"elsewhere")?;
    expect_at("elsewhere", true, receiver.event.seen(0)?.payload() == b"elsewhere")?;
    expect(true, fixed.event.stays_at(0))
}

fn fixed_cleared<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    fix(&sender, SIO_WSK_SET_REMOTE_ADDRESS, receiver.local()?)?;
    let status = sender.ioctl_address(SIO_WSK_SET_REMOTE_ADDRESS, None)?;
    expect_at("taking it away", STATUS_SUCCESS, status)?;
    expect(Value::Failure, send(&sender, b"to nobody")?)
}

fn fixed_unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(client, LOCALHOST)?;
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect(Value::Failure, socket.ioctl_address(SIO_WSK_SET_REMOTE_ADDRESS, Some(receiver.local()?))?)
}

fn fixed_short<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, &[2, 0, 0, 9])?)
}

fn fixed_family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let elsewhere = SocketAddr::new(LOCALHOST_V6.ip(), 9);
    expect(Value::Failure, socket.ioctl_address(SIO_WSK_SET_REMOTE_ADDRESS, Some(elsewhere))?)
}

fn destination<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    fix(&sender, SIO_WSK_SET_SENDTO_ADDRESS, receiver.local()?)?;
    expect_at("WskSendTo", STATUS_SUCCESS, send(&sender, b"where it is fixed")?)?;
    expect(true, receiver.event.seen(0)?.payload() == b"where it is fixed")
}

fn destination_open<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (stranger, receiver) = DatagramSocket::pair(client)?;
    let friend = DatagramSocket::bound(client, LOCALHOST)?;
    fix(&receiver, SIO_WSK_SET_SENDTO_ADDRESS, friend.local()?)?;
    stranger.deliver(receiver.local()?, b"let me in")?;
    expect(true, receiver.event.seen(0)?.payload() == b"let me in")
}

fn messages_flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::of(client.bench(), &[b"flags"])?;
    let done = sender.send_messages(Some(receiver.local()?), &[&buffer], 1, None)?;
    expect(STATUS_INVALID_PARAMETER, done.status)
}

fn messages_unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (_sender, receiver) = DatagramSocket::pair(client)?;
    let unbound = DatagramSocket::open(client, LOCALHOST)?;
    let buffer = Buffer::of(client.bench(), &[b"lost"])?;
    let done = unbound.send_messages(Some(receiver.local()?), &[&buffer], 0, None)?;
    expect(STATUS_INVALID_DEVICE_STATE, done.status)
}

fn messages_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let (remote, buffer) = (receiver.local()?, Buffer::of(client.bench(), &[b"from above"])?);
    client.bench().raise_calls();
    sender.send_messages(Some(remote), &[&buffer], 0, None)?.succeeds("WskSendMessages")?;
    expect(true, receiver.event.seen(0)?.payload() == b"from above")
}

fn messages_many<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    const COUNT: usize = 40;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let bench = client.bench();
    let buffers: [Buffer<'_, K>; 2] = [Buffer::of(bench, &[b"even"])?, Buffer::of(bench, &[b"odd"])?];
    let [even, odd] = &buffers;
    let list: [&Buffer<'_, K>; COUNT] = core::array::from_fn(|index| if index % 2 == 0 { even } else { odd });
    sender.send_messages(Some(receiver.local()?), &list, 0, None)?.succeeds("WskSendMessages")?;
    receiver.event.wait_for(COUNT)?;
    for index in 0..COUNT {
        let expected: &[u8] = if index % 2 == 0 { b"even" } else { b"odd" };
        expect_at("in order", true, receiver.event.seen(index)?.payload() == expected)?;
    }
    expect(COUNT, receiver.event.count())
}

fn messages_fixed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    fix(&sender, SIO_WSK_SET_SENDTO_ADDRESS, receiver.local()?)?;
    let buffer = Buffer::of(client.bench(), &[b"where it is fixed"])?;
    sender.send_messages(None, &[&buffer], 0, None)?.succeeds("WskSendMessages")?;
    expect(true, receiver.event.seen(0)?.payload() == b"where it is fixed")
}
