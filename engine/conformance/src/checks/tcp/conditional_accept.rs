//! Conditional accept: WskInspectEvent, WskInspectComplete, WskAbortEvent.
//!
//! Whether the other end sees its connection before it is accepted is the provider's: some establish it first.

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{SO_CONDITIONAL_ACCEPT, SOL_SOCKET};
use skua_engine::abi::status::{
    STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_EVENT_ACCEPT, WSK_INSPECT_ID, WskInspectAccept, WskInspectPend, WskInspectReject,
};
use skua_engine::abi::zeroed;

use crate::client::tcp::{Connecting, Kind, Pair, StreamSocket};
use crate::client::{Client, LOCALHOST, needs};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Listen;
    off_at_first: "conditional accept is off on a new listening socket",
        "SO_CONDITIONAL_ACCEPT: the default state";
    read_back: "conditional accept is read back as it was set",
        "SO_CONDITIONAL_ACCEPT: to retrieve the state";
    before_bind: "conditional accept is set before bind only",
        "SO_CONDITIONAL_ACCEPT: before the socket is bound";
    listening_only: "conditional accept is for listening sockets only",
        "SO_CONDITIONAL_ACCEPT: applies only to listening sockets";
    not_asked: "without conditional accept nothing is inspected",
        "WskInspectEvent, Remarks";
    addresses: "the inspect event is asked with the addresses of both ends",
        "WskInspectEvent, LocalAddress and RemoteAddress";
    accepted: "a connection that inspection accepts goes to WskAccept",
        "WskInspectEvent, Return value: WskInspectAccept";
    accepted_by_event: "a connection that inspection accepts goes to the accept event",
        "WskInspectEvent, Return value: WskInspectAccept";
    rejected: "a connection that inspection rejects is dropped",
        "WskInspectEvent, Return value: WskInspectReject";
    pended: "a connection that inspection leaves pending waits for WskInspectComplete",
        "WskInspectEvent, Return value: WskInspectPend";
    completed_with_reject: "a pending connection that WskInspectComplete rejects is dropped",
        "WskInspectComplete, Action: WskInspectReject";
    identities: "pending connections are told apart by their identities",
        "WskInspectEvent, InspectID";
    actions: "WskInspectComplete takes accept and reject only",
        "WskInspectComplete, Action";
    nothing_pending: "WskInspectComplete is for what conditional accept left pending",
        "WskInspectComplete, Remarks";
    aborted: "the abort event tells of a pending connection that went away",
        "WskAbortEvent; WskInspectComplete, Remarks";
    completed_after_abort: "an aborted connection is not established by WskInspectComplete",
        "WskInspectComplete, Remarks: has been aborted";
    closed: "closing drops connections that are left pending",
        "WskCloseSocket; WskInspectEvent";
}

/// A listening socket with conditional accept, not bound. The check is not applicable where there is none.
fn open<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<StreamSocket<'c, K>, Outcome> {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    let status = listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1)?;
    needs(status != STATUS_NOT_SUPPORTED, "no conditional accept here")?;
    expect_at("SO_CONDITIONAL_ACCEPT", STATUS_SUCCESS, status)?;
    Ok(listener)
}

/// A listening socket that asks, and answers with `action`.
pub(super) fn asking<'c, K: Kernel>(
    client: &'c Client<'_, K>,
    action: skua_engine::abi::wsk::WSK_INSPECT_ACTION,
) -> Result<StreamSocket<'c, K>, Outcome> {
    let listener = open(client)?;
    listener.event.decide(action);
    expect_at("WskBind", STATUS_SUCCESS, listener.bind(LOCALHOST)?)?;
    Ok(listener)
}

/// A connection that is asked for: the request may be pending until it is accepted.
pub(super) struct Asking<'c, K: Kernel> {
    // First: dropping it waits, and the socket is used until then.
    connecting: Connecting<'c, K>,
    near: StreamSocket<'c, K>,
}

impl<'c, K: Kernel> Asking<'c, K> {
    pub(super) fn new(client: &'c Client<'_, K>, listener: &StreamSocket<'c, K>) -> Result<Self, Outcome> {
        let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
        let connecting = near.start_connect(listener.local()?, 0)?;
        Ok(Self { connecting, near })
    }

    /// Whether it was not established, or is over.
    fn is_dropped(&self) -> Result<bool, Outcome> {
        let done = self.connecting.request.wait("WskConnect")?;
        if done.status.is_success() { self.near.is_over() } else { Ok(true) }
    }

    /// Gives up.
    fn hang_up(self) -> Result<(), Outcome> {
        let Self { connecting, near } = self;
        near.close()?.succeeds("WskCloseSocket")?;
        drop(connecting);
        Ok(())
    }
}

fn off_at_first<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    let state = listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 4)?;
    needs(state.done.status != STATUS_NOT_SUPPORTED, "no conditional accept here")?;
    state.done.succeeds("SO_CONDITIONAL_ACCEPT")?;
    expect(0_u32, state.word())
}

fn read_back<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = open(client)?;
    expect_at("on", 1_u32, listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 4)?.word())?;
    expect_at("setting", STATUS_SUCCESS, listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 0)?)?;
    expect_at("off", 0_u32, listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 4)?.word())
}

fn before_bind<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    drop(open(client)?);
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1)?)
}

fn listening_only<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = StreamSocket::open(client, Kind::Connection, LOCALHOST)?;
    expect_at("a success", false, socket.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1)?.is_success())
}

fn not_asked<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect(0_usize, pair.listener.event.inspected())
}

fn addresses<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectAccept)?;
    let asked = Asking::new(client, &listener)?;
    let [local, remote] = listener.event.inspection(0)?.ends().map(|end| end.unwrap_or(LOCALHOST));
    expect_at("LocalAddress", listener.local()?, local)?;
    expect_at("RemoteAddress", asked.near.local()?, remote)
}

fn accepted<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectAccept)?;
    let accepting = listener.start_accept()?;
    let asked = Asking::new(client, &listener)?;
    listener.event.inspection(0)?;
    let far = accepting.socket()?;
    asked.connecting.request.wait("WskConnect")?.succeeds("WskConnect")?;
    asked.near.deliver(b"inspected")?;
    expect(true, far.receives(b"inspected")?)
}

fn accepted_by_event<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectAccept)?;
    listener.event.offer()?;
    expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, listener.set_events(WSK_EVENT_ACCEPT))?;
    let asked = Asking::new(client, &listener)?;
    let (_, far) = listener.arrived(0)?;
    expect_at("inspected", 1_usize, listener.event.inspected())?;
    expect(asked.near.local()?, far.remote()?)
}

fn rejected<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectReject)?;
    let accepting = listener.start_accept()?;
    let asked = Asking::new(client, &listener)?;
    listener.event.inspection(0)?;
    expect_at("the connection is dropped", true, asked.is_dropped()?)?;
    expect_at("the accept stays pending", true, accepting.request.stays_pending())
}

fn pended<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let accepting = listener.start_accept()?;
    let asked = Asking::new(client, &listener)?;
    let id = listener.event.inspection(0)?.id;
    expect_at("the accept, pending", true, accepting.request.stays_pending())?;
    let completed = listener.inspect_complete(id, WskInspectAccept)?;
    expect_at("WskInspectComplete", STATUS_SUCCESS, completed)?;
    expect(asked.near.local()?, accepting.socket()?.remote()?)
}

fn completed_with_reject<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let accepting = listener.start_accept()?;
    let asked = Asking::new(client, &listener)?;
    let id = listener.event.inspection(0)?.id;
    let completed = listener.inspect_complete(id, WskInspectReject)?;
    expect_at("WskInspectComplete", STATUS_SUCCESS, completed)?;
    expect_at("the connection is dropped", true, asked.is_dropped()?)?;
    expect_at("the accept stays pending", true, accepting.request.stays_pending())
}

fn identities<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let first = Asking::new(client, &listener)?;
    let one = listener.event.inspection(0)?;
    let second = Asking::new(client, &listener)?;
    let two = listener.event.inspection(1)?;
    expect_at("the same identity", false, one.id == two.id)?;
    // The second is decided first.
    let status = listener.inspect_complete(two.id, WskInspectAccept)?;
    expect_at("WskInspectComplete", STATUS_SUCCESS, status)?;
    expect_at("the one that was accepted", second.near.local()?, listener.accept()?.remote()?)?;
    let status = listener.inspect_complete(one.id, WskInspectReject)?;
    expect_at("WskInspectComplete", STATUS_SUCCESS, status)?;
    expect_at("the other one is dropped", true, first.is_dropped()?)
}

fn actions<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let _asked = Asking::new(client, &listener)?;
    let id = listener.event.inspection(0)?.id;
    expect(STATUS_INVALID_PARAMETER, listener.inspect_complete(id, WskInspectPend)?)
}

fn nothing_pending<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
    let id: WSK_INSPECT_ID = zeroed();
    expect_at("a success", false, listener.inspect_complete(id, WskInspectAccept)?.is_success())
}

fn aborted<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let asked = Asking::new(client, &listener)?;
    let id = listener.event.inspection(0)?.id;
    asked.hang_up()?;
    expect_at("of the same identity", true, listener.event.abort(0)? == id)
}

fn completed_after_abort<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let accepting = listener.start_accept()?;
    let asked = Asking::new(client, &listener)?;
    let id = listener.event.inspection(0)?.id;
    asked.hang_up()?;
    listener.event.abort(0)?;
    // Whatever it answers.
    let _status = listener.inspect_complete(id, WskInspectAccept)?;
    expect_at("the accept stays pending", true, accepting.request.stays_pending())
}

fn closed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = asking(client, WskInspectPend)?;
    let asked = Asking::new(client, &listener)?;
    listener.event.inspection(0)?;
    listener.close()?.succeeds("WskCloseSocket")?;
    expect_at("the connection is dropped", true, asked.is_dropped()?)
}
