//! WskSocket and its parameters.

use core::ffi::c_void;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{AF_UNSPEC, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
use skua_engine::abi::status::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_EVENT_RECEIVE_FROM, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_DATAGRAM_DISPATCH,
};

use crate::client::datagram::DatagramSocket;
use crate::client::recorder::Recorder;
use crate::client::{Arguments, Client, Descriptor, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { Creation;
    information: "WskSocket gives the new socket in IoStatus.Information",
        "WskSocket, Irp";
    functions: "a datagram socket's table has every function",
        "WSK_PROVIDER_DATAGRAM_DISPATCH";
    basic_functions: "a basic socket's table has every function",
        "WSK_PROVIDER_BASIC_DISPATCH";
    distinct: "every socket is another",
        "WskSocket";
    datagram_v6: "datagram sockets are created over IPv6",
        "WskSocket, AddressFamily";
    without_context: "a socket that will enable no event needs no context and no table",
        "WskSocket, SocketContext and Dispatch";
    basic: "without a category flag a socket is basic",
        "WskSocket, Flags: WSK_FLAG_BASIC_SOCKET";
    basic_context: "a basic socket has no context",
        "WskSocket, SocketContext: must be NULL";
    basic_table: "a basic socket has no table of events",
        "WskSocket, Dispatch: must be NULL";
    two_categories: "a socket is of exactly one category",
        "WskSocket, Flags";
    unknown_category: "a flag that names no category is refused",
        "WskSocket, Flags";
    no_family: "a socket has an address family",
        "WskSocket, AddressFamily";
    unknown_family: "an unknown address family is refused",
        "WskSocket, AddressFamily";
    unknown_type: "an unknown socket type is refused",
        "WskSocket, SocketType";
    unknown_protocol: "a protocol that the socket type does not go with is refused",
        "WskSocket, Protocol; WSK_TRANSPORT";
    datagram_over_tcp: "a datagram socket is not made over TCP",
        "WskSocket, SocketType";
    listen_over_udp: "a listening socket is not made over UDP",
        "WskSocket, SocketType";
    connection_over_udp: "a connection socket is not made over UDP",
        "WskSocket, SocketType";
    stream_over_udp: "a stream socket is not made over UDP",
        "WskSocket, SocketType";
    raw: "a raw socket is given to who has the privilege, and ACCESS_DENIED to others",
        "WskSocket, Remarks: raw sockets";
    raised: "a socket may be created at DISPATCH_LEVEL",
        "WskSocket, IRQL";
    static_needs_callback: "a socket whose event is static has a callback for it",
        "WSK_SET_STATIC_EVENT_CALLBACKS; WskSocket, Dispatch";
    security: "a cached security descriptor can be attached",
        "WskSocket, SecurityDescriptor";
    security_kept: "a cached security descriptor outlives its socket",
        "WskSocket, SecurityDescriptor; facts 2";
    events_off: "every event of a new socket is off",
        "WskSocket, Remarks";
}

/// How WskSocket ends with these arguments.
fn status<K: Kernel>(client: &Client<'_, K>, arguments: Arguments) -> Result<NTSTATUS, Outcome> {
    Ok(client.create(arguments)?.done.status)
}

fn information<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let created = client.create(Arguments::datagram(LOCALHOST))?;
    expect_at("WskSocket", STATUS_SUCCESS, created.done.status)?;
    expect(true, created.handle.is_some())
}

fn functions<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    let table = socket.table::<WSK_PROVIDER_DATAGRAM_DISPATCH>();
    let has = [
        table.Basic.WskControlSocket.is_some(),
        table.Basic.WskCloseSocket.is_some(),
        table.WskBind.is_some(),
        table.WskSendTo.is_some(),
        table.WskReceiveFrom.is_some(),
        table.WskRelease.is_some(),
        table.WskGetLocalAddress.is_some(),
        table.WskSendMessages.is_some(),
    ];
    expect(8_usize, has.iter().filter(|has| **has).count())
}

fn basic_functions<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = client.open(Arguments { flags: WSK_FLAG_BASIC_SOCKET, ..Arguments::datagram(LOCALHOST) })?;
    let table = socket.table::<WSK_PROVIDER_BASIC_DISPATCH>();
    expect(true, table.WskControlSocket.is_some() && table.WskCloseSocket.is_some())
}

fn distinct<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let sockets = [
        DatagramSocket::open(client, LOCALHOST)?,
        DatagramSocket::open(client, LOCALHOST)?,
        DatagramSocket::open(client, LOCALHOST)?,
    ];
    let [first, second, third] = &sockets;
    let distinct = first.raw() != second.raw() && second.raw() != third.raw() && first.raw() != third.raw();
    expect(true, distinct)
}

fn datagram_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_family(LOCALHOST_V6)?;
    expect(STATUS_SUCCESS, status(client, Arguments::datagram(LOCALHOST_V6))?)
}

fn without_context<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_SUCCESS, status(client, Arguments::datagram(LOCALHOST))?)
}

fn basic<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let flags = WSK_FLAG_BASIC_SOCKET;
    expect(STATUS_SUCCESS, status(client, Arguments { flags, ..Arguments::datagram(LOCALHOST) })?)
}

fn basic_context<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (flags, context) = (WSK_FLAG_BASIC_SOCKET, ptr::dangling_mut::<u64>().cast::<c_void>());
    let arguments = Arguments { flags, context, ..Arguments::datagram(LOCALHOST) };
    expect(STATUS_INVALID_PARAMETER, status(client, arguments)?)
}

fn basic_table<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let dispatch = ptr::from_ref(Recorder::<K>::DISPATCH).cast();
    let arguments = Arguments { flags: WSK_FLAG_BASIC_SOCKET, dispatch, ..Arguments::datagram(LOCALHOST) };
    expect(STATUS_INVALID_PARAMETER, status(client, arguments)?)
}

fn two_categories<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let flags = WSK_FLAG_DATAGRAM_SOCKET | WSK_FLAG_LISTEN_SOCKET;
    expect(STATUS_INVALID_PARAMETER, status(client, Arguments { flags, ..Arguments::datagram(LOCALHOST) })?)
}

fn unknown_category<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let arguments = Arguments { flags: 0x10, ..Arguments::datagram(LOCALHOST) };
    expect(STATUS_INVALID_PARAMETER, status(client, arguments)?)
}

fn no_family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let arguments = Arguments { family: AF_UNSPEC, ..Arguments::datagram(LOCALHOST) };
    expect(Value::Failure, status(client, arguments)?)
}

fn unknown_family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let arguments = Arguments { family: 77, ..Arguments::datagram(LOCALHOST) };
    expect(Value::Failure, status(client, arguments)?)
}

fn unknown_type<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let arguments = Arguments { socket_type: 9, ..Arguments::datagram(LOCALHOST) };
    expect(Value::Failure, status(client, arguments)?)
}

fn unknown_protocol<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let arguments = Arguments { protocol: IPPROTO_TCP, ..Arguments::datagram(LOCALHOST) };
    expect(Value::Failure, status(client, arguments)?)
}

fn datagram_over_tcp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let arguments =
        Arguments { socket_type: SOCK_STREAM, protocol: IPPROTO_TCP, ..Arguments::datagram(LOCALHOST) };
    expect(Value::Failure, status(client, arguments)?)
}

/// A category of TCP over UDP.
fn over_udp<K: Kernel>(client: &Client<'_, K>, flags: u32) -> Verdict {
    let arguments =
        Arguments { flags, socket_type: SOCK_DGRAM, protocol: IPPROTO_UDP, ..Arguments::datagram(LOCALHOST) };
    expect(Value::Failure, status(client, arguments)?)
}

fn listen_over_udp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    over_udp(client, WSK_FLAG_LISTEN_SOCKET)
}

fn connection_over_udp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    over_udp(client, WSK_FLAG_CONNECTION_SOCKET)
}

fn stream_over_udp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    over_udp(client, WSK_FLAG_STREAM_SOCKET)
}

fn raw<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    /// Reserved for experiments (RFC 3692).
    const EXPERIMENT: u32 = 253;
    let arguments =
        Arguments { socket_type: SOCK_RAW, protocol: EXPERIMENT, ..Arguments::datagram(LOCALHOST) };
    let seen = status(client, arguments)?;
    if seen == skua_engine::abi::status::STATUS_NOT_SUPPORTED {
        return Err(Outcome::NotApplicable { why: "no raw sockets here" });
    }
    expect(&[STATUS_SUCCESS, STATUS_ACCESS_DENIED], seen)
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.bench().raise_calls();
    expect(STATUS_SUCCESS, status(client, Arguments::datagram(LOCALHOST))?)
}

fn static_needs_callback<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.with_static_events(WSK_EVENT_RECEIVE_FROM)?;
    expect(Value::Failure, status(&other, Arguments::datagram(LOCALHOST))?)
}

fn security<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let (cache, security) = client.cache(descriptor.as_ptr());
    expect_at("WSK_CACHE_SD", STATUS_SUCCESS, cache)?;
    let seen = status(client, Arguments { security, ..Arguments::datagram(LOCALHOST) })?;
    expect_at("WSK_RELEASE_SD", STATUS_SUCCESS, client.release_descriptor(security))?;
    expect(STATUS_SUCCESS, seen)
}

fn security_kept<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let (cache, security) = client.cache(descriptor.as_ptr());
    expect_at("WSK_CACHE_SD", STATUS_SUCCESS, cache)?;
    let arguments = Arguments { security, ..Arguments::datagram(LOCALHOST) };
    let (first, second) = (status(client, arguments)?, status(client, arguments)?);
    let released = client.release_descriptor(security);
    expect_at("the first socket", STATUS_SUCCESS, first)?;
    expect_at("the second socket", STATUS_SUCCESS, second)?;
    expect(STATUS_SUCCESS, released)
}

fn events_off<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(client, LOCALHOST)?;
    receiver.deliver(receiver.local()?, b"to myself")?;
    expect(true, receiver.event.is_quiet(0))
}
