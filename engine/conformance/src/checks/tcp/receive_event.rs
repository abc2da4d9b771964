//! WskReceiveEvent: what it is called for, and how it is disabled.

// UNSAFETY: a hook gets a packet by address.
#![expect(unsafe_code, reason = "a completion routine reaches a record by address")]

use core::ptr;
use core::sync::atomic::Ordering;

use skua_engine::Kernel;
use skua_engine::abi::status::{
    STATUS_EVENT_PENDING, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_RECEIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
    WSK_FLAG_ENTIRE_MESSAGE, WSK_FLAG_RELEASE_ASAP, WSK_FLAG_WAITALL,
};

use crate::client::Client;
use crate::client::buffer::{Buffer, digest};
use crate::client::handle::set_events;
use crate::client::request::Request;
use crate::client::tcp::{Pair, StreamRecord};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Connection;
    off_at_first: "the receive event is off on a new connection",
        "Enabling and Disabling Event Callback Functions";
    all: "the receive event gets all data in order",
        "WskReceiveEvent, DataIndication";
    counted: "the receive event is told how much its list holds",
        "WskReceiveEvent, BytesIndicated";
    serial: "the receive event is called once at a time",
        "WskReceiveEvent: serial for each socket";
    level: "the receive event runs at the level that its flags say",
        "WskReceiveEvent, Flags: WSK_FLAG_AT_DISPATCH_LEVEL";
    flags: "the receive event has documented flags only",
        "WskReceiveEvent, Flags";
    late: "a receive event enabled late is called for what waits",
        "SO_WSK_EVENT_CALLBACK; WskReceiveEvent, Remarks";
    precedence: "a receive that waits comes before the receive event",
        "WskReceive, Remarks: takes precedence";
    disabled: "a receive event that is disabled is not called",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    disabled_inside: "disabling a receive event that runs, without an IRP, answers EVENT_PENDING",
        "SO_WSK_EVENT_CALLBACK: STATUS_EVENT_PENDING";
    disabled_inside_with_irp: "disabling a receive event that runs, with an IRP, pends until it has returned",
        "SO_WSK_EVENT_CALLBACK: STATUS_PENDING";
    foreign: "a connection has no accept event",
        "SO_WSK_EVENT_CALLBACK: valid flags of connection-oriented sockets";
    static_stays: "a static receive event of a connection cannot be disabled",
        "WSK_SET_STATIC_EVENT_CALLBACKS";
}

/// A pair whose near end has its receive event enabled.
fn listening<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<Pair<'c, K>, Outcome> {
    Pair::new(client)?.with_events(WSK_EVENT_RECEIVE)
}

fn off_at_first<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.far.deliver(b"silence")?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect(0_usize, pair.near.event.calls())
}

/// Sends `bytes` to the near end and waits until its event took them; whether they are the same.
fn arrives<K: Kernel>(client: &Client<'_, K>, pair: &Pair<'_, K>, bytes: usize) -> Result<bool, Outcome> {
    let buffer = Buffer::patterned(client.bench(), 8, bytes)?;
    let request = Request::new(client.bench())?;
    let _returned = pair.far.start_send(&request, buffer.header(), 0);
    pair.near.event.wait_for_bytes(bytes)?;
    request.wait("WskSend")?.succeeds("WskSend")?;
    Ok(pair.near.event.digest() == digest(buffer.bytes().iter().copied()))
}

fn all<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    expect_at("the same bytes", true, arrives(client, &pair, 300_001)?)?;
    expect(300_001_usize, pair.near.event.taken())
}

fn counted<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    arrives(client, &pair, 50_000)?;
    expect_at("calls that were told another number", 0_usize, pair.near.event.miscounted())
}

fn serial<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    arrives(client, &pair, 300_001)?;
    expect_at("calls at once", 1_usize, pair.near.event.most_inside())
}

fn level<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    arrives(client, &pair, 50_000)?;
    expect_at("calls at another level", 0_usize, pair.near.event.wrong_levels())
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    const KNOWN: u32 = WSK_FLAG_AT_DISPATCH_LEVEL | WSK_FLAG_ENTIRE_MESSAGE | WSK_FLAG_RELEASE_ASAP;
    let pair = listening(client)?;
    arrives(client, &pair, 50_000)?;
    let others = Value::Bits(u64::from(pair.near.event.flags() & !KNOWN));
    expect_at("other flags", Value::Bits(0), others)
}

fn late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.far.deliver(b"early")?;
    // It has come before the event is enabled.
    let received = pair.near.receive(1)?;
    expect_at("the first byte", true, received.bytes()? == b"e")?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, pair.near.set_events(WSK_EVENT_RECEIVE))?;
    expect(true, pair.near.event.received(b"arly")?)
}

fn precedence<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[3], WSK_FLAG_WAITALL)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, pair.near.set_events(WSK_EVENT_RECEIVE))?;
    pair.far.deliver(b"abcdef")?;
    receiving.wait()?.succeeds("WskReceive")?;
    expect_at("the receive's", true, receiving.bytes() == b"abc")?;
    expect_at("the event's", true, pair.near.event.received(b"def")?)
}

fn disabled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    let off = WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE;
    expect_at("an idle event, at once", STATUS_SUCCESS, pair.near.set_events(off))?;
    pair.far.deliver(b"to be asked for")?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect_at("the data", true, pair.near.receives(b"to be asked for")?)?;
    expect_at("with an IRP", STATUS_SUCCESS, pair.near.set_events_waiting(off)?.status)
}

fn disabled_inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    pair.near.event.inside(disable::<K>, ptr::null_mut());
    pair.far.deliver(b"the last")?;
    pair.near.event.wait_for_returns(1)?;
    expect_at("returned", STATUS_EVENT_PENDING, pair.near.event.note())?;
    pair.far.deliver(b"one too many")?;
    expect_at("no call", true, pair.near.event.is_quiet())
}

fn disabled_inside_with_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = listening(client)?;
    let request = Request::new(client.bench())?;
    request.then(look::<K>, pair.near.event.context());
    pair.near.event.inside(disable::<K>, request.lend().cast());
    pair.far.deliver(b"the last")?;
    pair.near.event.wait_for_returns(1)?;
    request.wait("SO_WSK_EVENT_CALLBACK with an IRP")?.succeeds("SO_WSK_EVENT_CALLBACK with an IRP")?;
    expect_at("returned", STATUS_PENDING, pair.near.event.note())?;
    expect_at("events that had returned before", 1_usize, pair.near.event.returned_before())
}

/// Disables the receive event, with the packet that is the context.
fn disable<K: Kernel>(record: &StreamRecord<K>, irp: *mut core::ffi::c_void) {
    let mask = WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE;
    let status = set_events(record.socket(), &raw const NPI_WSK_INTERFACE_ID, mask, irp.cast());
    record.note.store(status.to_bits(), Ordering::Release);
}

/// Notes how many events have returned.
fn look<K: Kernel>(record: *mut core::ffi::c_void) {
    // SAFETY: the record of a socket that outlives the request.
    unsafe { &*record.cast::<StreamRecord<K>>() }.look();
}

fn foreign<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect(STATUS_INVALID_PARAMETER, pair.near.set_events(WSK_EVENT_RECEIVE | WSK_EVENT_ACCEPT))
}

fn static_stays<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_tcp()?;
    let other = client.with_static_events(WSK_EVENT_RECEIVE)?;
    let pair = Pair::new(&other)?;
    let off = WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE;
    expect(STATUS_INVALID_PARAMETER, pair.near.set_events(off))
}
