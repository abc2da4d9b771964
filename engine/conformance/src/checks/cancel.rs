//! IoCancelIrp on requests that WSK has.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_SUCCESS};

use crate::client::datagram::DatagramSocket;
use crate::client::request::Request;
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Verdict, expect, expect_at};

checks! { Cancel;
    receive: "a queued receive can be cancelled",
        "WskReceiveFrom; IoCancelIrp; facts 7";
    none_left: "a cancelled receive takes no datagram",
        "WskReceiveFrom; IoCancelIrp";
    middle: "cancelling one of three receives leaves the others in order",
        "WskReceiveFrom; IoCancelIrp";
    before: "a request that was cancelled before it was handed over ends",
        "IoCancelIrp; IoSetCancelRoutine";
    has_routine: "a queued receive has a cancel routine, and none once it is cancelled",
        "IoCancelIrp, Return value";
    too_late: "cancelling a request that is over does nothing",
        "IoCancelIrp, Remarks";
    then_reused: "the IRP of a cancelled request can be used again",
        "IoReuseIrp";
    then_closed: "a socket whose receive was cancelled is closed",
        "WskCloseSocket";
    raised: "a request may be cancelled at DISPATCH_LEVEL",
        "IoCancelIrp, IRQL";
}

fn receive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[64], 0)?;
    receiving.request.cancel();
    expect(STATUS_CANCELLED, receiving.wait()?.status)
}

fn none_left<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[64], 0)?;
    receiving.request.cancel();
    expect_at("the cancelled one", STATUS_CANCELLED, receiving.wait()?.status)?;
    let next = socket.receive_from(&[64], 0)?;
    socket.deliver(socket.local()?, b"the next one")?;
    expect(12_usize, next.wait()?.succeeds("WskReceiveFrom")?.information)
}

fn middle<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let [first, second, third] =
        [socket.receive_from(&[8], 0)?, socket.receive_from(&[8], 0)?, socket.receive_from(&[8], 0)?];
    second.request.cancel();
    expect_at("the second", STATUS_CANCELLED, second.wait()?.status)?;
    socket.deliver(socket.local()?, b"1")?;
    first.wait()?.succeeds("the first")?;
    socket.deliver(socket.local()?, b"3")?;
    third.wait()?.succeeds("the third")?;
    expect(true, first.bytes().starts_with(b"1") && third.bytes().starts_with(b"3"))
}

fn before<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_with(&[8], 0, 0, |request| {
        let _no_routine_yet = request.cancel();
    })?;
    expect(STATUS_CANCELLED, receiving.wait()?.status)
}

fn has_routine<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[8], 0)?;
    let (first, second) = (receiving.request.cancel(), receiving.request.cancel());
    receiving.wait()?;
    expect_at("the first cancel", true, first)?;
    expect(false, second)
}

fn too_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[8], 0)?;
    socket.deliver(socket.local()?, b"over")?;
    let done = receiving.wait()?.succeeds("WskReceiveFrom")?;
    let routine = receiving.request.cancel();
    expect_at("completed once", 1_u32, done.times)?;
    expect(false, routine)
}

fn then_reused<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[8], 0)?;
    receiving.request.cancel();
    expect_at("the cancelled one", STATUS_CANCELLED, receiving.wait()?.status)?;
    receiving.request.reuse();
    let again = receiving.request.run("WskGetLocalAddress", |irp| socket.ask_local_address(irp))?;
    expect(STATUS_SUCCESS, again.status)
}

fn then_closed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[8], 0)?;
    receiving.request.cancel();
    let closed = socket.close()?;
    expect_at("the receive", STATUS_CANCELLED, receiving.wait()?.status)?;
    expect(STATUS_SUCCESS, closed.status)
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[8], 0)?;
    let request: &Request<'_, K> = &receiving.request;
    skua_engine::Dispatch::with(client.kernel(), |_| request.cancel());
    expect(STATUS_CANCELLED, receiving.wait()?.status)
}
