//! Data that the receive event does not accept, or a part of which.

use skua_engine::Kernel;
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE;

use crate::client::Client;
use crate::client::buffer::{Buffer, digest};
use crate::client::request::Request;
use crate::client::tcp::Pair;
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Connection;
    refused: "data that is not accepted is not indicated again before WskReceive",
        "WskReceiveEvent, Return value: STATUS_DATA_NOT_ACCEPTED";
    refused_received: "data that is not accepted can be received",
        "WskReceiveEvent, Return value: STATUS_DATA_NOT_ACCEPTED";
    rearmed: "a receive of no bytes lets refused data be indicated again",
        "WskReceive, Remarks: zero length";
    partial: "what is not accepted of an indication waits for WskReceive",
        "WskReceiveEvent, Return value: STATUS_SUCCESS, a portion";
    partial_rearmed: "a receive of no bytes lets the rest be indicated",
        "WskReceiveEvent, Return value: STATUS_SUCCESS, a portion";
    partial_received: "a receive takes the rest, and the receive event what comes behind it",
        "WskReceiveEvent, Return value: STATUS_SUCCESS, a portion";
    piece_by_piece: "data that is accepted piece by piece is all of it",
        "WskReceiveEvent, BytesAccepted; WskReceive, Remarks: zero length";
}

fn refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.event.take(0);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"first")?;
    pair.near.event.wait_for_calls(1)?;
    pair.far.deliver(b"second")?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect_at("calls", 1_usize, pair.near.event.calls())
}

fn refused_received<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.event.take(0);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"refused")?;
    pair.near.event.wait_for_calls(1)?;
    expect(true, pair.near.receives(b"refused")?)
}

fn rearmed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.event.take(0);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"once more")?;
    pair.near.event.wait_for_calls(1)?;
    pair.near.event.take(usize::MAX);
    pair.near.start_empty_receive(0)?.wait()?.succeeds("WskReceive of no bytes")?;
    expect(true, pair.near.event.received(b"once more")?)
}

/// A pair whose near end has taken two bytes of six, and no more.
fn two_of_six<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<Pair<'c, K>, Outcome> {
    let pair = Pair::new(client)?;
    pair.near.event.take(2);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"abcdef")?;
    pair.near.event.wait_for_bytes(2)?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect_at("bytes that were taken", 2_usize, pair.near.event.taken())?;
    pair.near.event.take(usize::MAX);
    Ok(pair)
}

fn partial<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = two_of_six(client)?;
    expect(true, pair.near.receives(b"cdef")?)
}

fn partial_rearmed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = two_of_six(client)?;
    pair.near.start_empty_receive(0)?.wait()?.succeeds("WskReceive of no bytes")?;
    expect(true, pair.near.event.received(b"abcdef")?)
}

fn partial_received<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = two_of_six(client)?;
    expect_at("the receive's", true, pair.near.receives(b"cd")?)?;
    expect_at("the event's", true, pair.near.event.received(b"abef")?)
}

fn piece_by_piece<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    const BYTES: usize = 150_001;
    const PIECE: usize = 9_999;
    let pair = Pair::new(client)?;
    pair.near.event.take(PIECE);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    let (request, data) = (Request::new(client.bench())?, Buffer::patterned(client.bench(), 2, BYTES)?);
    let _returned = pair.far.start_send(&request, data.header(), 0);
    let mut taken = PIECE;
    while taken < BYTES {
        pair.near.event.wait_for_bytes(taken)?;
        expect_at("bytes that were taken", taken, pair.near.event.taken())?;
        pair.near.event.take(PIECE);
        pair.near.start_empty_receive(0)?.wait()?.succeeds("WskReceive of no bytes")?;
        taken += PIECE;
    }
    pair.near.event.wait_for_bytes(BYTES)?;
    request.wait("WskSend")?.succeeds("WskSend")?;
    let same = pair.near.event.digest() == digest(data.bytes().iter().copied());
    expect_at("the same bytes", true, same)
}
