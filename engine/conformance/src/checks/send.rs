//! WskSendTo and WskSendMessages.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::client::buffer::{Buffer, digest};
use crate::client::datagram::{DatagramSocket, Sending};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Verdict, expect, expect_at};

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
