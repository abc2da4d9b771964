//! WskCloseSocket of connections.

// UNSAFETY: a hook gets a packet by address.
#![expect(unsafe_code, reason = "a completion routine reaches a record by address")]

use core::sync::atomic::Ordering;

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_ABORTIVE};

use crate::client::buffer::Buffer;
use crate::client::handle::close;
use crate::client::request::Request;
use crate::client::tcp::{Flood, Kind, Pair, StreamRecord, StreamSocket};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { Connection;
    any_state: "a socket over TCP is closed in any state",
        "WskCloseSocket";
    cancels_receive: "closing a connection cancels its receives before it completes",
        "WskCloseSocket, Remarks: cancel and complete all pending IRPs";
    cancels_send: "closing a connection cancels its sends before it completes",
        "WskCloseSocket, Remarks: cancel and complete all pending IRPs";
    cancels_disconnect: "closing a connection cancels a disconnect that waits",
        "WskCloseSocket, Remarks; WskDisconnect, Remarks";
    abortive: "closing aborts a connection that is open both ways",
        "WskCloseSocket, Remarks: always performs an abortive disconnect";
    half_abortive: "closing aborts a connection that is open one way",
        "WskCloseSocket, Remarks: fully disconnected in both directions";
    graceful: "closing does not abort a connection that has ended both ways",
        "WskCloseSocket, Remarks: fully disconnected in both directions";
    quiet: "no event comes once a connection is closed",
        "WskCloseSocket, Remarks: event callback functions";
    from_inside: "closing from inside the receive event completes when it has returned",
        "WskCloseSocket, Remarks: in-progress event callback functions";
}

fn any_state<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for kind in [Kind::Listen, Kind::Connection, Kind::Stream] {
        let open = StreamSocket::open(client, kind, LOCALHOST)?;
        expect_at("open", STATUS_SUCCESS, open.close()?.status)?;
        let bound = StreamSocket::bound(client, kind, LOCALHOST)?;
        expect_at("bound", STATUS_SUCCESS, bound.close()?.status)?;
    }
    let Pair { near, far, listener } = Pair::new(client)?;
    expect_at("connected", STATUS_SUCCESS, near.close()?.status)?;
    expect_at("aborted", STATUS_SUCCESS, far.close()?.status)?;
    expect_at("listening", STATUS_SUCCESS, listener.close()?.status)
}

fn cancels_receive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far: _far, listener: _listener } = Pair::new(client)?;
    let receiving = [near.start_receive(&[8], 0)?, near.start_receive(&[8], 0)?];
    let (_, closing) = near.start_close()?;
    let closed = closing.request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    for receiving in &receiving {
        let done = receiving.wait()?;
        expect_at("a receive", STATUS_CANCELLED, done.status)?;
        expect_at("before the close", true, done.order < closed.order)?;
    }
    expect_at("WskCloseSocket", STATUS_SUCCESS, closed.status)
}

fn cancels_send<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far: _far, listener: _listener } = Pair::new(client)?;
    let flood = Flood::of(&near)?;
    let (behind, data) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"behind"])?);
    let _returned = near.start_send(&behind, data.header(), 0);
    let (_, closing) = near.start_close()?;
    let closed = closing.request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    for request in [&flood.request, &behind] {
        let done = request.wait("a WskSend that waited")?;
        expect_at("a send", STATUS_CANCELLED, done.status)?;
        expect_at("before the close", true, done.order < closed.order)?;
    }
    expect_at("WskCloseSocket", STATUS_SUCCESS, closed.status)
}

fn cancels_disconnect<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far: _far, listener: _listener } = Pair::new(client)?;
    let _flood = Flood::of(&near)?;
    let disconnecting = Request::new(client.bench())?;
    let _returned = near.start_disconnect(&disconnecting, None, 0);
    expect_at("pending", true, disconnecting.stays_pending())?;
    let (_, closing) = near.start_close()?;
    let closed = closing.request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    let done = disconnecting.wait("a WskDisconnect that waited")?;
    expect_at("before the close", true, done.order < closed.order)?;
    expect_at("the disconnect", STATUS_CANCELLED, done.status)
}

fn abortive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener: _listener } = Pair::new(client)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, far.set_events(WSK_EVENT_DISCONNECT))?;
    near.close()?.succeeds("WskCloseSocket")?;
    let abortive = far.event.disconnect()? & WSK_FLAG_ABORTIVE;
    expect_at("WSK_FLAG_ABORTIVE", Value::Bits(WSK_FLAG_ABORTIVE.into()), Value::Bits(abortive.into()))
}

fn half_abortive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener: _listener } = Pair::new(client)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, near.disconnect(0)?)?;
    expect_at("the end", true, far.is_at_end()?)?;
    near.close()?.succeeds("WskCloseSocket")?;
    // What is sent to nobody breaks the connection at the latest.
    for _ in 0..100 {
        if !far.send(b"nobody")?.status.is_success() {
            return expect("aborted", "aborted");
        }
        far.event.is_quiet();
    }
    expect("aborted", "open")
}

fn graceful<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener: _listener } = Pair::new(client)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, far.set_events(WSK_EVENT_DISCONNECT))?;
    near.deliver(b"the last")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, near.disconnect(0)?)?;
    expect_at("WskDisconnect, there", STATUS_SUCCESS, far.disconnect(0)?)?;
    expect_at("the end", true, near.is_at_end()?)?;
    near.close()?.succeeds("WskCloseSocket")?;
    expect_at("the data", true, far.receives(b"the last")?)?;
    expect_at("the end, there", true, far.is_at_end()?)?;
    let abortive = far.event.disconnect()? & WSK_FLAG_ABORTIVE;
    expect_at("WSK_FLAG_ABORTIVE", Value::Bits(0), Value::Bits(abortive.into()))
}

fn quiet<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener: _listener } =
        Pair::new(client)?.with_events(WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT)?;
    far.deliver(b"before")?;
    near.event.wait_for_bytes(6)?;
    let (_, closing) = near.start_close()?;
    closing.request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    // However that ends.
    far.send(b"behind")?;
    expect_at("no call", true, closing.event.is_quiet())
}

fn from_inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener: _listener } = Pair::new(client)?.with_events(WSK_EVENT_RECEIVE)?;
    let request = Request::new(client.bench())?;
    request.then(look::<K>, near.event.context());
    near.event.inside(close_inside::<K>, request.lend().cast());
    far.deliver(b"close")?;
    near.event.wait_for_returns(1)?;
    let event = near.leave_to_callback();
    request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    expect_at("returned", STATUS_PENDING, event.note())?;
    expect_at("events that had returned before", 1_usize, event.returned_before())
}

/// Closes the socket, with the packet that is the context.
fn close_inside<K: Kernel>(record: &StreamRecord<K>, irp: *mut core::ffi::c_void) {
    let status = close(record.socket(), irp.cast());
    record.note.store(status.to_bits(), Ordering::Release);
}

/// Notes how many events have returned.
fn look<K: Kernel>(record: *mut core::ffi::c_void) {
    // SAFETY: the record of a socket that outlives the request.
    unsafe { &*record.cast::<StreamRecord<K>>() }.look();
}
