//! WskReceiveFrom.

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{ControlMessage, MSG_CTRUNC, MSG_TRUNC};
use skua_engine::abi::sockaddr::{IP_PKTINFO, IPPROTO_IP};
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INVALID_DEVICE_STATE, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE_FROM;

use crate::client::datagram::DatagramSocket;
use crate::client::{Client, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Receive;
    pends: "a receive without a datagram pends until one comes",
        "WskReceiveFrom, Return value: STATUS_PENDING";
    parts: "a datagram fills the parts of a chain in order",
        "WskReceiveFrom, Buffer";
    source: "a receive tells the source",
        "WskReceiveFrom, RemoteAddress";
    before_event: "a queued receive comes before the event",
        "WskReceiveFrom, Remarks";
    truncated: "what does not fit is flagged MSG_TRUNC",
        "WskReceiveFrom, ControlFlags";
    control: "control messages are given where there is room",
        "WskReceiveFrom, ControlInfo";
    returned_pending: "a receive that pends is marked pending and returns PENDING",
        "WskReceiveFrom, Return value; facts 7";
    waiting: "a datagram that came before is received at once",
        "WskReceiveFrom";
    empty: "an empty datagram is received with no bytes",
        "WskReceiveFrom, Buffer";
    in_order: "receives are served in the order of their calls",
        "WskReceiveFrom, Remarks";
    one_each: "a datagram ends one receive only",
        "WskReceiveFrom";
    truncated_rest: "what did not fit is gone with its datagram",
        "WskReceiveFrom, ControlFlags: MSG_TRUNC";
    fits_exactly: "a datagram that just fits is not flagged",
        "WskReceiveFrom, ControlFlags";
    unicast_flags: "an ordinary datagram has no control flags",
        "WskReceiveFrom, ControlFlags";
    no_control: "without room no control messages are written",
        "WskReceiveFrom, ControlInfo: NULL";
    control_length: "the length of control messages is told",
        "WskReceiveFrom, ControlLength";
    control_cut: "control messages that do not fit are flagged MSG_CTRUNC",
        "WskReceiveFrom, ControlFlags: MSG_CTRUNC";
    unbound: "a receive on a socket that is not bound is refused",
        "WskReceiveFrom, Remarks";
    flags: "a receive takes no flags",
        "WskReceiveFrom, Flags: must be 0";
    source_v6: "a receive tells a source of IPv6",
        "WskReceiveFrom, RemoteAddress";
    raised: "a receive may begin at DISPATCH_LEVEL",
        "WskReceiveFrom, IRQL";
    then_event: "the event is called again when no receive is queued",
        "WskReceiveFrom, Remarks";
    cancelled: "a cancelled receive ends with CANCELLED and takes no datagram",
        "WskReceiveFrom; IoCancelIrp";
}

/// Two sockets, without an event.
fn pair<'c, K: Kernel>(
    client: &'c Client<'_, K>,
) -> Result<(DatagramSocket<'c, K>, DatagramSocket<'c, K>), Outcome> {
    Ok((DatagramSocket::bound(client, LOCALHOST)?, DatagramSocket::bound(client, LOCALHOST)?))
}

fn pends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    expect_at("pending", true, receiving.request.stays_pending())?;
    sender.deliver(receiver.local()?, b"now")?;
    let done = receiving.wait()?;
    expect_at("returned", STATUS_PENDING, done.returned)?;
    expect(3_usize, done.succeeds("WskReceiveFrom")?.information)
}

fn parts<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[3, 1, 60], 0)?;
    sender.deliver(receiver.local()?, b"across three parts")?;
    let done = receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect_at("bytes", 18_usize, done.information)?;
    expect(true, receiving.bytes().starts_with(b"across three parts"))
}

fn source<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"from whom")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(sender.local()?, receiving.source().unwrap_or(LOCALHOST))
}

fn before_event<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, receiver.set_events(WSK_EVENT_RECEIVE_FROM))?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"for the request")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(0_usize, receiver.event.calls())
}

fn truncated<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[4], 0)?;
    sender.deliver(receiver.local()?, b"too long")?;
    let done = receiving.wait()?;
    expect_at("bytes", 4_usize, done.information)?;
    expect_at("the first bytes", true, receiving.bytes() == b"too ")?;
    expect(MSG_TRUNC, receiving.flags() & MSG_TRUNC)
}

fn control<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = pair(client)?;
    expect_at("IP_PKTINFO", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_PKTINFO, 1)?)?;
    let receiving = receiver.receive_from(&[64], 128)?;
    sender.deliver(receiver.local()?, b"where to")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    let Some([a, b, c, d, ..]) = receiving.control(ControlMessage::IP_PKTINFO) else {
        return Err(Outcome::NotApplicable { why: "the datagram came without control messages" });
    };
    expect(true, [a, b, c, d] == [127, 0, 0, 1])
}

fn cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    receiving.request.cancel();
    expect_at("the cancelled one", STATUS_CANCELLED, receiving.wait()?.status)?;
    let next = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"the next one")?;
    expect(12_usize, next.wait()?.succeeds("WskReceiveFrom")?.information)
}

fn returned_pending<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"now")?;
    let done = receiving.wait()?;
    expect_at("returned", STATUS_PENDING, done.returned)?;
    expect(true, done.pending_returned)
}

fn waiting<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    sender.deliver(receiver.local()?, b"already there")?;
    let receiving = receiver.receive_from(&[64], 0)?;
    expect(13_usize, receiving.wait()?.succeeds("WskReceiveFrom")?.information)
}

fn empty<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"")?;
    expect(0_usize, receiving.wait()?.succeeds("WskReceiveFrom")?.information)
}

fn in_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receives = [receiver.receive_from(&[8], 0)?, receiver.receive_from(&[8], 0)?];
    for payload in [b"1", b"2"] {
        sender.deliver(receiver.local()?, payload)?;
    }
    let [first, second] = &receives;
    first.wait()?.succeeds("the first")?;
    second.wait()?.succeeds("the second")?;
    expect(true, first.bytes().starts_with(b"1") && second.bytes().starts_with(b"2"))
}

fn one_each<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let (first, second) = (receiver.receive_from(&[8], 0)?, receiver.receive_from(&[8], 0)?);
    sender.deliver(receiver.local()?, b"1")?;
    first.wait()?.succeeds("the first")?;
    expect(true, second.request.stays_pending())
}

fn truncated_rest<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    for payload in [&b"too long"[..], b"next"] {
        sender.deliver(receiver.local()?, payload)?;
    }
    receiver.receive_from(&[4], 0)?.wait()?;
    let next = receiver.receive_from(&[8], 0)?;
    next.wait()?.succeeds("WskReceiveFrom")?;
    expect(true, next.bytes().starts_with(b"next"))
}

fn fits_exactly<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[4], 0)?;
    sender.deliver(receiver.local()?, b"fits")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(0_u32, receiving.flags() & MSG_TRUNC)
}

fn unicast_flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"ordinary")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(0_u32, receiving.flags())
}

fn no_control<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = pair(client)?;
    expect_at("IP_PKTINFO", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_PKTINFO, 1)?)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"nowhere to")?;
    expect(10_usize, receiving.wait()?.succeeds("WskReceiveFrom")?.information)
}

fn control_length<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = pair(client)?;
    let receiving = receiver.receive_from(&[64], 128)?;
    sender.deliver(receiver.local()?, b"without options")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(0_usize, receiving.control_length())
}

fn control_cut<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_control_messages()?;
    let (sender, receiver) = pair(client)?;
    expect_at("IP_PKTINFO", STATUS_SUCCESS, receiver.set(IPPROTO_IP, IP_PKTINFO, 1)?)?;
    let receiving = receiver.receive_from(&[64], 8)?;
    sender.deliver(receiver.local()?, b"where to")?;
    receiving.wait()?;
    expect(MSG_CTRUNC, receiving.flags() & MSG_CTRUNC)
}

fn unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, socket.receive_from(&[8], 0)?.wait()?.status)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_with(&[8], 0, 1, |_| ())?;
    expect(Value::Failure, receiving.wait()?.status)
}

fn source_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(client, LOCALHOST_V6)?;
    let sender = DatagramSocket::bound(client, LOCALHOST_V6)?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"from whom")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    expect(sender.local()?, receiving.source().unwrap_or(LOCALHOST))
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    let remote = receiver.local()?;
    client.bench().raise_calls();
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(remote, b"from above")?;
    expect(10_usize, receiving.wait()?.succeeds("WskReceiveFrom")?.information)
}

fn then_event<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = pair(client)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, receiver.set_events(WSK_EVENT_RECEIVE_FROM))?;
    let receiving = receiver.receive_from(&[64], 0)?;
    sender.deliver(receiver.local()?, b"for the request")?;
    receiving.wait()?.succeeds("WskReceiveFrom")?;
    sender.deliver(receiver.local()?, b"for the event")?;
    expect(true, receiver.event.seen(0)?.payload() == b"for the event")
}
