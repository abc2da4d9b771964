//! WskReceiveFrom.

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{ControlMessage, MSG_TRUNC};
use skua_engine::abi::sockaddr::{IP_PKTINFO, IPPROTO_IP};
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE_FROM;

use crate::client::datagram::DatagramSocket;
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

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
