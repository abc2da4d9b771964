//! WskAcceptEvent.

// UNSAFETY: a hook gets a packet by address.
#![expect(unsafe_code, reason = "a completion routine reaches a record by address")]

use core::ptr;
use core::sync::atomic::Ordering;

use skua_engine::Kernel;
use skua_engine::abi::status::{
    STATUS_EVENT_PENDING, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM, WSK_FLAG_AT_DISPATCH_LEVEL,
};

use crate::client::handle::set_events;
use crate::client::request::Request;
use crate::client::tcp::{Admit, Kind, StreamRecord, StreamSocket};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Listen;
    works: "the accept event gets a connection that works",
        "WskAcceptEvent, AcceptSocket";
    addresses: "the accept event is given the addresses of both ends",
        "WskAcceptEvent, LocalAddress and RemoteAddress";
    context: "the context that the accept event gave is that of the socket's events",
        "WskAcceptEvent, AcceptSocketContext and AcceptSocketDispatch";
    bare: "the accept event may give neither context nor table",
        "WskAcceptEvent, AcceptSocketContext and AcceptSocketDispatch";
    level: "the accept event runs at the level that its flags say",
        "WskAcceptEvent, Flags: WSK_FLAG_AT_DISPATCH_LEVEL";
    flags: "the accept event has documented flags only",
        "WskAcceptEvent, Flags";
    refused: "a connection that the accept event refuses is closed",
        "WskAcceptEvent, Return value: STATUS_REQUEST_NOT_ACCEPTED";
    refused_and_next: "the accept event is called for the next connection after one that it refused",
        "WskAcceptEvent, Return value: STATUS_REQUEST_NOT_ACCEPTED";
    each: "the accept event is called once for each connection",
        "WskAcceptEvent, Remarks";
    off_at_first: "the accept event is off on a new listening socket",
        "Enabling and Disabling Event Callback Functions";
    late: "an accept event enabled late is called for what waits",
        "WskAcceptEvent, Remarks";
    after_bind: "the accept event is enabled after bind only",
        "SO_WSK_EVENT_CALLBACK: after the socket is bound";
    precedence: "an accept that waits comes before the accept event",
        "WskAccept, Remarks: takes precedence";
    disabled: "an accept event that is disabled is not called",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    disabled_inside: "disabling an accept event that runs, without an IRP, answers EVENT_PENDING",
        "SO_WSK_EVENT_CALLBACK: STATUS_EVENT_PENDING";
    disabled_inside_with_irp: "disabling an accept event that runs, with an IRP, pends until it has returned",
        "SO_WSK_EVENT_CALLBACK: STATUS_PENDING";
    one_by_one: "events are disabled one by one",
        "SO_WSK_EVENT_CALLBACK: each independently";
    foreign: "a listening socket has no event of datagrams",
        "SO_WSK_EVENT_CALLBACK: valid flags of listening sockets";
}

/// A listening socket whose accept event takes `offers` connections.
pub(super) fn taking<'c, K: Kernel>(
    client: &'c Client<'_, K>,
    mask: u32,
    offers: usize,
) -> Result<StreamSocket<'c, K>, Outcome> {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    for _ in 0..offers {
        listener.event.offer()?;
    }
    if mask != 0 {
        expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(mask))?;
    }
    Ok(listener)
}

/// A connection socket that is connected to `listener`.
pub(super) fn connected<'c, K: Kernel>(
    client: &'c Client<'_, K>,
    listener: &StreamSocket<'c, K>,
) -> Result<StreamSocket<'c, K>, Outcome> {
    let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    expect_at("WskConnect", STATUS_SUCCESS, near.connect(listener.local()?)?)?;
    Ok(near)
}

/// The same, where the listening socket may have closed the connection by the time that the connect is over.
fn connecting<'c, K: Kernel>(
    client: &'c Client<'_, K>,
    listener: &StreamSocket<'c, K>,
) -> Result<StreamSocket<'c, K>, Outcome> {
    let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    let _status = near.connect(listener.local()?)?;
    Ok(near)
}

fn works<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let near = connected(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    near.deliver(b"there")?;
    expect_at("there", true, far.receives(b"there")?)?;
    far.deliver(b"and back")?;
    expect_at("and back", true, near.receives(b"and back")?)
}

fn addresses<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let near = connected(client, &listener)?;
    let [local, remote] = listener.event.arrival(0)?.ends().map(|end| end.unwrap_or(LOCALHOST));
    expect_at("LocalAddress", listener.local()?, local)?;
    expect_at("RemoteAddress", near.local()?, remote)
}

fn context<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let near = connected(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, far.set_events(WSK_EVENT_RECEIVE))?;
    near.deliver(b"context")?;
    expect(true, far.event.received(b"context")?)
}

fn bare<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 0)?;
    listener.event.admit(Admit::Bare);
    let near = connected(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    near.deliver(b"plain")?;
    expect(true, far.receives(b"plain")?)
}

fn level<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let _near = connected(client, &listener)?;
    listener.event.wait_for_returns(1)?;
    expect_at("calls at another level", 0_usize, listener.event.wrong_levels())
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let _near = connected(client, &listener)?;
    listener.event.wait_for_returns(1)?;
    let others = Value::Bits(u64::from(listener.event.flags() & !WSK_FLAG_AT_DISPATCH_LEVEL));
    expect_at("other flags", Value::Bits(0), others)
}

fn refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 0)?;
    listener.event.admit(Admit::Refuse);
    let near = connecting(client, &listener)?;
    listener.event.wait_for_refusals(1)?;
    expect_at("the connection is over", true, near.is_over()?)
}

fn refused_and_next<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    listener.event.admit(Admit::Refuse);
    let _first = connecting(client, &listener)?;
    listener.event.wait_for_refusals(1)?;
    listener.event.admit(Admit::Offered);
    let second = connected(client, &listener)?;
    expect(second.local()?, listener.arrived(0)?.1.remote()?)
}

fn each<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 4)?;
    let near: [StreamSocket<'_, K>; 3] =
        [connected(client, &listener)?, connected(client, &listener)?, connected(client, &listener)?];
    let far = [listener.arrived(0)?.1, listener.arrived(1)?.1, listener.arrived(2)?.1];
    for (index, socket) in far.iter().enumerate() {
        let remote = socket.remote()?;
        let mut of = 0;
        for near in &near {
            of += usize::from(near.local()? == remote);
        }
        expect_at("connections from there", 1_usize, of)?;
        let again = far.iter().skip(index + 1).any(|other| other.raw() == socket.raw());
        expect_at("given twice", false, again)?;
    }
    expect_at("no more calls", true, listener.event.is_quiet())?;
    expect(3_usize, listener.event.arrived())
}

fn off_at_first<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, 0, 1)?;
    let near = connected(client, &listener)?;
    expect_at("no call", true, listener.event.is_quiet())?;
    expect_at("the connection waits", near.local()?, listener.accept()?.remote()?)?;
    expect(0_usize, listener.event.arrived())
}

fn late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, 0, 1)?;
    let near = connected(client, &listener)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))?;
    expect(near.local()?, listener.arrived(0)?.1.remote()?)
}

fn after_bind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    expect_at("before bind, a success", false, listener.set_events(WSK_EVENT_ACCEPT).is_success())?;
    expect_at("WskBind", STATUS_SUCCESS, listener.bind(LOCALHOST)?)?;
    expect(STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))
}

fn precedence<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, 0, 2)?;
    let accepting = listener.start_accept()?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))?;
    let first = connected(client, &listener)?;
    expect_at("the accept's", first.local()?, accepting.socket()?.remote()?)?;
    let second = connected(client, &listener)?;
    expect_at("the event's", second.local()?, listener.arrived(0)?.1.remote()?)
}

fn disabled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let off = WSK_EVENT_ACCEPT | WSK_EVENT_DISABLE;
    expect_at("an idle event, at once", STATUS_SUCCESS, listener.set_events(off))?;
    let near = connected(client, &listener)?;
    expect_at("no call", true, listener.event.is_quiet())?;
    expect_at("the connection waits", near.local()?, listener.accept()?.remote()?)?;
    expect_at("with an IRP", STATUS_SUCCESS, listener.set_events_waiting(off)?.status)
}

fn disabled_inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 2)?;
    listener.event.inside(disable::<K>, ptr::null_mut());
    let _first = connected(client, &listener)?;
    listener.event.wait_for_returns(1)?;
    expect(STATUS_EVENT_PENDING, listener.event.note())?;
    let second = connected(client, &listener)?;
    expect_at("no call", true, listener.event.is_quiet())?;
    expect_at("the next waits", second.local()?, listener.accept()?.remote()?)?;
    expect(STATUS_EVENT_PENDING, listener.event.note())
}

fn disabled_inside_with_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = taking(client, WSK_EVENT_ACCEPT, 1)?;
    let request = Request::new(client.bench())?;
    request.then(look::<K>, listener.event.context());
    listener.event.inside(disable::<K>, request.lend().cast());
    let _near = connected(client, &listener)?;
    listener.event.wait_for_returns(1)?;
    request.wait("SO_WSK_EVENT_CALLBACK with an IRP")?.succeeds("SO_WSK_EVENT_CALLBACK with an IRP")?;
    expect_at("returned", STATUS_PENDING, listener.event.note())?;
    expect_at("events that had returned before", 1_usize, listener.event.returned_before())
}

/// Disables the accept event, with the packet that is the context.
fn disable<K: Kernel>(record: &StreamRecord<K>, irp: *mut core::ffi::c_void) {
    let mask = WSK_EVENT_ACCEPT | WSK_EVENT_DISABLE;
    let status = set_events(record.socket(), &raw const NPI_WSK_INTERFACE_ID, mask, irp.cast());
    record.note.store(status.to_bits(), Ordering::Release);
}

/// Notes how many events have returned.
fn look<K: Kernel>(record: *mut core::ffi::c_void) {
    // SAFETY: the record of a socket that outlives the request.
    unsafe { &*record.cast::<StreamRecord<K>>() }.look();
}

fn one_by_one<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = crate::client::tcp::Pair::new(client)?;
    let both = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;
    expect_at("enabled together", STATUS_SUCCESS, pair.near.set_events(both))?;
    expect_at("disabled together", STATUS_INVALID_PARAMETER, pair.near.set_events(both | WSK_EVENT_DISABLE))?;
    let off = pair.near.set_events(WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE);
    expect_at("disabled alone", STATUS_SUCCESS, off)
}

fn foreign<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_PARAMETER, taking(client, 0, 0)?.set_events(WSK_EVENT_RECEIVE_FROM))
}
