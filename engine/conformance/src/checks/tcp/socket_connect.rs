//! WskSocketConnect.

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{IPPROTO_UDP, SOCK_DGRAM};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CONNECTION_REFUSED, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE};

use crate::client::tcp::{Kind, SocketConnecting, StreamSocket};
use crate::client::{Client, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Stream;
    connects: "WskSocketConnect creates, binds and connects with one IRP",
        "WskSocketConnect, Remarks";
    local: "a socket of WskSocketConnect is bound to the local address that was given",
        "WskSocketConnect, LocalAddress";
    ipv6: "the family of a WskSocketConnect is that of its local address",
        "WskSocketConnect, LocalAddress";
    events: "the context of a WskSocketConnect is that of the socket's events",
        "WskSocketConnect, SocketContext and Dispatch";
    events_off: "events are off on a socket of WskSocketConnect",
        "Enabling and Disabling Event Callback Functions";
    bare: "WskSocketConnect needs neither context nor table",
        "WskSocketConnect, SocketContext and Dispatch: optional";
    refused: "a WskSocketConnect to where nobody listens gives no socket",
        "WskSocketConnect, Return value: other status codes";
    in_use: "a WskSocketConnect from an address in use gives no socket",
        "WskSocketConnect, Return value: other status codes";
    flags: "WskSocketConnect takes no flags",
        "WskSocketConnect, Flags: must be 0";
    families: "WskSocketConnect takes two addresses of one family",
        "WskSocketConnect, RemoteAddress";
    datagrams: "WskSocketConnect is for connections",
        "WskSocketConnect, SocketType and Protocol";
    at_dispatch: "WskSocketConnect may be called at DISPATCH_LEVEL",
        "WskSocketConnect, IRQL";
}

fn listener<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::bound(client, Kind::Listen, LOCALHOST)
}

fn connects<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let near = client.start_socket_connect(SocketConnecting::tcp(LOCALHOST, listener.local()?))?;
    let near = near.socket()?;
    let far = listener.accept()?;
    expect_at("the remote address", listener.local()?, near.remote()?)?;
    near.deliver(b"at once")?;
    expect(true, far.receives(b"at once")?)
}

fn local<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    // A port that was free a moment ago.
    let free = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    let local = free.local()?;
    free.close()?.succeeds("WskCloseSocket")?;
    let near = client.start_socket_connect(SocketConnecting::tcp(local, listener.local()?))?;
    expect(local, near.socket()?.local()?)
}

fn ipv6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST_V6)?;
    let near = client.start_socket_connect(SocketConnecting::tcp(LOCALHOST_V6, listener.local()?))?;
    expect(listener.local()?, near.socket()?.remote()?)
}

fn events<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let near = client.start_socket_connect(SocketConnecting::tcp(LOCALHOST, listener.local()?))?;
    let (near, far) = (near.socket()?, listener.accept()?);
    let mask = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, near.set_events(mask))?;
    far.deliver(b"context")?;
    expect_at("the receive event", true, near.event.received(b"context")?)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, far.disconnect(0)?)?;
    near.event.disconnect()?;
    expect_at("the disconnect event", 1_usize, near.event.disconnects())
}

fn events_off<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let near = client.start_socket_connect(SocketConnecting::tcp(LOCALHOST, listener.local()?))?;
    let (near, far) = (near.socket()?, listener.accept()?);
    far.deliver(b"silence")?;
    expect_at("no call", true, near.event.is_quiet())?;
    expect(true, near.receives(b"silence")?)
}

fn bare<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let bare = SocketConnecting { events: false, ..SocketConnecting::tcp(LOCALHOST, listener.local()?) };
    let near = client.start_socket_connect(bare)?.socket()?;
    near.deliver(b"plain")?;
    expect(true, listener.accept()?.receives(b"plain")?)
}

fn refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Bound, so that nobody else has the port, and not listening.
    let nobody = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    let near = client.start_socket_connect(SocketConnecting::tcp(LOCALHOST, nobody.local()?))?;
    let done = near.wait()?;
    expect_at("IoStatus.Status", STATUS_CONNECTION_REFUSED, done.status)?;
    expect_at("IoStatus.Information", 0_usize, done.information)
}

fn in_use<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let taken = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    let near = client.start_socket_connect(SocketConnecting::tcp(taken.local()?, listener.local()?))?;
    let done = near.wait()?;
    expect_at("IoStatus.Status", STATUS_ADDRESS_ALREADY_EXISTS, done.status)?;
    expect_at("IoStatus.Information", 0_usize, done.information)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let flagged = SocketConnecting { flags: 1, ..SocketConnecting::tcp(LOCALHOST, listener.local()?) };
    expect(STATUS_INVALID_PARAMETER, client.start_socket_connect(flagged)?.wait()?.status)
}

fn families<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let mut remote = LOCALHOST_V6;
    remote.set_port(9);
    let near = client.start_socket_connect(SocketConnecting::tcp(LOCALHOST, remote))?;
    expect(STATUS_INVALID_PARAMETER, near.wait()?.status)
}

fn datagrams<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let tcp = SocketConnecting::tcp(LOCALHOST, listener.local()?);
    let datagrams = SocketConnecting { socket_type: SOCK_DGRAM, protocol: IPPROTO_UDP, ..tcp };
    let done = client.start_socket_connect(datagrams)?.wait()?;
    expect_at("a success", false, done.status.is_success())
}

fn at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    let raised = SocketConnecting { raised: true, ..SocketConnecting::tcp(LOCALHOST, listener.local()?) };
    let near = client.start_socket_connect(raised)?;
    expect(listener.local()?, near.socket()?.remote()?)
}
