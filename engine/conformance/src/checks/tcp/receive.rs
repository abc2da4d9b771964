//! WskReceive.

use skua_engine::Kernel;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_DISCONNECTED,
    STATUS_CONNECTION_RESET, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{SIO_WSK_QUERY_RECEIVE_BACKLOG, WSK_BUF, WSK_FLAG_ABORTIVE, WSK_FLAG_WAITALL};

use crate::client::Client;
use crate::client::buffer::Buffer;
use crate::client::tcp::Pair;
use crate::outcome::{Verdict, expect, expect_at};

/// What a connection that was reset ends with.
const RESET: &[NTSTATUS; 3] =
    &[STATUS_CONNECTION_RESET, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_DISCONNECTED];

checks! { Connection;
    pends: "a receive pends until data comes",
        "WskReceive, Return value: STATUS_PENDING";
    partial: "a receive ends with what has come",
        "WskReceive, Return value: IoStatus.Information";
    rest: "what does not fit a receive stays for the next",
        "WskReceive: a stream";
    chain: "a receive fills the parts of its chain in order",
        "WskReceive, Buffer; WSK_BUF";
    offset: "a receive may begin inside the first part of its chain",
        "WSK_BUF, Offset";
    in_order: "receives are queued: the first gets the first data",
        "WskReceive, Return value: STATUS_PENDING";
    end: "the end of the stream is a receive of no bytes",
        "WskReceive; WskDisconnectEvent: no further data";
    end_behind: "the end of the stream comes behind the data",
        "WskDisconnect, Remarks: all outstanding transmit data";
    aborted: "a receive that waits ends when the other end aborts",
        "WskDisconnect, Remarks: abortive";
    stays_broken: "a connection that the other end aborted stays broken",
        "WskDisconnectEvent, Remarks: no further data";
    cancelled: "a cancelled receive ends with CANCELLED and takes no data",
        "WskReceive; IoCancelIrp";
    cancelled_alone: "one receive is cancelled without the others",
        "WskReceive; IoCancelIrp";
    backlog: "the receive backlog is what has come and was not taken",
        "SIO_WSK_QUERY_RECEIVE_BACKLOG";
    at_dispatch: "a receive may be called at DISPATCH_LEVEL",
        "WskReceive, IRQL";
}

fn pends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[64], 0)?;
    expect_at("pending", true, receiving.request.stays_pending())?;
    pair.far.deliver(b"now")?;
    let done = receiving.wait()?.succeeds("WskReceive")?;
    expect_at("IoStatus.Information", 3_usize, done.information)?;
    expect_at("returned", STATUS_PENDING, done.returned)
}

fn partial<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.far.deliver(b"less than asked for")?;
    let received = pair.near.receive(200)?;
    expect(true, received.bytes()? == b"less than asked for")
}

fn rest<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.far.deliver(b"more than asked for")?;
    let received = pair.near.receive(4)?;
    expect_at("the first four bytes", true, received.bytes()? == b"more")?;
    expect_at("the rest", true, pair.near.receives(b" than asked for")?)
}

fn chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[3, 1, 7, 60], 0)?;
    pair.far.deliver(b"across four parts")?;
    let done = receiving.wait()?.succeeds("WskReceive")?;
    expect_at("IoStatus.Information", 17_usize, done.information)?;
    expect(true, receiving.bytes().starts_with(b"across four parts"))
}

fn offset<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let buffer = Buffer::of(client.bench(), &[b"----", b"----"])?;
    let header = WSK_BUF { Offset: 3, Length: 4, ..buffer.header() };
    let receiving = pair.near.start_receive_with(buffer, header, 0)?;
    pair.far.deliver(b"1234")?;
    receiving.wait()?.succeeds("WskReceive")?;
    expect(true, receiving.bytes() == b"---1234-")
}

fn in_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = [
        pair.near.start_receive(&[2], WSK_FLAG_WAITALL)?,
        pair.near.start_receive(&[2], WSK_FLAG_WAITALL)?,
        pair.near.start_receive(&[2], WSK_FLAG_WAITALL)?,
    ];
    pair.far.deliver(b"abcdef")?;
    for (receiving, expected) in receiving.iter().zip([b"ab", b"cd", b"ef"]) {
        receiving.wait()?.succeeds("WskReceive")?;
        expect_at("its two bytes", true, receiving.bytes() == expected)?;
    }
    let [first, _, last] = receiving;
    expect_at("completed in order", true, first.wait()?.order < last.wait()?.order)
}

fn end<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[8], 0)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let done = receiving.wait()?.succeeds("a receive that waited")?;
    expect_at("its IoStatus.Information", 0_usize, done.information)?;
    expect_at("the next, too", true, pair.near.is_at_end()?)
}

fn end_behind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.far.deliver(b"before the end")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    expect_at("the data", true, pair.near.receives(b"before the end")?)?;
    expect_at("the end", true, pair.near.is_at_end()?)
}

fn aborted<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[8], 0)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(WSK_FLAG_ABORTIVE)?)?;
    expect(RESET, receiving.wait()?.status)
}

fn stays_broken<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[8], 0)?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(WSK_FLAG_ABORTIVE)?)?;
    receiving.wait()?;
    expect_at("a receive", true, pair.near.is_over()?)?;
    expect_at("a send, a success", false, pair.near.send(b"nobody")?.status.is_success())
}

fn cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[8], 0)?;
    receiving.request.cancel();
    let done = receiving.wait()?;
    expect_at("the receive", STATUS_CANCELLED, done.status)?;
    pair.far.deliver(b"kept")?;
    expect_at("the data", true, pair.near.receives(b"kept")?)
}

fn cancelled_alone<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = [
        pair.near.start_receive(&[2], WSK_FLAG_WAITALL)?,
        pair.near.start_receive(&[2], WSK_FLAG_WAITALL)?,
        pair.near.start_receive(&[2], WSK_FLAG_WAITALL)?,
    ];
    receiving[1].request.cancel();
    expect_at("the cancelled one", STATUS_CANCELLED, receiving[1].wait()?.status)?;
    pair.far.deliver(b"abcd")?;
    receiving[0].wait()?.succeeds("WskReceive")?;
    receiving[2].wait()?.succeeds("WskReceive")?;
    expect_at("the one before", true, receiving[0].bytes() == b"ab")?;
    expect_at("the one behind", true, receiving[2].bytes() == b"cd")
}

fn backlog<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let backlog = || pair.near.size(SIO_WSK_QUERY_RECEIVE_BACKLOG);
    let (status, empty) = backlog()?;
    expect_at("SIO_WSK_QUERY_RECEIVE_BACKLOG", STATUS_SUCCESS, status)?;
    expect_at("nothing has come", 0_usize, empty)?;
    pair.far.deliver(b"12345")?;
    // Once a part is there, so is the rest.
    expect_at("two bytes", true, pair.near.receives(b"12")?)?;
    expect(3_usize, backlog()?.1)
}

fn at_dispatch<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    pair.near.raise();
    let receiving = pair.near.start_receive(&[8], 0)?;
    pair.far.deliver(b"raised")?;
    expect(6_usize, receiving.wait()?.succeeds("WskReceive")?.information)
}
