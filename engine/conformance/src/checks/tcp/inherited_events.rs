//! Events that a listening socket gives to what it accepts, and static events.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE};

use super::accept_event::{connected, taking};
use crate::client::Client;
use crate::outcome::{Verdict, expect, expect_at};

const INHERITED: u32 = WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;

checks! { Listen;
    inherited: "events of connections enabled on a listening socket are on at what its event accepts",
        "SO_WSK_EVENT_CALLBACK: automatically enabled";
    not_inherited: "events of connections enabled on a listening socket are off at what WskAccept accepts",
        "SO_WSK_EVENT_CALLBACK: not automatically enabled";
    inherited_for_good: "events of connections cannot be disabled on a listening socket",
        "SO_WSK_EVENT_CALLBACK: cannot be disabled on the listening socket";
    inherited_again: "events of connections stay enabled on a listening socket over disabling its own",
        "SO_WSK_EVENT_CALLBACK: disabled and then re-enabled";
    static_accept: "a static accept event is on once a socket listens",
        "WSK_SET_STATIC_EVENT_CALLBACKS";
    static_stays: "a static accept event cannot be disabled",
        "WSK_SET_STATIC_EVENT_CALLBACKS";
    static_receive: "a static receive event is on at what WskAccept accepts",
        "WSK_SET_STATIC_EVENT_CALLBACKS";
}

fn inherited<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, INHERITED, 1)?;
    let near = connected(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    near.deliver(b"by default")?;
    expect_at("the receive event", true, far.event.received(b"by default")?)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, near.disconnect(0)?)?;
    far.event.disconnect()?;
    expect_at("the disconnect event", 1_usize, far.event.disconnects())
}

fn not_inherited<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, 0, 0)?;
    let accepting = listener.start_accept()?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(INHERITED))?;
    let near = connected(client, &listener)?;
    let far = accepting.socket()?;
    near.deliver(b"to be asked for")?;
    expect_at("no call", true, far.event.is_quiet())?;
    expect(true, far.receives(b"to be asked for")?)
}

fn inherited_for_good<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, INHERITED, 1)?;
    let undone = listener.set_events(WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE);
    expect_at("disabled", false, undone.is_success())?;
    let near = connected(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    near.deliver(b"for good")?;
    expect(true, far.event.received(b"for good")?)
}

fn inherited_again<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, INHERITED, 1)?;
    let off = listener.set_events(WSK_EVENT_ACCEPT | WSK_EVENT_DISABLE);
    expect_at("off", STATUS_SUCCESS, off)?;
    expect_at("on", STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))?;
    let near = connected(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    near.deliver(b"as before")?;
    expect(true, far.event.received(b"as before")?)
}

fn static_accept<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_tcp()?;
    let other = client.with_static_events(WSK_EVENT_ACCEPT)?;
    let listener = taking(&other, 0, 1)?;
    let near = connected(client, &listener)?;
    expect(near.local()?, listener.arrived(0)?.1.remote()?)
}

fn static_stays<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_tcp()?;
    let other = client.with_static_events(WSK_EVENT_ACCEPT)?;
    let listener = taking(&other, 0, 0)?;
    expect(STATUS_INVALID_PARAMETER, listener.set_events(WSK_EVENT_ACCEPT | WSK_EVENT_DISABLE))
}

fn static_receive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_tcp()?;
    let other = client.with_static_events(WSK_EVENT_RECEIVE)?;
    let listener = taking(&other, 0, 0)?;
    let accepting = listener.start_accept()?;
    let near = connected(client, &listener)?;
    let far = accepting.socket()?;
    near.deliver(b"static")?;
    expect(true, far.event.received(b"static")?)
}
