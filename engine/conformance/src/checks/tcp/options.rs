//! Options and controls of sockets over TCP.

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{
    IPPROTO_TCP, IPPROTO_UDP, SO_KEEPALIVE, SOL_SOCKET, TCP_FASTOPEN, TCP_NODELAY, UDP_NOCHECKSUM,
};
use skua_engine::abi::status::{STATUS_INVALID_DEVICE_STATE, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{SIO_WSK_SET_TCP_SILENT_MODE, WSK_FLAG_ABORTIVE};

use crate::client::buffer::Buffer;
use crate::client::tcp::{Kind, Pair, StreamSocket};
use crate::client::{Client, LOCALHOST, needs};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Connection;
    keepalive: "SO_KEEPALIVE is off at first and is remembered",
        "SO_KEEPALIVE; WskControlSocket";
    nodelay: "TCP_NODELAY is remembered",
        "IPPROTO_TCP socket options: TCP_NODELAY";
    foreign: "a connection has no options of UDP",
        "IPPROTO_UDP socket options; WskControlSocket";
    fast_open: "WskConnectEx sends its data with TCP_FASTOPEN too",
        "WskConnectEx, Remarks: TCP_FASTOPEN";
    silent: "in silent mode a connection sends nothing and is closed",
        "SIO_WSK_SET_TCP_SILENT_MODE: afterwards only close is legal";
}

/// Sets a switch of an open connection socket and reads it back, on and off again.
fn is_remembered<K: Kernel>(socket: &StreamSocket<'_, K>, level: u32, option: u32) -> Verdict {
    for state in [1_u32, 0] {
        expect_at("setting", STATUS_SUCCESS, socket.set(level, option, state)?)?;
        let got = socket.get(level, option, 4)?;
        got.done.succeeds("getting")?;
        expect_at("its state", state != 0, got.word() != 0)?;
    }
    expect("remembered", "remembered")
}

fn open<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    StreamSocket::open(client, Kind::Connection, LOCALHOST)
}

fn keepalive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = open(client)?;
    let before = socket.get(SOL_SOCKET, SO_KEEPALIVE, 4)?;
    before.done.succeeds("getting")?;
    expect_at("at first", false, before.word() != 0)?;
    is_remembered(&socket, SOL_SOCKET, SO_KEEPALIVE)
}

fn nodelay<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    is_remembered(&open(client)?, IPPROTO_TCP, TCP_NODELAY)
}

fn foreign<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let status = open(client)?.set(IPPROTO_UDP, UDP_NOCHECKSUM, 1)?;
    expect_at("a success", false, status.is_success())
}

fn fast_open<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let near = open(client)?;
    let status = near.set(IPPROTO_TCP, TCP_FASTOPEN, 1)?;
    needs(status.is_success(), "no TCP_FASTOPEN here")?;
    expect_at("WskBind", STATUS_SUCCESS, near.bind(LOCALHOST)?)?;
    let data = Buffer::of(client.bench(), &[b"with the ", b"first packet"])?;
    near.connect_ex(listener.local()?, Some(&data), 0)?.succeeds("WskConnectEx")?;
    expect(true, listener.accept()?.receives(b"with the first packet")?)
}

fn silent<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far: _far, listener: _listener } = Pair::new(client)?;
    let status = near.ioctl(SIO_WSK_SET_TCP_SILENT_MODE, &[])?;
    needs(status != STATUS_NOT_SUPPORTED, "no silent mode here")?;
    expect_at("SIO_WSK_SET_TCP_SILENT_MODE", STATUS_SUCCESS, status)?;
    expect_at("WskSend", STATUS_INVALID_DEVICE_STATE, near.send(b"not sent")?.status)?;
    let status = near.disconnect(WSK_FLAG_ABORTIVE)?;
    expect_at("WskDisconnect", STATUS_INVALID_DEVICE_STATE, status)?;
    expect_at("WskCloseSocket", STATUS_SUCCESS, near.close()?.status)
}
