//! WskConnectEx.

use skua_engine::Kernel;
use skua_engine::abi::status::{
    STATUS_BUFFER_OVERFLOW, STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};

use crate::client::buffer::{Buffer, digest};
use crate::client::tcp::{Kind, StreamSocket};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

/// The most that WskConnectEx takes to send.
const MOST: usize = 65_535;

checks! { Connection;
    without_data: "WskConnectEx connects without data",
        "WskConnectEx, Buffer: optional";
    data_first: "WskConnectEx sends its data first",
        "WskConnectEx, Buffer";
    chain: "WskConnectEx sends the parts of a chain in order",
        "WskConnectEx, Buffer; WSK_BUF";
    most: "WskConnectEx sends as much as 65535 bytes",
        "WskConnectEx, Buffer: the maximum allowed size";
    too_much: "WskConnectEx refuses more than 65535 bytes with BUFFER_OVERFLOW",
        "WskConnectEx, Return value: STATUS_BUFFER_OVERFLOW";
    flags: "WskConnectEx refuses flags",
        "WskConnectEx, Return value: STATUS_INVALID_PARAMETER";
    unbound: "WskConnectEx needs a socket that is bound",
        "WskConnectEx, Remarks: previously bound";
    refused: "WskConnectEx to where nobody listens is refused",
        "WskConnectEx, Return value: other status codes";
}

/// A socket that is bound, and one that listens.
fn ends<'c, K: Kernel>(
    client: &'c Client<'_, K>,
) -> Result<(StreamSocket<'c, K>, StreamSocket<'c, K>), Outcome> {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    Ok((StreamSocket::bound(client, Kind::Connection, LOCALHOST)?, listener))
}

fn without_data<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (near, listener) = ends(client)?;
    near.connect_ex(listener.local()?, None, 0)?.succeeds("WskConnectEx")?;
    let far = listener.accept()?;
    near.deliver(b"afterwards")?;
    expect(true, far.receives(b"afterwards")?)
}

fn data_first<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (near, listener) = ends(client)?;
    let data = Buffer::of(client.bench(), &[b"first, "])?;
    near.connect_ex(listener.local()?, Some(&data), 0)?.succeeds("WskConnectEx")?;
    near.deliver(b"then this")?;
    expect(true, listener.accept()?.receives(b"first, then this")?)
}

fn chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (near, listener) = ends(client)?;
    let data = Buffer::of(client.bench(), &[b"o", b"ne, tw", b"o", b" and three"])?;
    near.connect_ex(listener.local()?, Some(&data), 0)?.succeeds("WskConnectEx")?;
    expect(true, listener.accept()?.receives(b"one, two and three")?)
}

fn most<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (near, listener) = ends(client)?;
    // Accepted meanwhile, for a provider that waits until the other end has everything.
    let accepting = listener.start_accept()?;
    let data = Buffer::patterned(client.bench(), 5, MOST)?;
    near.connect_ex(listener.local()?, Some(&data), 0)?.succeeds("WskConnectEx")?;
    let (count, sum) = accepting.socket()?.drink(MOST, 1)?;
    expect_at("bytes", MOST, count)?;
    expect_at("the same bytes", true, sum == digest(data.bytes().iter().copied()))
}

fn too_much<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (near, listener) = ends(client)?;
    let data = Buffer::patterned(client.bench(), 6, MOST + 1)?;
    expect(STATUS_BUFFER_OVERFLOW, near.connect_ex(listener.local()?, Some(&data), 0)?.status)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (near, listener) = ends(client)?;
    expect(STATUS_INVALID_PARAMETER, near.connect_ex(listener.local()?, None, 1)?.status)
}

fn unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (_near, listener) = ends(client)?;
    let unbound = StreamSocket::open(client, Kind::Connection, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, unbound.connect_ex(listener.local()?, None, 0)?.status)
}

fn refused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // Bound, so that nobody else has the port, and not listening.
    let nobody = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    let (near, _listener) = ends(client)?;
    let data = Buffer::of(client.bench(), &[b"for nobody"])?;
    let done = near.connect_ex(nobody.local()?, Some(&data), 0)?;
    expect_at("a success", false, done.status == STATUS_SUCCESS)?;
    expect(STATUS_CONNECTION_REFUSED, done.status)
}
