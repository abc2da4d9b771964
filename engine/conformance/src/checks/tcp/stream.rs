//! Stream sockets, which listen or connect.

use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_STREAM_DISPATCH, WSK_EVENT_ACCEPT, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_ABORTIVE,
};

use crate::client::buffer::Buffer;
use crate::client::tcp::{Kind, Pair, StreamSocket, Tables, join};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Stream;
    table: "the table of a stream socket has every function",
        "WSK_PROVIDER_STREAM_DISPATCH";
    listens: "a stream socket listens after WskListen",
        "WskListen";
    bound_only: "a stream socket that is bound does not listen yet",
        "WskListen: enables a stream socket to listen";
    listen_unbound: "WskListen needs a socket that is bound",
        "WskListen, Remarks: previously bound";
    connects: "a stream socket connects by WskConnect",
        "WskConnect";
    connects_with_data: "a stream socket connects by WskConnectEx with data",
        "WskConnectEx";
    listening_connects: "a stream socket that listens does not connect",
        "WskListen, Remarks: committed to a listening socket flow";
    listening_sends: "a stream socket that listens does not send, receive or disconnect",
        "WskListen, Remarks: no longer call connection-oriented functions";
    connected_listens: "a stream socket that is connected does not listen",
        "WskConnect, Remarks: committed to a connection-oriented flow";
    connected_accepts: "a stream socket that is connected does not accept",
        "WskConnect, Remarks: no longer call listening socket functions";
    connected_ex_listens: "a stream socket that WskConnectEx connected does not listen",
        "WskConnectEx, Remarks: committed to a connection-oriented flow";
    uncommitted: "a stream socket that was not committed does neither",
        "WskAccept; WskSend, Remarks";
    listen_table: "a stream socket that listens has the events of its Listen table",
        "WSK_CLIENT_STREAM_DISPATCH, Listen";
    connect_table: "a stream socket that is connected has the events of its Connect table",
        "WSK_CLIENT_STREAM_DISPATCH, Connect";
    connect_only: "a stream socket that connects needs no Listen table",
        "WSK_CLIENT_STREAM_DISPATCH: pointers to the two tables";
    listen_only: "a stream socket that listens needs no Connect table",
        "WSK_CLIENT_STREAM_DISPATCH: pointers to the two tables";
    disconnects: "a stream socket disconnects and is told of a disconnect",
        "WskDisconnect; WskDisconnectEvent";
    addresses: "a stream socket tells its addresses",
        "WskGetLocalAddress; WskGetRemoteAddress";
    closed: "closing a stream socket that listens ends its listening",
        "WskCloseSocket";
}

fn bound<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::bound(client, Kind::Stream, LOCALHOST)
}

fn listening<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    let socket = bound(client)?;
    expect_at("WskListen", STATUS_SUCCESS, socket.listen()?)?;
    Ok(socket)
}

fn connection<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::bound(client, Kind::Connection, LOCALHOST)
}

fn table<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect_at("functions that are there", 15_usize, bound(client)?.stream_functions())
}

fn listens<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listening(client)?;
    let near = connection(client)?;
    let far = join(&near, &listener)?;
    near.deliver(b"heard")?;
    expect(true, far.receives(b"heard")?)
}

fn bound_only<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = bound(client)?;
    expect(STATUS_CONNECTION_REFUSED, connection(client)?.connect(socket.local()?)?)
}

fn listen_unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = StreamSocket::open(client, Kind::Stream, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, socket.listen()?)
}

fn connects<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::of(client, bound(client)?)?;
    pair.near.deliver(b"there")?;
    expect_at("there", true, pair.far.receives(b"there")?)?;
    pair.far.deliver(b"back")?;
    expect_at("back", true, pair.near.receives(b"back")?)
}

fn connects_with_data<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let (socket, data) = (bound(client)?, Buffer::of(client.bench(), &[b"at ", b"once"])?);
    socket.connect_ex(listener.local()?, Some(&data), 0)?.succeeds("WskConnectEx")?;
    expect(true, listener.accept()?.receives(b"at once")?)
}

fn listening_connects<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = listening(client)?;
    let listener = listening(client)?;
    let status = listener.connect(other.local()?)?;
    expect_at("WskConnect, a success", false, status.is_success())?;
    let status = listener.connect_ex(other.local()?, None, 0)?.status;
    expect_at("WskConnectEx, a success", false, status.is_success())?;
    let far = join(&connection(client)?, &listener)?;
    expect_at("it listens", true, far.remote()?.port() != 0)
}

fn listening_sends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listening(client)?;
    expect_at("WskSend, a success", false, listener.send(b"nobody")?.status.is_success())?;
    let receiving = listener.start_receive(&[8], 0)?;
    if !receiving.request.ends() {
        return expect_at("WskReceive, pending", false, true);
    }
    expect_at("WskReceive, a success", false, receiving.wait()?.status.is_success())?;
    let status = listener.disconnect(WSK_FLAG_ABORTIVE)?;
    expect_at("WskDisconnect, a success", false, status.is_success())
}

fn connected_listens<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::of(client, bound(client)?)?;
    expect_at("WskListen, a success", false, pair.near.listen()?.is_success())?;
    pair.near.deliver(b"connected")?;
    expect_at("it is connected", true, pair.far.receives(b"connected")?)
}

fn connected_accepts<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::of(client, bound(client)?)?;
    let accepting = pair.near.start_accept()?;
    if !accepting.request.ends() {
        return expect_at("WskAccept, pending", false, true);
    }
    expect_at("WskAccept, a success", false, accepting.wait()?.status.is_success())
}

fn connected_ex_listens<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let socket = bound(client)?;
    socket.connect_ex(listener.local()?, None, 0)?.succeeds("WskConnectEx")?;
    expect_at("WskListen, a success", false, socket.listen()?.is_success())
}

fn uncommitted<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = bound(client)?;
    let accepting = socket.start_accept()?;
    if !accepting.request.ends() {
        return expect_at("WskAccept, pending", false, true);
    }
    expect_at("WskAccept, a success", false, accepting.wait()?.status.is_success())?;
    expect_at("WskSend, a success", false, socket.send(b"nobody")?.status.is_success())
}

fn listen_table<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listening(client)?;
    listener.event.offer()?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))?;
    let near = connection(client)?;
    expect_at("WskConnect", STATUS_SUCCESS, near.connect(listener.local()?)?)?;
    expect(near.local()?, listener.arrived(0)?.1.remote()?)
}

fn connect_table<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::of(client, bound(client)?)?.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"indicated")?;
    expect(true, pair.near.event.received(b"indicated")?)
}

fn connect_only<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket =
        StreamSocket::open_with(client, Kind::Stream, LOCALHOST, ptr::from_ref(Only::<K>::CONNECT).cast())?;
    expect_at("WskBind", STATUS_SUCCESS, socket.bind(LOCALHOST)?)?;
    let pair = Pair::of(client, socket)?.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"indicated")?;
    expect(true, pair.near.event.received(b"indicated")?)
}

fn listen_only<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket =
        StreamSocket::open_with(client, Kind::Stream, LOCALHOST, ptr::from_ref(Only::<K>::LISTEN).cast())?;
    expect_at("WskBind", STATUS_SUCCESS, socket.bind(LOCALHOST)?)?;
    expect_at("WskListen", STATUS_SUCCESS, socket.listen()?)?;
    let near = connection(client)?;
    let far = join(&near, &socket)?;
    expect(near.local()?, far.remote()?)
}

/// Tables for one side alone.
struct Only<K>(core::marker::PhantomData<K>);

impl<K: Kernel> Only<K> {
    const CONNECT: &'static WSK_CLIENT_STREAM_DISPATCH =
        &WSK_CLIENT_STREAM_DISPATCH { Listen: ptr::null(), Connect: ptr::from_ref(Tables::<K>::CONNECTION) };
    const LISTEN: &'static WSK_CLIENT_STREAM_DISPATCH =
        &WSK_CLIENT_STREAM_DISPATCH { Listen: ptr::from_ref(Tables::<K>::LISTEN), Connect: ptr::null() };
}

fn disconnects<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::of(client, bound(client)?)?.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect_with(b"bye", 0)?)?;
    expect_at("the data", true, pair.far.receives(b"bye")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)?;
    expect_at("WskDisconnect, there", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let abortive = pair.near.event.disconnect()? & WSK_FLAG_ABORTIVE;
    expect_at("WSK_FLAG_ABORTIVE", Value::Bits(0), Value::Bits(abortive.into()))
}

fn addresses<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = bound(client)?;
    let local = socket.local()?;
    expect_at("before, a remote address", STATUS_INVALID_DEVICE_STATE, socket.remote_address()?.0)?;
    let pair = Pair::of(client, socket)?;
    expect_at("the local address", local, pair.near.local()?)?;
    expect_at("the remote address", pair.listener.local()?, pair.near.remote()?)
}

fn closed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listening(client)?;
    let local = listener.local()?;
    listener.close()?.succeeds("WskCloseSocket")?;
    expect(STATUS_CONNECTION_REFUSED, connection(client)?.connect(local)?)
}
