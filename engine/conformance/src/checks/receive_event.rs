//! WskReceiveFromEvent and WskRelease.

use skua_engine::Kernel;
use skua_engine::abi::nt::DISPATCH_LEVEL;
use skua_engine::abi::status::{STATUS_EVENT_PENDING, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_RECEIVE_FROM, WSK_FLAG_AT_DISPATCH_LEVEL,
};

use crate::client::buffer::{Buffer, digest};
use crate::client::datagram::{DatagramSocket, Sending};
use crate::client::recorder::Answer;
use crate::client::request::Request;
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { ReceiveEvent;
    off_at_first: "events are off on a new socket",
        "Enabling and Disabling Event Callback Functions";
    after_bind: "an event is enabled after bind only",
        "SO_WSK_EVENT_CALLBACK: after the socket is bound";
    whole: "a datagram is indicated whole and with its source",
        "WSK_DATAGRAM_INDICATION, Buffer and RemoteAddress";
    at_dispatch: "a callback that is told AT_DISPATCH_LEVEL runs there",
        "WskReceiveFromEvent, Flags";
    empty: "an empty datagram is indicated with no bytes",
        "WSK_DATAGRAM_INDICATION, Buffer; facts 5";
    order: "datagrams of one sender are indicated in order",
        "WSK_DATAGRAM_INDICATION, Next";
    every_size: "datagrams of many sizes are indicated whole",
        "WSK_DATAGRAM_INDICATION, Buffer";
    flags_same: "the flags of a call hold for the whole list",
        "WskReceiveFromEvent, Flags";
    not_nested: "a callback is not called inside itself on one processor",
        "WskReceiveFromEvent; facts 5, Concurrency";
    released_whole: "a list that is retained is released as it came",
        "WskRelease, DatagramIndication";
    release_nothing: "releasing nothing is refused",
        "WskRelease, Return value: STATUS_INVALID_PARAMETER";
    released_raised: "datagrams may be released at DISPATCH_LEVEL",
        "WskRelease, IRQL";
    static_refused: "a static event that refuses is called again",
        "WskReceiveFromEvent, Return value: STATUS_DATA_NOT_ACCEPTED";
    disabled_inside_waits: "disabling an event that runs, with an IRP, waits for the callback",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    enabled_again: "an event that was disabled can be enabled again",
        "SO_WSK_EVENT_CALLBACK";
    disable_two: "one event is disabled a call",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    no_death: "an event is not called without a list while its socket lives",
        "WskReceiveFromEvent, DataIndication: NULL";
    context: "an event is called with the context of its socket",
        "WskReceiveFromEvent, SocketContext";
    late: "an event enabled once is called for what waited",
        "Enabling and Disabling Event Callback Functions";
    retained: "datagrams that are retained keep their bytes until they are released",
        "WskReceiveFromEvent, Return value: STATUS_PENDING";
    any_order: "retained datagrams are released one by one in any order",
        "facts 5, WskRelease";
    released_inside: "a datagram may be released inside the callback that returns PENDING",
        "facts 5, WskRelease";
    refused: "a dynamic event that refuses is off until it is enabled again",
        "WskReceiveFromEvent, Return value: STATUS_DATA_NOT_ACCEPTED";
    disable: "an idle event is disabled at once",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    disable_inside: "disabling an event that runs, without an IRP, answers EVENT_PENDING",
        "SO_WSK_EVENT_CALLBACK: STATUS_EVENT_PENDING";
    static_event: "a static event is enabled from the start",
        "WSK_SET_STATIC_EVENT_CALLBACKS";
    static_stays: "a static event cannot be disabled",
        "WSK_SET_STATIC_EVENT_CALLBACKS";
}

fn off_at_first<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(client, LOCALHOST)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    sender.deliver(receiver.local()?, b"silence")?;
    expect_at("no call", true, receiver.event.is_quiet(0))?;
    expect(0_usize, receiver.event.calls())
}

fn after_bind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    let early = socket.set_events(WSK_EVENT_RECEIVE_FROM);
    expect_at("before bind, a success", false, early.is_success())?;
    expect_at("WskBind", STATUS_SUCCESS, socket.bind(LOCALHOST)?)?;
    expect(STATUS_SUCCESS, socket.set_events(WSK_EVENT_RECEIVE_FROM))
}

fn whole<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::patterned(client.bench(), 3, 1400)?;
    sender.send(Sending::of(&buffer).to(receiver.local()?))?.succeeds("WskSendTo")?;
    let seen = receiver.event.seen(0)?;
    expect_at("bytes", 1400_usize, seen.said)?;
    expect_at("the same bytes", true, seen.digest == digest(buffer.bytes().iter().copied()))?;
    expect(sender.local()?, seen.source().unwrap_or(LOCALHOST))
}

fn at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    sender.deliver(receiver.local()?, b"level")?;
    let seen = receiver.event.seen(0)?;
    if seen.flags & WSK_FLAG_AT_DISPATCH_LEVEL == 0 {
        return expect("at most DISPATCH_LEVEL", at_most_dispatch(seen.irql));
    }
    expect(DISPATCH_LEVEL, seen.irql)
}

const fn at_most_dispatch(irql: u8) -> &'static str {
    if irql <= DISPATCH_LEVEL { "at most DISPATCH_LEVEL" } else { "above DISPATCH_LEVEL" }
}

fn late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(client, LOCALHOST)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    sender.deliver(receiver.local()?, b"early")?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, receiver.set_events(WSK_EVENT_RECEIVE_FROM))?;
    sender.deliver(receiver.local()?, b"late")?;
    receiver.event.wait_for(1)?;
    expect(true, matches!(receiver.event.seen(0)?.payload(), b"early" | b"late"))
}

fn retained<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Retain);
    let remote = receiver.local()?;
    for _ in 0..4 {
        sender.deliver(remote, b"kept as it is")?;
    }
    receiver.event.wait_for(4)?;
    receiver.event.answer(Answer::Consume);
    sender.deliver(remote, b"something else")?;
    receiver.event.wait_for(5)?;
    let node = receiver.event.take_retained(0);
    let same = receiver.event.read(node) == digest(*b"kept as it is");
    expect_at("WskRelease", STATUS_SUCCESS, receiver.release_one(node))?;
    expect(true, same)
}

fn any_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Retain);
    for _ in 0..3 {
        sender.deliver(receiver.local()?, b"one of three")?;
    }
    receiver.event.wait_for(3)?;
    for index in [1, 2, 0] {
        let node = receiver.event.take_retained(index);
        expect(STATUS_SUCCESS, receiver.release_one(node))?;
    }
    expect(STATUS_SUCCESS, receiver.close()?.status)
}

fn released_inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::ReleaseInside);
    for _ in 0..2 {
        sender.deliver(receiver.local()?, b"back already")?;
    }
    receiver.event.wait_for(2)?;
    expect(STATUS_SUCCESS, receiver.close()?.status)
}

fn refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Refuse);
    sender.deliver(receiver.local()?, b"first")?;
    receiver.event.wait_for_calls(1)?;
    sender.deliver(receiver.local()?, b"second")?;
    expect_at("not called again", true, receiver.event.is_quiet(1))?;
    receiver.event.answer(Answer::Consume);
    expect_at("enabled again", STATUS_SUCCESS, receiver.set_events(WSK_EVENT_RECEIVE_FROM))?;
    sender.deliver(receiver.local()?, b"third")?;
    receiver.event.wait_for(1)?;
    expect(true, receiver.event.count() >= 1)
}

fn disable<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    expect(STATUS_SUCCESS, receiver.set_events(WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE))?;
    sender.deliver(receiver.local()?, b"nobody listens")?;
    expect_at("no call", true, receiver.event.is_quiet(0))?;
    let again = receiver.set_events_waiting(WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE)?;
    expect(STATUS_SUCCESS, again.status)
}

fn disable_inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.disable_inside();
    sender.deliver(receiver.local()?, b"the last one")?;
    receiver.event.wait_for(1)?;
    expect(STATUS_EVENT_PENDING, receiver.event.note())
}

fn static_event<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.with_static_events(WSK_EVENT_RECEIVE_FROM)?;
    let receiver = DatagramSocket::bound(&other, LOCALHOST)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    sender.deliver(receiver.local()?, b"static")?;
    expect(true, receiver.event.seen(0)?.payload() == b"static")
}

fn static_stays<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.with_static_events(WSK_EVENT_RECEIVE_FROM)?;
    let socket = DatagramSocket::bound(&other, LOCALHOST)?;
    let status = socket.set_events(WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE);
    expect(STATUS_INVALID_PARAMETER, status)
}

fn empty<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    sender.deliver(receiver.local()?, b"")?;
    expect(0_usize, receiver.event.seen(0)?.said)
}

fn order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    for number in 0..30 {
        sender.deliver(receiver.local()?, &[number])?;
    }
    receiver.event.wait_for(30)?;
    let mut in_order = 0_u32;
    for number in 0..30 {
        in_order += u32::from(receiver.event.seen(number.into())?.payload() == [number]);
    }
    expect(30_u32, in_order)
}

fn every_size<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let sizes = [1, 2, 3, 63, 64, 65, 511, 1472, 1473, 4095, 4096, 4097, 9000, 20_000, 40_000];
    let mut whole = 0_usize;
    for (index, size) in sizes.into_iter().enumerate() {
        let buffer = Buffer::patterned(client.bench(), 11, size)?;
        sender.send(Sending::of(&buffer).to(receiver.local()?))?.succeeds("WskSendTo")?;
        let seen = receiver.event.seen(index)?;
        whole += usize::from(seen.said == size && seen.digest == digest(buffer.bytes().iter().copied()));
    }
    expect(sizes.len(), whole)
}

fn flags_same<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    for _ in 0..20 {
        sender.deliver(receiver.local()?, b"one of many")?;
    }
    receiver.event.wait_for(20)?;
    let mut same = true;
    for index in 1..20 {
        let (before, seen) = (receiver.event.seen(index - 1)?, receiver.event.seen(index)?);
        same &= before.call != seen.call || before.flags == seen.flags;
    }
    expect(true, same)
}

fn not_nested<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    for _ in 0..20 {
        sender.deliver(receiver.local()?, b"one of many")?;
    }
    receiver.event.wait_for(20)?;
    let processors = client.kernel().ke_query_maximum_processor_count();
    let most = u32::try_from(receiver.event.most_inside()).unwrap_or(u32::MAX);
    expect_at("some", true, most >= 1)?;
    expect(true, most <= processors)
}

fn released_whole<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Retain);
    sender.deliver(receiver.local()?, b"the first of a list")?;
    receiver.event.wait_for(1)?;
    // The first node of a list; the rest of it, if there is any, goes with it.
    let list = receiver.event.take_retained(0);
    receiver.event.forget_retained();
    expect_at("WskRelease", STATUS_SUCCESS, receiver.release(list))?;
    expect(STATUS_SUCCESS, receiver.close()?.status)
}

fn release_nothing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(STATUS_INVALID_PARAMETER, socket.release(core::ptr::null_mut()))
}

fn released_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Retain);
    sender.deliver(receiver.local()?, b"kept for a while")?;
    receiver.event.wait_for(1)?;
    let node = receiver.event.take_retained(0);
    let status = skua_engine::Dispatch::with(client.kernel(), |_| receiver.release_one(node));
    expect(STATUS_SUCCESS, status)
}

fn static_refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.with_static_events(WSK_EVENT_RECEIVE_FROM)?;
    let receiver = DatagramSocket::bound(&other, LOCALHOST)?;
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    receiver.event.answer(Answer::Refuse);
    sender.deliver(receiver.local()?, b"first")?;
    receiver.event.wait_for_calls(1)?;
    receiver.event.answer(Answer::Consume);
    sender.deliver(receiver.local()?, b"second")?;
    receiver.event.wait_for(1)?;
    expect(true, receiver.event.calls() >= 2)
}

fn disabled_inside_waits<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let disable = Request::new(client.bench())?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.disable_inside_with(&disable);
    sender.deliver(receiver.local()?, b"the last one")?;
    receiver.event.wait_for_calls(1)?;
    disable.wait("SO_WSK_EVENT_CALLBACK with an IRP")?.succeeds("SO_WSK_EVENT_CALLBACK")?;
    expect(
        "after the callback",
        if receiver.event.ended_early() { "inside the callback" } else { "after the callback" },
    )
}

fn enabled_again<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let off = receiver.set_events(WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE);
    expect_at("disabled", STATUS_SUCCESS, off)?;
    expect_at("enabled", STATUS_SUCCESS, receiver.set_events(WSK_EVENT_RECEIVE_FROM))?;
    sender.deliver(receiver.local()?, b"again")?;
    expect(true, receiver.event.seen(0)?.payload() == b"again")
}

fn disable_two<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::hearing(client, LOCALHOST)?;
    let two = WSK_EVENT_RECEIVE_FROM | WSK_EVENT_ACCEPT | WSK_EVENT_DISABLE;
    expect(Value::Failure, socket.set_events(two))
}

fn no_death<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    sender.deliver(receiver.local()?, b"alive")?;
    receiver.event.wait_for(1)?;
    expect(0_usize, receiver.event.deaths())
}

fn context<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Each recorder is its socket's context.
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let other = DatagramSocket::hearing(client, LOCALHOST)?;
    sender.deliver(receiver.local()?, b"for one")?;
    receiver.event.wait_for(1)?;
    expect(true, other.event.stays_at(0))
}
