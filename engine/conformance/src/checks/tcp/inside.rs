//! Requests that events start.

// UNSAFETY: a hook calls the functions of a socket's table.
#![expect(unsafe_code, reason = "what a hook needs is reached by address")]

use core::ffi::c_void;
use core::sync::atomic::Ordering;

use skua_engine::Kernel;
use skua_engine::abi::nt::IRP;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_PROVIDER_CONNECTION_DISPATCH, WSK_SOCKET,
};

use crate::client::Client;
use crate::client::buffer::Buffer;
use crate::client::handle::{close, table_of};
use crate::client::memory::{Owned, Zeroed};
use crate::client::request::Request;
use crate::client::tcp::{Pair, StreamRecord};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Connection;
    sends: "the receive event may send",
        "WskReceiveEvent, Remarks: can initiate other requests";
    disconnects: "the receive event may disconnect",
        "WskReceiveEvent, Remarks: can initiate other requests";
    disconnects_back: "the disconnect event may disconnect the other direction",
        "WskDisconnectEvent, Remarks: can initiate other requests";
    closes: "the disconnect event may close its socket",
        "WskDisconnectEvent, Remarks: can initiate other requests";
}

/// What a hook starts.
struct Order {
    irp: *mut IRP,
    header: WSK_BUF,
}

// SAFETY: zeroes are a value of both fields.
unsafe impl Zeroed for Order {}

/// An order to be given to a hook, with a packet that is out from now on.
fn order<'c, K: Kernel>(
    client: &Client<'c, K>,
    request: &Request<'c, K>,
    data: &Buffer<'c, K>,
) -> Result<Owned<'c, Order, K>, Outcome> {
    let order = Owned::<Order, K>::new(client.bench())?;
    // SAFETY: nobody else has it yet.
    unsafe { order.as_ptr().write(Order { irp: request.lend(), header: data.header() }) };
    Ok(order)
}

fn send<K: Kernel>(record: &StreamRecord<K>, order: *mut c_void) {
    // SAFETY: an order, which outlives the request.
    let order = unsafe { &mut *order.cast::<Order>() };
    // SAFETY: a connection, which lives while its event runs.
    let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(record.socket()) };
    // SAFETY: a live socket; the data outlives the request.
    let send = |call: Call| unsafe { call(record.socket(), &raw mut order.header, 0, order.irp) };
    let status = table.WskSend.map_or(STATUS_INVALID_HANDLE, send);
    record.note.store(status.to_bits(), Ordering::Release);
}

/// The function of WskSend and of WskDisconnect.
type Call = unsafe extern "C" fn(*mut WSK_SOCKET, *mut WSK_BUF, u32, *mut IRP) -> NTSTATUS;

fn disconnect<K: Kernel>(record: &StreamRecord<K>, order: *mut c_void) {
    // SAFETY: an order, which outlives the request.
    let order = unsafe { &mut *order.cast::<Order>() };
    // SAFETY: a connection, which lives while its event runs.
    let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(record.socket()) };
    // SAFETY: a live socket.
    let end = |call: Call| unsafe { call(record.socket(), &raw mut order.header, 0, order.irp) };
    let status = table.WskDisconnect.map_or(STATUS_INVALID_HANDLE, end);
    record.note.store(status.to_bits(), Ordering::Release);
}

fn sends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_RECEIVE)?;
    let (request, data) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"an answer"])?);
    let order = order(client, &request, &data)?;
    pair.near.event.inside(send::<K>, order.as_ptr().cast());
    pair.far.deliver(b"a question")?;
    expect_at("the answer", true, pair.far.receives(b"an answer")?)?;
    let done = request.wait("WskSend inside the receive event")?.succeeds("WskSend")?;
    expect_at("IoStatus.Information", 9_usize, done.information)
}

fn disconnects<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_RECEIVE)?;
    let (request, data) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"enough"])?);
    let order = order(client, &request, &data)?;
    pair.near.event.inside(disconnect::<K>, order.as_ptr().cast());
    pair.far.deliver(b"a question")?;
    expect_at("the last data", true, pair.far.receives(b"enough")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)?;
    request.wait("WskDisconnect inside the receive event")?.succeeds("WskDisconnect")?;
    expect_at("the question", true, pair.near.event.received(b"a question")?)
}

fn disconnects_back<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    let (request, data) = (Request::new(client.bench())?, Buffer::of(client.bench(), &[b"you too"])?);
    let order = order(client, &request, &data)?;
    pair.near.event.inside(disconnect::<K>, order.as_ptr().cast());
    expect_at("WskDisconnect", STATUS_SUCCESS, pair.far.disconnect(0)?)?;
    expect_at("the last data", true, pair.far.receives(b"you too")?)?;
    expect_at("the end", true, pair.far.is_at_end()?)?;
    request.wait("WskDisconnect inside the disconnect event")?.succeeds("WskDisconnect")?;
    expect(1_usize, pair.near.event.disconnects())
}

fn closes<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let Pair { near, far, listener: _listener } = Pair::new(client)?.with_events(WSK_EVENT_DISCONNECT)?;
    let request = Request::new(client.bench())?;
    near.event.inside(
        |record, irp| {
            let status = close(record.socket(), irp.cast());
            record.note.store(status.to_bits(), Ordering::Release);
        },
        request.lend().cast(),
    );
    expect_at("WskDisconnect", STATUS_SUCCESS, far.disconnect(0)?)?;
    near.event.wait_for_returns(1)?;
    let event = near.leave_to_callback();
    request.wait("WskCloseSocket inside the disconnect event")?.succeeds("WskCloseSocket")?;
    expect(1_usize, event.disconnects())
}
