//! What a client must not do with a connection, each of which a verifier finds.

use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
use skua_engine::abi::wsk::{WSK_BUF, WSK_EVENT_ACCEPT, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE};

use crate::check::{Category, Check, Group};
use crate::client::buffer::Buffer;
use crate::client::memory::Owned;
use crate::client::request::Request;
use crate::client::tcp::{Keep, Kind, Pair, StreamSocket};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

pub(in crate::checks) const fn group<K: Kernel>() -> Group<K> {
    Group {
        category: Category::Misuse,
        checks: &const {
            [
                Check::misuse(
                    "what is sent on a connection is as long as its chain",
                    "WskSend, Buffer; WSK_BUF, Length",
                    "buffer-ill-formed",
                    send_too_long,
                ),
                Check::misuse(
                    "what is sent on a connection begins in its first MDL",
                    "WskSend, Buffer; WSK_BUF, Offset",
                    "buffer-ill-formed",
                    send_behind,
                ),
                Check::misuse(
                    "what is sent on a connection has an MDL",
                    "WskSend, Buffer; WSK_BUF, Mdl",
                    "buffer-ill-formed",
                    send_without_mdl,
                ),
                Check::misuse(
                    "what a connection receives into is as long as its chain",
                    "WskReceive, Buffer; WSK_BUF, Length",
                    "buffer-ill-formed",
                    receive_too_long,
                ),
                Check::misuse(
                    "the last data of a connection is as long as its chain",
                    "WskDisconnect, Buffer; WSK_BUF, Length",
                    "buffer-ill-formed",
                    disconnect_too_long,
                ),
                Check::misuse(
                    "data of a connection is released once",
                    "WskRelease, DataIndication",
                    "indication-released-twice",
                    released_twice,
                ),
                Check::misuse(
                    "data that was never lent by a connection is not released",
                    "WskRelease, DataIndication",
                    "indication-not-lent",
                    never_lent,
                ),
                Check::misuse(
                    "data of a connection is released before the close",
                    "WskCloseSocket, Remarks; facts 8",
                    "socket-closed-with-indications",
                    kept_over_close,
                ),
                Check::misuse(
                    "the receive event of a connection answers one of three statuses",
                    "WskReceiveEvent, Return value",
                    "callback-status",
                    receive_answer,
                ),
                Check::misuse(
                    "the accept event answers one of two statuses",
                    "WskAcceptEvent, Return value",
                    "callback-status",
                    accept_answer,
                ),
                Check::misuse(
                    "the disconnect event answers SUCCESS",
                    "WskDisconnectEvent, Return value: must always return",
                    "callback-status",
                    disconnect_answer,
                ),
            ]
        },
    }
}

/// How a send of a buffer ends whose header is changed before.
fn send<K: Kernel>(client: &Client<'_, K>, change: impl FnOnce(&mut WSK_BUF)) -> Result<NTSTATUS, Outcome> {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"head", b"tail"])?;
    let mut header = buffer.header();
    change(&mut header);
    Ok(pair.near.send_header(header, 0)?.status)
}

fn send_too_long<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, send(client, |header| header.Length = 9)?)
}

fn send_behind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let behind = |header: &mut WSK_BUF| {
        header.Offset = 5;
        header.Length = 1;
    };
    expect(Value::Failure, send(client, behind)?)
}

fn send_without_mdl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, send(client, |header| header.Mdl = ptr::null_mut())?)
}

fn receive_too_long<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::room(client.bench(), &[4, 4])?;
    let header = WSK_BUF { Length: 9, ..buffer.header() };
    expect(Value::Failure, pair.near.start_receive_with(buffer, header, 0)?.wait()?.status)
}

fn disconnect_too_long<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let (request, data) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"last"])?);
    let header = WSK_BUF { Length: 5, ..data.header() };
    let _returned = pair.near.start_disconnect(&request, Some(header), 0);
    expect(Value::Failure, request.wait("WskDisconnect")?.status)
}

/// A pair whose near end has retained one list.
fn retaining<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<Pair<'c, K>, Outcome> {
    let pair = Pair::new(client)?;
    pair.near.event.keep(Keep::List);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"x")?;
    pair.near.event.wait_for_returns(1)?;
    Ok(pair)
}

fn released_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = retaining(client)?;
    let list = pair.near.event.take_retained(0);
    expect_at("the first release", STATUS_SUCCESS, pair.near.release(list))?;
    expect(Value::Failure, pair.near.release(list))
}

fn never_lent<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let own = Owned::<u64, K>::run(client.bench(), 4)?;
    expect(Value::Failure, pair.near.release(own.as_ptr().cast()))
}

fn kept_over_close<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far: _far, listener: _listener } = retaining(client)?;
    // Forgotten.
    let _list = near.event.take_retained(0);
    expect(STATUS_SUCCESS, near.close()?.status)
}

fn receive_answer<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.event.answer(STATUS_UNSUCCESSFUL);
    let pair = pair.with_events(WSK_EVENT_RECEIVE)?;
    pair.far.deliver(b"what of it")?;
    pair.near.event.wait_for_returns(1)?;
    expect("came back", "came back")
}

fn accept_answer<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    listener.event.answer(STATUS_UNSUCCESSFUL);
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))?;
    let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
    // Whether it is still there when the connect is over, nobody knows.
    let _status = near.connect(listener.local()?)?;
    listener.event.wait_for_refusals(1)?;
    expect("came back", "came back")
}

fn disconnect_answer<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.event.answer(STATUS_UNSUCCESSFUL);
    let pair = pair.with_events(WSK_EVENT_DISCONNECT)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    pair.near.event.wait_for_returns(1)?;
    expect("came back", "came back")
}
