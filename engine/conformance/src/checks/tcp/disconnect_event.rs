//! WskDisconnectEvent and WskSendBacklogEvent.

use skua_engine::Kernel;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::{
    WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_EVENT_SEND_BACKLOG, WSK_FLAG_ABORTIVE,
    WSK_FLAG_AT_DISPATCH_LEVEL,
};

use crate::client::Client;
use crate::client::tcp::Pair;
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { Connection;
    off_at_first: "the disconnect event is off on a new connection",
        "Enabling and Disabling Event Callback Functions";
    graceful: "the disconnect event tells of a graceful disconnect",
        "WskDisconnectEvent, Flags: WSK_FLAG_ABORTIVE is not set";
    abortive: "the disconnect event tells of an abortive disconnect",
        "WskDisconnectEvent, Flags: WSK_FLAG_ABORTIVE";
    flags: "the disconnect event has documented flags only",
        "WskDisconnectEvent, Flags";
    level: "the disconnect event runs at the level that its flags say",
        "WskDisconnectEvent, Flags: WSK_FLAG_AT_DISPATCH_LEVEL";
    behind_data: "the disconnect event comes behind the data",
        "WskDisconnectEvent, Remarks: no further data will be received";
    once: "the disconnect event comes once",
        "WskDisconnectEvent";
    late: "a disconnect event enabled late tells of an end that was before",
        "SO_WSK_EVENT_CALLBACK; WskDisconnectEvent, Remarks";
    sends_on: "after the disconnect event data can be sent",
        "WskDisconnectEvent, Remarks: can still send data";
    own: "a disconnect of one's own is not told",
        "WskDisconnectEvent: by the remote application";
    disabled: "a disconnect event that is disabled is not called",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    backlog: "the send backlog event can be enabled and disabled",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_SEND_BACKLOG";
}

fn off_at_first<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    expect_at("the end", true, pair.near.is_at_end()?)?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect(0_usize, pair.near.event.disconnects())
}

fn graceful<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let abortive = pair.near.event.disconnect()? & WSK_FLAG_ABORTIVE;
    expect_at("WSK_FLAG_ABORTIVE", Value::Bits(0), Value::Bits(abortive.into()))
}

fn abortive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(WSK_FLAG_ABORTIVE)?)?;
    let abortive = pair.near.event.disconnect()? & WSK_FLAG_ABORTIVE;
    expect_at("WSK_FLAG_ABORTIVE", Value::Bits(WSK_FLAG_ABORTIVE.into()), Value::Bits(abortive.into()))
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let others = pair.near.event.disconnect()? & !(WSK_FLAG_ABORTIVE | WSK_FLAG_AT_DISPATCH_LEVEL);
    expect_at("other flags", Value::Bits(0), Value::Bits(others.into()))
}

fn level<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    pair.near.event.disconnect()?;
    expect_at("calls at another level", 0_usize, pair.near.event.wrong_levels())
}

fn behind_data<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT)?;
    pair.far.deliver(b"before the end")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect_with(b", all of it", 0)?)?;
    pair.near.event.disconnect()?;
    expect_at("bytes before", 25_usize, pair.near.event.taken_before())?;
    expect(true, pair.near.event.received(b"before the end, all of it")?)
}

fn once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    pair.near.event.disconnect()?;
    pair.near.event.wait_for_returns(1)?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect(1_usize, pair.near.event.disconnects())
}

fn late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let pair = pair.with_events(WSK_EVENT_DISCONNECT)?;
    pair.near.event.disconnect()?;
    expect(1_usize, pair.near.event.disconnects())
}

fn sends_on<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    pair.near.event.disconnect()?;
    pair.near.deliver(b"an answer")?;
    expect(true, pair.far.receives(b"an answer")?)
}

fn own<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect(0_usize, pair.near.event.disconnects())
}

fn disabled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    let off = pair.near.set_events(WSK_EVENT_DISCONNECT | WSK_EVENT_DISABLE);
    expect_at("an idle event, at once", STATUS_SUCCESS, off)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    expect_at("the end", true, pair.near.is_at_end()?)?;
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect(0_usize, pair.near.event.disconnects())
}

fn backlog<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("on", STATUS_SUCCESS, pair.near.set_events(WSK_EVENT_SEND_BACKLOG))?;
    let off = WSK_EVENT_SEND_BACKLOG | WSK_EVENT_DISABLE;
    expect_at("off", STATUS_SUCCESS, pair.near.set_events_waiting(off)?.status)
}
