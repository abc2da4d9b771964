//! Data that the receive event keeps, and WskRelease.

use skua_engine::Kernel;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE;

use crate::client::Client;
use crate::client::buffer::digest;
use crate::client::tcp::{Keep, Pair};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Connection;
    bytes: "data that is retained keeps its bytes until it is released",
        "WskReceiveEvent, Return value: STATUS_PENDING";
    goes_on: "the receive event is called for new data while it retains",
        "WskReceiveEvent, Return value: STATUS_PENDING";
    any_order: "lists of data are released in any order",
        "WskRelease, Remarks";
    inside: "data may be released inside the receive event that returns PENDING",
        "facts 5, WskRelease";
    once: "data that is released does not come again",
        "WskRelease; WskReceiveEvent: the data was accepted";
}

/// A pair whose near end does so with data.
fn keeping<'c, K: Kernel>(client: &'c Client<'_, K>, keep: Keep) -> Result<Pair<'c, K>, Outcome> {
    let pair = Pair::new(client)?;
    pair.near.event.keep(keep);
    pair.with_events(WSK_EVENT_RECEIVE)
}

fn bytes<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = keeping(client, Keep::List)?;
    pair.far.deliver(b"kept as it is")?;
    pair.near.event.wait_for_bytes(13)?;
    pair.near.event.keep(Keep::Nothing);
    pair.far.deliver(b"something else")?;
    pair.near.event.wait_for_bytes(27)?;
    // In one list or several.
    let mut kept = [core::ptr::null_mut(); 16];
    let mut sum = digest([]);
    for (index, place) in kept.iter_mut().enumerate() {
        *place = pair.near.event.take_retained(index);
        if !place.is_null() {
            sum = pair.near.event.read_on(*place, sum);
        }
    }
    for list in kept.into_iter().filter(|list| !list.is_null()) {
        expect_at("WskRelease", STATUS_SUCCESS, pair.near.release(list))?;
    }
    expect_at("the same bytes", true, sum == digest(*b"kept as it is"))
}

fn goes_on<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = keeping(client, Keep::List)?;
    pair.far.deliver(b"one")?;
    pair.near.event.wait_for_bytes(3)?;
    pair.far.deliver(b" two")?;
    expect(true, pair.near.event.received(b"one two")?)
}

fn any_order<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = keeping(client, Keep::List)?;
    for count in 1..=3 {
        pair.far.deliver(b"x")?;
        pair.near.event.wait_for_bytes(count)?;
    }
    for index in [1, 2, 0] {
        let list = pair.near.event.take_retained(index);
        expect_at("a list", false, list.is_null())?;
        expect_at("WskRelease", STATUS_SUCCESS, pair.near.release(list))?;
    }
    let Pair { near, .. } = pair;
    expect_at("WskCloseSocket", STATUS_SUCCESS, near.close()?.status)
}

fn inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = keeping(client, Keep::ReleaseInside)?;
    pair.far.deliver(b"back")?;
    pair.near.event.wait_for_bytes(4)?;
    pair.far.deliver(b" already")?;
    expect_at("the bytes", true, pair.near.event.received(b"back already")?)?;
    let Pair { near, .. } = pair;
    expect_at("WskCloseSocket", STATUS_SUCCESS, near.close()?.status)
}

fn once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = keeping(client, Keep::List)?;
    pair.far.deliver(b"once")?;
    pair.near.event.wait_for_bytes(4)?;
    for list in pair.near.event.take_all_retained() {
        expect_at("WskRelease", STATUS_SUCCESS, pair.near.release(list))?;
    }
    expect_at("no call", true, pair.near.event.is_quiet())?;
    expect_at("bytes", 4_usize, pair.near.event.taken())
}
