//! WSK_FLAG_WAITALL and WSK_FLAG_DRAIN.

use skua_engine::Kernel;
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_FLAG_ABORTIVE, WSK_FLAG_DRAIN, WSK_FLAG_WAITALL};

use crate::client::Client;
use crate::client::tcp::Pair;
use crate::outcome::{Verdict, expect, expect_at};

checks! { Connection;
    waitall: "a receive with WAITALL waits until its buffer is full",
        "WskReceive, Flags: WSK_FLAG_WAITALL";
    waitall_end: "a receive with WAITALL ends with the stream",
        "WskReceive, Flags: WSK_FLAG_WAITALL, gracefully disconnected";
    waitall_abort: "a receive with WAITALL ends when the connection is aborted",
        "WskReceive, Flags: WSK_FLAG_WAITALL, abortively disconnected";
    drain: "a receive with DRAIN ends with the stream and throws away what came before",
        "WskReceive, Flags: WSK_FLAG_DRAIN";
    drain_buffer: "a receive with DRAIN takes no buffer",
        "WskReceive, Flags: WSK_FLAG_DRAIN, must be zero";
    drain_cancelled: "a receive with DRAIN is cancelled with CANCELLED",
        "WskReceive, Flags: WSK_FLAG_DRAIN, canceled";
    both: "WAITALL and DRAIN exclude each other",
        "WskReceive, Flags: mutually exclusive";
    flags: "a receive refuses flags that the transport does not know",
        "WskReceive, Return value: STATUS_NOT_SUPPORTED";
}

fn waitall<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[4, 6], WSK_FLAG_WAITALL)?;
    pair.far.deliver(b"not yet")?;
    expect_at("pending", true, receiving.request.stays_pending())?;
    pair.far.deliver(b"but now")?;
    let done = receiving.wait()?.succeeds("WskReceive")?;
    expect_at("IoStatus.Information", 10_usize, done.information)?;
    expect_at("the bytes", true, receiving.bytes() == b"not yetbut")?;
    expect_at("the rest", true, pair.near.receives(b" now")?)
}

fn waitall_end<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[10], WSK_FLAG_WAITALL)?;
    pair.far.deliver(b"half")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let done = receiving.wait()?.succeeds("WskReceive")?;
    expect_at("IoStatus.Information", 4_usize, done.information)?;
    expect(true, receiving.bytes().starts_with(b"half"))
}

fn waitall_abort<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[10], WSK_FLAG_WAITALL)?;
    pair.far.deliver(b"half")?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(WSK_FLAG_ABORTIVE)?)?;
    let done = receiving.wait()?;
    expect_at("a whole buffer", false, done.status == STATUS_SUCCESS && done.information == 10)
}

fn drain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let draining = pair.near.start_empty_receive(WSK_FLAG_DRAIN)?;
    pair.far.deliver(b"thrown away")?;
    expect_at("pending", true, draining.request.stays_pending())?;
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    let done = draining.wait()?.succeeds("WskReceive")?;
    expect_at("IoStatus.Information", 0_usize, done.information)?;
    expect_at("nothing is left", true, pair.near.is_at_end()?)
}

fn drain_buffer<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let draining = pair.near.start_receive(&[8], WSK_FLAG_DRAIN)?;
    if !draining.request.ends() {
        return expect_at("pending", false, true);
    }
    expect(STATUS_INVALID_PARAMETER, draining.wait()?.status)
}

fn drain_cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let draining = pair.near.start_empty_receive(WSK_FLAG_DRAIN)?;
    draining.request.cancel();
    expect_at("the receive", STATUS_CANCELLED, draining.wait()?.status)?;
    pair.far.deliver(b"kept")?;
    expect(true, pair.near.receives(b"kept")?)
}

fn both<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_empty_receive(WSK_FLAG_DRAIN | WSK_FLAG_WAITALL)?;
    if !receiving.request.ends() {
        return expect_at("pending", false, true);
    }
    expect(STATUS_INVALID_PARAMETER, receiving.wait()?.status)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    let receiving = pair.near.start_receive(&[8], 0x100)?;
    if !receiving.request.ends() {
        return expect_at("pending", false, true);
    }
    expect(STATUS_NOT_SUPPORTED, receiving.wait()?.status)
}
