//! WskSend.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, WSK_BUF, WSK_FLAG_ABORTIVE, WSK_FLAG_NODELAY};

use crate::client::Client;
use crate::client::buffer::{Buffer, digest};
use crate::client::request::Request;
use crate::client::tcp::{Flood, Pair, STRIDE};
use crate::outcome::{Verdict, expect, expect_at};

checks! { Connection;
    information: "a send on a connection completes with the bytes that were sent",
        "WskSend, Return value: IoStatus.Information";
    nodelay: "a send with NODELAY is sent as any other",
        "WskSend, Flags: WSK_FLAG_NODELAY";
    flags: "a send refuses flags that the transport does not know",
        "WskSend, Return value: STATUS_NOT_SUPPORTED";
    chain: "the parts of a chain are sent in order, wherever it is split",
        "WskSend, Buffer; WSK_BUF";
    window: "a send may begin and end inside the parts of its chain",
        "WSK_BUF, Offset and Length";
    nothing: "a send of nothing sends nothing",
        "WSK_BUF, Length: 0";
    much: "much data arrives as it was sent",
        "WskSend; WskReceive";
    in_order: "sends arrive in the order of their calls",
        "WskSend: a stream";
    waits: "a send completes when all of its data has been sent",
        "WskSend, Remarks: does not perform any buffering";
    behind: "a send behind one that waits is sent behind it",
        "WskSend, Return value: STATUS_PENDING";
    cancelled: "a send that waits is cancelled with CANCELLED",
        "WskSend; IoCancelIrp";
    cancelled_behind: "a send that is cancelled before its turn is not sent",
        "WskSend; IoCancelIrp";
    after_disconnect: "a send after a graceful disconnect is refused",
        "WskDisconnect, Remarks: cannot send any additional data";
    after_abort: "a send after an abortive disconnect is refused",
        "WskDisconnect, Remarks: cannot send any additional data";
    ideal_backlog: "the ideal send backlog is asked for",
        "SIO_WSK_QUERY_IDEAL_SEND_BACKLOG";
    at_dispatch: "a send may be called at DISPATCH_LEVEL",
        "WskSend, IRQL";
}

fn information<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let done = pair.near.send(&[7; 100])?.succeeds("WskSend")?;
    expect_at("IoStatus.Information", 100_usize, done.information)
}

fn nodelay<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"now"])?;
    pair.near.send_header(buffer.header(), WSK_FLAG_NODELAY)?.succeeds("WskSend")?;
    expect(true, pair.far.receives(b"now")?)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"flags"])?;
    expect(STATUS_NOT_SUPPORTED, pair.near.send_header(buffer.header(), 0x100)?.status)
}

fn chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let parts: [&[u8]; 6] = [b"o", b"ne st", b"re", b"a", b"m of s", b"ix"];
    let buffer = Buffer::of(client.bench(), &parts)?;
    let done = pair.near.send_header(buffer.header(), 0)?.succeeds("WskSend")?;
    expect_at("IoStatus.Information", 17_usize, done.information)?;
    expect(true, pair.far.receives(b"one stream of six")?)
}

fn window<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"head", b"middle", b"tail"])?;
    let header = WSK_BUF { Offset: 3, Length: 8, ..buffer.header() };
    let done = pair.near.send_header(header, 0)?.succeeds("WskSend")?;
    expect_at("IoStatus.Information", 8_usize, done.information)?;
    pair.near.deliver(b".")?;
    expect(true, pair.far.receives(b"dmiddlet.")?)
}

fn nothing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"not this"])?;
    let empty = WSK_BUF { Length: 0, ..buffer.header() };
    let done = pair.near.send_header(empty, 0)?.succeeds("WskSend")?;
    expect_at("IoStatus.Information", 0_usize, done.information)?;
    pair.near.deliver(b"this")?;
    expect(true, pair.far.receives(b"this")?)
}

fn much<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    const BYTES: usize = 700_001;
    let pair = Pair::new(client)?;
    let buffer = Buffer::patterned(client.bench(), 4, BYTES)?;
    let request = Request::new(client.bench())?;
    let _returned = pair.near.start_send(&request, buffer.header(), 0);
    let (count, sum) = pair.far.drink(BYTES, 1)?;
    let done = request.wait("WskSend")?.succeeds("WskSend")?;
    expect_at("IoStatus.Information", BYTES, done.information)?;
    expect_at("bytes that arrive", BYTES, count)?;
    expect_at("the same bytes", true, sum == digest(buffer.bytes().iter().copied()))
}

fn in_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffers = [
        Buffer::of(client.bench(), &[b"one "])?,
        Buffer::of(client.bench(), &[b"two "])?,
        Buffer::of(client.bench(), &[b"three"])?,
    ];
    let requests =
        [Request::new(client.bench())?, Request::new(client.bench())?, Request::new(client.bench())?];
    for (request, buffer) in requests.iter().zip(&buffers) {
        let _returned = pair.near.start_send(request, buffer.header(), 0);
    }
    for request in &requests {
        request.wait("WskSend")?.succeeds("WskSend")?;
    }
    expect(true, pair.far.receives(b"one two three")?)
}

fn waits<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let flood = Flood::of(&pair.near)?;
    let (count, sum) = pair.far.drink(flood.bytes(), STRIDE)?;
    flood.ends_whole()?;
    expect_at("bytes that arrive", flood.bytes(), count)?;
    expect_at("the same bytes", true, sum == flood.digest())
}

fn behind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let flood = Flood::of(&pair.near)?;
    let (request, last) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"the last"])?);
    let _returned = pair.near.start_send(&request, last.header(), 0);
    let (count, sum) = pair.far.drink(flood.bytes(), STRIDE)?;
    expect_at("bytes that arrive", flood.bytes(), count)?;
    expect_at("the same bytes", true, sum == flood.digest())?;
    expect_at("the last", true, pair.far.receives(b"the last")?)?;
    flood.ends_whole()?;
    request.wait("WskSend")?.succeeds("WskSend")?;
    expect(8_usize, request.wait("WskSend")?.information)
}

fn cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let flood = Flood::of(&pair.near)?;
    flood.request.cancel();
    expect(STATUS_CANCELLED, flood.request.wait("a WskSend that was cancelled")?.status)
}

fn cancelled_behind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let flood = Flood::of(&pair.near)?;
    let buffers = [Buffer::of(client.bench(), &[b"lost"])?, Buffer::of(client.bench(), &[b"sent"])?];
    let requests = [Request::new(client.bench())?, Request::new(client.bench())?];
    for (request, buffer) in requests.iter().zip(&buffers) {
        let _returned = pair.near.start_send(request, buffer.header(), 0);
    }
    requests[0].cancel();
    let lost = requests[0].wait("a WskSend that was cancelled")?;
    expect_at("the cancelled send", STATUS_CANCELLED, lost.status)?;
    let (count, _) = pair.far.drink(flood.bytes(), STRIDE)?;
    expect_at("bytes that arrive", flood.bytes(), count)?;
    expect_at("what follows", true, pair.far.receives(b"sent")?)?;
    expect(STATUS_SUCCESS, requests[1].wait("WskSend")?.status)
}

fn after_disconnect<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(0)?)?;
    expect_at("a success", false, pair.near.send(b"too late")?.status.is_success())?;
    expect_at("the other end sees the end", true, pair.far.is_at_end()?)
}

fn after_abort<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    expect_at("a success", false, pair.near.send(b"too late")?.status.is_success())
}

fn ideal_backlog<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let (status, size) = pair.near.size(SIO_WSK_QUERY_IDEAL_SEND_BACKLOG)?;
    expect_at("SIO_WSK_QUERY_IDEAL_SEND_BACKLOG", STATUS_SUCCESS, status)?;
    expect_at("bytes", true, size > 0)
}

fn at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let (request, buffer) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"raised"])?);
    pair.near.raise();
    let _returned = pair.near.start_send(&request, buffer.header(), 0);
    request.wait("WskSend")?.succeeds("WskSend")?;
    expect(true, pair.far.receives(b"raised")?)
}
