//! WskDisconnect.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_FLAG_ABORTIVE, WSK_FLAG_WAITALL};

use crate::client::Client;
use crate::client::buffer::Buffer;
use crate::client::request::Request;
use crate::client::tcp::{Flood, Pair, STRIDE};
use crate::outcome::{Verdict, expect, expect_at};

checks! { Connection;
    graceful: "a graceful disconnect ends the stream behind what was sent",
        "WskDisconnect, Remarks: graceful";
    half_open: "after a graceful disconnect the other direction goes on",
        "WskDisconnect, Remarks: can still receive";
    with_data: "a disconnect with data sends it before the end",
        "WskDisconnect, Buffer";
    with_chain: "the data of a disconnect may be a chain",
        "WskDisconnect, Buffer; WSK_BUF";
    behind_sends: "a graceful disconnect waits for sends that wait",
        "WskDisconnect, Remarks: all outstanding transmit data";
    abortive_with_data: "an abortive disconnect takes no data",
        "WskDisconnect, Buffer: must be NULL";
    flags: "a disconnect refuses other flags",
        "WskDisconnect, Flags";
    abortive: "an abortive disconnect ends the connection for the other end",
        "WskDisconnect, Remarks: abortive";
    abortive_receive: "an abortive disconnect ends a receive that waits",
        "WskReceive, Flags: abortively disconnected by the application";
    abortive_over: "after an abortive disconnect nothing is received",
        "WskDisconnect, Remarks: nor receive any additional data";
    abortive_sends: "an abortive disconnect ends sends that wait",
        "WskDisconnect, Remarks: cancels all pending transmit operations";
    abortive_after_graceful: "an abortive disconnect follows a graceful one that waits, and ends it",
        "WskDisconnect, Remarks: calling the function again";
    cancelled: "a disconnect that waits is cancelled with CANCELLED",
        "WskDisconnect; IoCancelIrp";
    both: "both ends may disconnect gracefully",
        "WskDisconnect, Remarks: graceful";
    at_dispatch: "a disconnect may be called at DISPATCH_LEVEL",
        "WskDisconnect, IRQL";
}

fn graceful<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.deliver(b"the end")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(0)?)?;
    expect_at("the data", true, pair.far.receives(b"the end")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)
}

fn half_open<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(0)?)?;
    expect_at("the end", true, pair.far.is_at_end()?)?;
    pair.far.deliver(b"an answer")?;
    expect(true, pair.near.receives(b"an answer")?)
}

fn with_data<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.deliver(b"first, ")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect_with(b"last", 0)?)?;
    expect_at("the data", true, pair.far.receives(b"first, last")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)
}

fn with_chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"l", b"as", b"t words"])?;
    let request = Request::new(client.bench())?;
    let _returned = pair.near.start_disconnect(&request, Some(buffer.header()), 0);
    request.wait("WskDisconnect")?.succeeds("WskDisconnect")?;
    expect_at("the data", true, pair.far.receives(b"last words")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)
}

fn behind_sends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let flood = Flood::of(&pair.near)?;
    let (request, last) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"last"])?);
    let _returned = pair.near.start_disconnect(&request, Some(last.header()), 0);
    expect_at("pending", true, request.stays_pending())?;
    let (count, sum) = pair.far.drink(flood.bytes(), STRIDE)?;
    expect_at("bytes that arrive", flood.bytes(), count)?;
    expect_at("the same bytes", true, sum == flood.digest())?;
    expect_at("the last", true, pair.far.receives(b"last")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)?;
    flood.ends_whole()?;
    let done = request.wait("WskDisconnect")?.succeeds("WskDisconnect")?;
    expect_at("returned", STATUS_PENDING, done.returned)
}

fn abortive_with_data<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at(
        "WskDisconnect",
        STATUS_INVALID_PARAMETER,
        pair.near.disconnect_with(b"no", WSK_FLAG_ABORTIVE)?,
    )?;
    pair.near.deliver(b"still here")?;
    expect_at("the connection goes on", true, pair.far.receives(b"still here")?)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("a success", false, pair.near.disconnect(0x100)?.is_success())?;
    pair.near.deliver(b"still here")?;
    expect_at("the connection goes on", true, pair.far.receives(b"still here")?)
}

fn abortive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.far.start_receive(&[8], WSK_FLAG_WAITALL)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    let done = receiving.wait()?;
    expect_at("bytes", 0_usize, done.information)?;
    expect_at("the connection is over", true, pair.far.is_over()?)
}

fn abortive_receive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[8], 0)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    expect_at("a success", false, receiving.wait()?.status.is_success())
}

fn abortive_over<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.far.deliver(b"too late")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    expect_at("a success", false, pair.near.receive(8)?.done.status.is_success())
}

fn abortive_sends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let flood = Flood::of(&pair.near)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    expect_at("a success", false, flood.request.wait("a WskSend that waited")?.status.is_success())
}

fn abortive_after_graceful<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let _flood = Flood::of(&pair.near)?;
    let request = Request::new(client.bench())?;
    let _returned = pair.near.start_disconnect(&request, None, 0);
    expect_at("the graceful one, pending", true, request.stays_pending())?;
    expect_at("the abortive one", STATUS_SUCCESS, pair.near.disconnect(WSK_FLAG_ABORTIVE)?)?;
    let graceful = request.wait("a WskDisconnect that waited")?;
    expect_at("the graceful one, a success", false, graceful.status.is_success())
}

fn cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let _flood = Flood::of(&pair.near)?;
    let request = Request::new(client.bench())?;
    let _returned = pair.near.start_disconnect(&request, None, 0);
    expect_at("pending", true, request.stays_pending())?;
    request.cancel();
    expect(STATUS_CANCELLED, request.wait("a WskDisconnect that was cancelled")?.status)
}

fn both<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect_at("one end", STATUS_SUCCESS, pair.near.disconnect(0)?)?;
    expect_at("the other one", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    expect_at("the end, there", true, pair.far.is_at_end()?)?;
    expect_at("the end, here", true, pair.near.is_at_end()?)
}

fn at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let request = Request::new(client.bench())?;
    pair.near.raise();
    let _returned = pair.near.start_disconnect(&request, None, 0);
    request.wait("WskDisconnect")?.succeeds("WskDisconnect")?;
    expect_at("the end", true, pair.far.is_at_end()?)
}
