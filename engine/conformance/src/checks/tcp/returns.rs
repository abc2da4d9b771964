//! What the functions of sockets over TCP return, and what their IRPs are completed with.

use skua_engine::Kernel;
use skua_engine::abi::nt::DISPATCH_LEVEL;
use skua_engine::abi::status::{STATUS_PENDING, STATUS_SUCCESS};

use super::listen::{connection, listener};
use crate::client::request::{Done, Request};
use crate::client::tcp::{Accepting, Kind, Pair, SocketConnecting, StreamSocket};
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Connection;
    failures: "a failure that a function of TCP returns is what its IRP is completed with",
        "Using IRPs with Winsock Kernel Functions";
    successes: "a success that a function of TCP returns is what its IRP is completed with",
        "Using IRPs with Winsock Kernel Functions";
    marked: "IRPs of functions of TCP are marked pending where PENDING is returned",
        "IoMarkIrpPending; facts 7";
    once: "IRPs of functions of TCP are completed once, at DISPATCH_LEVEL or below",
        "Using IRPs with Winsock Kernel Functions; IO_COMPLETION_ROUTINE, IRQL";
}

/// Requests that fail, one of each function.
fn failing<K: Kernel>(client: &Client<'_, K>) -> Result<[(&'static str, Done); 7], Outcome> {
    let (open, bound, listener) = (
        StreamSocket::open(client, Kind::Connection, LOCALHOST)?,
        connection(client)?,
        StreamSocket::open(client, Kind::Listen, LOCALHOST)?,
    );
    let remote = bound.local()?;
    let flagged = Accepting { flags: 1, events: true, addresses: true };
    let connecting = SocketConnecting { flags: 1, ..SocketConnecting::tcp(LOCALHOST, remote) };
    let disconnecting = Request::new(client.bench())?;
    let _returned = bound.start_disconnect(&disconnecting, None, 0);
    Ok([
        ("WskAccept", listener.start_accept_as(flagged)?.wait()?),
        ("WskConnect", open.start_connect(remote, 0)?.request.wait("WskConnect")?),
        ("WskConnectEx", open.connect_ex(remote, None, 1)?),
        ("WskSocketConnect", client.start_socket_connect(connecting)?.wait()?),
        ("WskSend", bound.send(b"x")?),
        ("WskReceive", bound.receive(1)?.done),
        ("WskDisconnect", disconnecting.wait("WskDisconnect")?),
    ])
}

/// Requests that succeed, one of each function; the accept and the last receive have waited.
fn succeeding<K: Kernel>(client: &Client<'_, K>) -> Result<[(&'static str, Done); 6], Outcome> {
    let (listener, near) = (listener(client)?, connection(client)?);
    let accepting = listener.start_accept()?;
    let connecting = near.start_connect(listener.local()?, 0)?;
    let connected = connecting.request.wait("WskConnect")?.succeeds("WskConnect")?;
    let accepted = accepting.wait()?.succeeds("WskAccept")?;
    let far = accepting.socket()?;
    let waiting = far.start_receive(&[1], 0)?;
    let sent = near.send(b"x")?.succeeds("WskSend")?;
    let waited = waiting.wait()?.succeeds("WskReceive")?;
    near.deliver(b"y")?;
    let received = far.receive(1)?.done.succeeds("WskReceive")?;
    let disconnecting = Request::new(client.bench())?;
    let _returned = near.start_disconnect(&disconnecting, None, 0);
    let ended = disconnecting.wait("WskDisconnect")?.succeeds("WskDisconnect")?;
    Ok([
        ("WskConnect", connected),
        ("WskAccept", accepted),
        ("WskSend", sent),
        ("WskReceive that waited", waited),
        ("WskReceive", received),
        ("WskDisconnect", ended),
    ])
}

fn failures<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for (function, done) in failing(client)? {
        expect_at(function, false, done.status.is_success())?;
        if done.returned != STATUS_PENDING {
            expect_at(function, done.status, done.returned)?;
        }
    }
    expect("the same", "the same")
}

fn successes<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for (function, done) in succeeding(client)? {
        expect_at(function, &[STATUS_SUCCESS, STATUS_PENDING], done.returned)?;
    }
    let pair = Pair::new(client)?;
    let waiting = pair.near.start_receive(&[1], 0)?;
    expect_at("a receive that waits", true, waiting.request.stays_pending())?;
    pair.far.deliver(b"x")?;
    expect_at("WskReceive that waited", STATUS_PENDING, waiting.wait()?.returned)?;
    expect("the same", "the same")
}

fn marked<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for (function, done) in succeeding(client)?.into_iter().chain(failing(client)?) {
        // Where the completion routine did not run, there is nothing to see.
        if done.times > 0 {
            expect_at(function, done.returned == STATUS_PENDING, done.pending_returned)?;
        }
    }
    expect("as returned", "as returned")
}

fn once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for (function, done) in succeeding(client)? {
        expect_at(function, 1_u32, done.times)?;
        expect_at(function, true, done.irql <= DISPATCH_LEVEL)?;
    }
    expect("once", "once")
}
