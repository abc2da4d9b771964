//! WskCloseSocket.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_FLAG_BASIC_SOCKET;

use crate::client::datagram::DatagramSocket;
use crate::client::request::Request;
use crate::client::{Arguments, Client, LOCALHOST};
use crate::outcome::{Verdict, expect, expect_at};

checks! { Close;
    unbound: "a socket that is not bound is closed",
        "WskCloseSocket";
    bound: "a bound socket is closed",
        "WskCloseSocket";
    basic: "a basic socket is closed",
        "WskCloseSocket";
    hearing: "a socket whose event is enabled is closed",
        "WskCloseSocket, Remarks";
    raised: "a socket may be closed at DISPATCH_LEVEL",
        "WskCloseSocket, IRQL";
    cancels: "closing completes queued receives with CANCELLED",
        "WskCloseSocket, Remarks";
    last: "the close completes behind everything that was queued",
        "WskCloseSocket, Remarks";
    inside: "a close that begins inside a callback pends",
        "WskCloseSocket, Remarks; facts 8";
    behind_callback: "a close completes when the callbacks have returned",
        "WskCloseSocket, Remarks";
    silence: "no callback comes after the close",
        "WskCloseSocket, Remarks";
    retained_released: "a socket is closed after everything retained was released",
        "WskCloseSocket, Remarks; facts 8";
    many: "sockets are opened and closed again and again",
        "WskSocket; WskCloseSocket";
}

fn unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_SUCCESS, socket.close()?.status)
}

fn bound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(STATUS_SUCCESS, socket.close()?.status)
}

fn basic<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = client.open(Arguments { flags: WSK_FLAG_BASIC_SOCKET, ..Arguments::datagram(LOCALHOST) })?;
    expect(STATUS_SUCCESS, socket.close()?.status)
}

fn hearing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    sender.deliver(receiver.local()?, b"before the end")?;
    receiver.event.wait_for(1)?;
    expect(STATUS_SUCCESS, receiver.close()?.status)
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    client.bench().raise_calls();
    expect(STATUS_SUCCESS, socket.close()?.status)
}

fn cancels<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receives = [socket.receive_from(&[16], 0)?, socket.receive_from(&[16], 0)?];
    socket.close()?.succeeds("WskCloseSocket")?;
    for receive in &receives {
        expect(STATUS_CANCELLED, receive.wait()?.status)?;
    }
    expect(STATUS_CANCELLED, STATUS_CANCELLED)
}

fn last<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receives = [socket.receive_from(&[16], 0)?, socket.receive_from(&[16], 0)?];
    let closed = socket.close()?.succeeds("WskCloseSocket")?;
    for receive in &receives {
        expect_at("complete before the close", true, receive.request.is_complete())?;
        expect_at("in order", true, receive.wait()?.order < closed.order)?;
    }
    expect("the close is last", "the close is last")
}

fn inside<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let close = Request::new(client.bench())?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.close_inside(&close);
    sender.deliver(receiver.local()?, b"the end")?;
    receiver.event.wait_for_calls(1)?;
    let event = receiver.leave_to_callback();
    close.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    expect(STATUS_PENDING, event.note())
}

fn behind_callback<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let close = Request::new(client.bench())?;
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.close_inside(&close);
    sender.deliver(receiver.local()?, b"the end")?;
    receiver.event.wait_for_calls(1)?;
    let event = receiver.leave_to_callback();
    close.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    expect(
        "after the callback",
        if event.ended_early() { "inside the callback" } else { "after the callback" },
    )
}

fn silence<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let local = receiver.local()?;
    let (_returned, closing) = receiver.start_close()?;
    closing.request.wait("WskCloseSocket")?.succeeds("WskCloseSocket")?;
    let calls = closing.event.calls();
    let _refused_or_lost = sender.send_to(local, b"too late")?;
    expect(true, closing.event.is_quiet(calls))
}

fn retained_released<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(crate::client::recorder::Answer::Retain);
    sender.deliver(receiver.local()?, b"kept")?;
    receiver.event.wait_for(1)?;
    expect(STATUS_SUCCESS, receiver.close()?.status)
}

fn many<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for _ in 0..20 {
        let socket = DatagramSocket::hearing(client, LOCALHOST)?;
        expect(STATUS_SUCCESS, socket.close()?.status)?;
    }
    expect(STATUS_SUCCESS, DatagramSocket::bound(client, LOCALHOST)?.close()?.status)
}
