//! WskConnect, and what a socket can and cannot do before it is connected.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use skua_engine::Kernel;
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, SIO_WSK_QUERY_RECEIVE_BACKLOG, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE,
};

use crate::client::tcp::{Kind, Pair, StreamSocket};
use crate::client::{ANY, Client, LOCALHOST, LOCALHOST_V6, needs};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Connection;
    addresses: "a connection has the addresses of both ends",
        "WskConnect; WskGetLocalAddress; WskGetRemoteAddress";
    wildcard: "a wildcard becomes the address that connects",
        "WskBind, LocalAddress: the wildcard; WskConnect";
    both_ways: "a connection carries data both ways",
        "WskSend; WskReceive";
    refused: "a connect to where nobody listens is refused",
        "WskConnect, Return value: other status codes";
    unbound: "a connect needs a socket that is bound",
        "WskConnect, Remarks: previously bound";
    twice: "a connection is not connected again",
        "WskConnect, Remarks";
    flags: "a connect takes no flags",
        "WskConnect, Flags: must be 0";
    family: "a connect takes an address of the socket's family",
        "WskConnect, RemoteAddress";
    at_dispatch: "a connect may be called at DISPATCH_LEVEL",
        "WskConnect, IRQL";
    cancelled: "a cancelled connect ends with CANCELLED",
        "WskConnect; IoCancelIrp";
    no_local: "a connection socket has no local address before it is bound",
        "WskGetLocalAddress, Remarks: STATUS_INVALID_DEVICE_STATE";
    no_remote: "a connection socket has no remote address before it is connected",
        "WskGetRemoteAddress, Remarks: STATUS_INVALID_DEVICE_STATE";
    events_after: "events of a connection are enabled after connect only",
        "SO_WSK_EVENT_CALLBACK: after the socket is connected";
    send_before: "a send before connect is refused",
        "WskSend, Remarks: previously connected";
    receive_before: "a receive before connect is refused",
        "WskReceive, Remarks: previously connected";
    disconnect_before: "a disconnect before connect is refused",
        "WskDisconnect, Remarks: previously connected";
    backlogs_before: "backlogs are of sockets that are connected",
        "SIO_WSK_QUERY_IDEAL_SEND_BACKLOG; SIO_WSK_QUERY_RECEIVE_BACKLOG";
    bound_once: "a connection socket is bound once",
        "WskBind, Remarks";
    ipv6: "connections over IPv6 have addresses of IPv6",
        "WskConnect, RemoteAddress";
}

fn bound<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::bound(client, Kind::Connection, LOCALHOST)
}

fn addresses<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener } = Pair::new(client)?;
    expect_at("the remote address", listener.local()?, near.remote()?)?;
    expect_at("the local address", far.remote()?, near.local()?)
}

fn wildcard<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let near = StreamSocket::bound(client, Kind::Connection, ANY)?;
    let before = near.local()?;
    expect_at("before, of the wildcard", true, before.ip().is_unspecified())?;
    let pair = Pair::of(client, near)?;
    let expected = SocketAddr::new(LOCALHOST.ip(), before.port());
    expect(expected, pair.near.local()?)
}

fn both_ways<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.deliver(b"there")?;
    pair.far.deliver(b"back")?;
    expect_at("there", true, pair.far.receives(b"there")?)?;
    expect_at("back", true, pair.near.receives(b"back")?)
}

fn refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Bound, so that nobody else has the port, and not listening.
    let nobody = bound(client)?;
    expect(STATUS_CONNECTION_REFUSED, bound(client)?.connect(nobody.local()?)?)
}

fn unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let near = StreamSocket::open(client, Kind::Connection, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, near.connect(listener.local()?)?)
}

fn twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect(STATUS_INVALID_DEVICE_STATE, pair.near.connect(pair.listener.local()?)?)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let connecting = bound(client)?;
    let connecting = connecting.start_connect(listener.local()?, 1)?;
    expect(STATUS_INVALID_PARAMETER, connecting.request.wait("WskConnect")?.status)
}

fn family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let mut remote = LOCALHOST_V6;
    remote.set_port(9);
    expect(STATUS_INVALID_PARAMETER, bound(client)?.connect(remote)?)
}

fn at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let (near, remote) = (bound(client)?, listener.local()?);
    near.raise();
    let connecting = near.start_connect(remote, 0)?;
    expect(STATUS_SUCCESS, connecting.request.wait("WskConnect")?.status)
}

fn cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Of a block that no host has: RFC 5737.
    let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
    let near = StreamSocket::bound(client, Kind::Connection, ANY)?;
    let connecting = near.start_connect(nowhere, 0)?;
    let waits = connecting.request.stays_pending();
    connecting.request.cancel();
    let done = connecting.request.wait("a WskConnect that was cancelled")?;
    needs(waits, "no connect stays pending here")?;
    expect(STATUS_CANCELLED, done.status)
}

fn no_local<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = StreamSocket::open(client, Kind::Connection, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, socket.local_address()?.0)
}

fn no_remote<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_DEVICE_STATE, bound(client)?.remote_address()?.0)
}

fn events_after<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let near = bound(client)?;
    let early = near.set_events(WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT);
    expect_at("before connect, a success", false, early.is_success())?;
    let pair = Pair::of(client, near)?;
    expect(STATUS_SUCCESS, pair.near.set_events(WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT))
}

fn send_before<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_DEVICE_STATE, bound(client)?.send(b"early")?.status)
}

fn receive_before<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_DEVICE_STATE, bound(client)?.receive(8)?.done.status)
}

fn disconnect_before<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_DEVICE_STATE, bound(client)?.disconnect(0)?)
}

fn backlogs_before<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let near = bound(client)?;
    let ideal = near.size(SIO_WSK_QUERY_IDEAL_SEND_BACKLOG)?.0;
    expect_at("the ideal send backlog, a success", false, ideal.is_success())?;
    let receive = near.size(SIO_WSK_QUERY_RECEIVE_BACKLOG)?.0;
    expect_at("the receive backlog, a success", false, receive.is_success())
}

fn bound_once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_DEVICE_STATE, bound(client)?.bind(LOCALHOST)?)
}

fn ipv6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST_V6)?;
    let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST_V6)?;
    expect_at("WskConnect", STATUS_SUCCESS, near.connect(listener.local()?)?)?;
    expect(listener.local()?, near.remote()?)
}
