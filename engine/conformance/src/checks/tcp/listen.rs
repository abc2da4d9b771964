//! Listening sockets: WskAccept, closing.

use skua_engine::Kernel;
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE;

use crate::client::tcp::{Accepting, Kind, Pair, StreamSocket};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Listen;
    accept_pends: "an accept pends until a connection comes",
        "WskAccept, Return value: STATUS_PENDING";
    accept_at_once: "an accept takes a connection that waits",
        "WskAccept, Remarks: STATUS_SUCCESS";
    accepts_in_order: "accepts are queued: the first gets the first connection",
        "WskAccept, Return value: STATUS_PENDING";
    connections_in_order: "connections wait in the order in which they came",
        "WskAccept, Remarks: a connection that waits";
    accept_addresses: "an accept gives the addresses of both ends",
        "WskAccept, LocalAddress and RemoteAddress";
    accepted_is_connected: "an accepted socket is connected to where the connection came from",
        "WskAccept; WskGetRemoteAddress";
    accept_bare: "an accept needs neither context nor table nor room for addresses",
        "WskAccept: all of them are optional";
    accept_context: "the context given to an accept is that of the socket's events",
        "WskAccept, AcceptSocketContext";
    events_off: "all events are off on a socket that WskAccept gave",
        "WskAccept, Remarks: disabled by default";
    accept_flags: "an accept takes no flags",
        "WskAccept, Flags: must be 0";
    accept_unbound: "an accept on a socket that is not bound is refused",
        "WskAccept, Remarks: bound before";
    accept_at_dispatch: "an accept may be called at DISPATCH_LEVEL",
        "WskAccept, IRQL";
    accept_cancelled: "a cancelled accept ends with CANCELLED and takes no connection",
        "WskAccept; IoCancelIrp";
    accept_cancelled_alone: "one accept is cancelled without the others",
        "WskAccept; IoCancelIrp";
    close_cancels: "closing a listening socket cancels its accepts before it completes",
        "WskCloseSocket, Remarks";
    close_leaves: "closing a listening socket leaves accepted sockets",
        "WskCloseSocket; WskAccept: a socket of its own";
    close_ends: "a listening socket that is closed takes no connections",
        "WskCloseSocket";
}

pub(super) fn listener<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::bound(client, Kind::Listen, LOCALHOST)
}

pub(super) fn connection<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::bound(client, Kind::Connection, LOCALHOST)
}

/// A connection socket that is connected to `listener`, with nobody having accepted.
fn connected<'c, K: Kernel>(
    client: &'c Client<'_, K>,
    listener: &StreamSocket<'c, K>,
) -> Result<StreamSocket<'c, K>, Outcome> {
    let near = connection(client)?;
    expect_at("WskConnect", STATUS_SUCCESS, near.connect(listener.local()?)?)?;
    Ok(near)
}

fn accept_pends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let accepting = listener.start_accept()?;
    expect_at("pending", true, accepting.request.stays_pending())?;
    let _near = connected(client, &listener)?;
    let done = accepting.wait()?.succeeds("WskAccept")?;
    expect_at("IoStatus.Information, a socket", true, done.information != 0)?;
    expect_at("returned", STATUS_PENDING, done.returned)
}

fn accept_at_once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let near = connected(client, &listener)?;
    expect(near.local()?, listener.accept()?.remote()?)
}

fn accepts_in_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let (first, second) = (listener.start_accept()?, listener.start_accept()?);
    let one = connected(client, &listener)?;
    expect_at("the first accept", one.local()?, first.socket()?.remote()?)?;
    expect_at("the second one, pending", true, second.request.stays_pending())?;
    let two = connected(client, &listener)?;
    expect_at("the second accept", two.local()?, second.socket()?.remote()?)
}

fn connections_in_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let (one, two) = (connected(client, &listener)?, connected(client, &listener)?);
    expect_at("the first connection", one.local()?, listener.accept()?.remote()?)?;
    expect_at("the second connection", two.local()?, listener.accept()?.remote()?)
}

fn accept_addresses<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let near = connected(client, &listener)?;
    let accepting = listener.start_accept()?;
    accepting.wait()?.succeeds("WskAccept")?;
    let [local, remote] = accepting.ends().map(|end| end.unwrap_or(LOCALHOST));
    expect_at("LocalAddress", listener.local()?, local)?;
    expect_at("RemoteAddress", near.local()?, remote)
}

fn accepted_is_connected<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener } = Pair::new(client)?;
    expect_at("the local address", listener.local()?, far.local()?)?;
    expect_at("the remote address", near.local()?, far.remote()?)
}

fn accept_bare<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let near = connected(client, &listener)?;
    let bare = Accepting { flags: 0, events: false, addresses: false };
    let far = listener.start_accept_as(bare)?.socket()?;
    near.deliver(b"plain")?;
    expect(true, far.receives(b"plain")?)
}

fn accept_context<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, pair.far.set_events(WSK_EVENT_RECEIVE))?;
    pair.near.deliver(b"context")?;
    expect(true, pair.far.event.received(b"context")?)
}

fn events_off<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.deliver(b"silence")?;
    expect_at("no call", true, pair.far.event.is_quiet())?;
    expect_at("the data", true, pair.far.receives(b"silence")?)
}

fn accept_flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let flagged = Accepting { flags: 1, events: true, addresses: true };
    expect(STATUS_INVALID_PARAMETER, listener.start_accept_as(flagged)?.wait()?.status)
}

fn accept_unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, listener.start_accept()?.wait()?.status)
}

fn accept_at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    listener.raise();
    let accepting = listener.start_accept()?;
    let near = connected(client, &listener)?;
    expect(near.local()?, accepting.socket()?.remote()?)
}

fn accept_cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let accepting = listener.start_accept()?;
    accepting.request.cancel();
    expect_at("the cancelled accept", STATUS_CANCELLED, accepting.wait()?.status)?;
    let near = connected(client, &listener)?;
    expect_at("the connection", near.local()?, listener.accept()?.remote()?)
}

fn accept_cancelled_alone<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let (first, second) = (listener.start_accept()?, listener.start_accept()?);
    first.request.cancel();
    expect_at("the cancelled accept", STATUS_CANCELLED, first.wait()?.status)?;
    let near = connected(client, &listener)?;
    expect_at("the other one", near.local()?, second.socket()?.remote()?)
}

fn close_cancels<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let accepting = listener.start_accept()?;
    let (_, closing) = listener.start_close()?;
    let cancelled = accepting.wait()?;
    let closed = closing.request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    expect_at("the accept", STATUS_CANCELLED, cancelled.status)?;
    expect_at("before the close", true, cancelled.order < closed.order)
}

fn close_leaves<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener } = Pair::new(client)?;
    listener.close()?.succeeds("WskCloseSocket")?;
    near.deliver(b"still there")?;
    expect(true, far.receives(b"still there")?)
}

fn close_ends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let local = listener.local()?;
    listener.close()?.succeeds("WskCloseSocket")?;
    expect(STATUS_CONNECTION_REFUSED, connection(client)?.connect(local)?)
}
