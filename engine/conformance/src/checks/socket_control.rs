//! WskControlSocket on datagram and basic sockets.

use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::GUID;
use skua_engine::abi::sockaddr::{SO_BROADCAST, SO_RCVBUF, SOL_SOCKET};
use skua_engine::abi::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_INSPECT_ID, SO_WSK_EVENT_CALLBACK, SO_WSK_SECURITY, WSK_CONTROL_SOCKET_TYPE,
    WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_RECEIVE, WSK_EVENT_RECEIVE_FROM, WSK_FLAG_BASIC_SOCKET,
    WskGetOption, WskIoctl, WskSetOption,
};

use crate::client::datagram::DatagramSocket;
use crate::client::handle::{Control, Handle};
use crate::client::{Arguments, Client, Descriptor, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

checks! { SocketControl;
    needs_irp: "an option is set with an IRP",
        "WskControlSocket, Irp";
    unknown_request: "a request type that is none of three is refused",
        "WskControlSocket, RequestType";
    unknown_option: "an unknown option is refused",
        "WskControlSocket, ControlCode";
    unknown_level: "an option of an unknown level is refused",
        "WskControlSocket, Level";
    unknown_ioctl: "an unknown I/O control is refused",
        "WskControlSocket, ControlCode";
    short_input: "an option that is set with too few bytes is refused",
        "WskControlSocket, InputSize";
    no_input: "an option that is set without a value is refused",
        "WskControlSocket, InputBuffer";
    short_output: "an option that is asked for with too little room is refused",
        "WskControlSocket, OutputSize";
    output_size: "the size of an option's value is in IoStatus.Information",
        "WskControlSocket, OutputSizeReturned";
    raised: "a socket may be controlled at DISPATCH_LEVEL",
        "WskControlSocket, IRQL";
    event_interface: "events are named under WSK's interface",
        "WSK_EVENT_CALLBACK_CONTROL, NpiId";
    event_of_listener: "a datagram socket has no event of listening sockets",
        "SO_WSK_EVENT_CALLBACK, EventMask";
    event_of_connection: "a datagram socket has no event of connection sockets",
        "SO_WSK_EVENT_CALLBACK, EventMask";
    event_short: "an event control that is too short is refused",
        "SO_WSK_EVENT_CALLBACK, InputSize";
    event_with_irp: "an event may be enabled with an IRP",
        "facts 4 and 14";
    event_twice: "an event that is enabled may be enabled again",
        "SO_WSK_EVENT_CALLBACK";
    disable_nothing: "WSK_EVENT_DISABLE comes with an event",
        "SO_WSK_EVENT_CALLBACK: WSK_EVENT_DISABLE";
    inspect_id: "a datagram socket has no inspection",
        "SIO_WSK_QUERY_INSPECT_ID, Return value: STATUS_INVALID_DEVICE_REQUEST";
    basic_event: "a basic socket has no events",
        "SO_WSK_EVENT_CALLBACK; WskSocket, Flags";
    basic_option: "options can be asked for on a basic socket",
        "WskControlSocket, Remarks; facts 5, USO";
    security: "a cached security descriptor is attached before bind",
        "SO_WSK_SECURITY";
    security_late: "a security descriptor is too late after bind",
        "SO_WSK_SECURITY, Remarks";
    security_got: "asking for the security descriptor gives a cached one, to be released",
        "SO_WSK_SECURITY, WskGetOption";
    security_basic: "a basic socket has no security descriptor",
        "SO_WSK_SECURITY, Remarks";
}

fn needs_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    let input = &1_u32.to_ne_bytes();
    let control = Control { kind: WskSetOption, code: SO_BROADCAST, level: SOL_SOCKET, input, output: 0 };
    expect(Value::Failure, socket.control_inline(control)?.0)
}

fn unknown_request<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    let (kind, input) = (WSK_CONTROL_SOCKET_TYPE(3), &1_u32.to_ne_bytes());
    let control = Control { kind, code: SO_BROADCAST, level: SOL_SOCKET, input, output: 0 };
    expect(Value::Failure, socket.control(control)?.done.status)
}

fn unknown_option<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect_at("set", Value::Failure, socket.set(SOL_SOCKET, 0x7777, 1)?)?;
    expect(Value::Failure, socket.get(SOL_SOCKET, 0x7777, 4)?.done.status)
}

fn unknown_level<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.set(0x7777, SO_BROADCAST, 1)?)
}

fn unknown_ioctl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.ioctl(0x8F00_7777, &[0; 4])?)
}

fn short_input<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.set_bytes(SOL_SOCKET, SO_RCVBUF, &[1, 1])?)
}

fn no_input<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.set_bytes(SOL_SOCKET, SO_RCVBUF, &[])?)
}

fn short_output<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.get(SOL_SOCKET, SO_RCVBUF, 2)?.done.status)
}

fn output_size<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let got = socket.get(SOL_SOCKET, SO_RCVBUF, 4)?;
    got.done.succeeds("WskGetOption")?;
    expect(4_usize, got.done.information)
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    client.bench().raise_calls();
    expect(STATUS_SUCCESS, socket.get(SOL_SOCKET, SO_RCVBUF, 4)?.done.status)
}

/// An interface that is not WSK's.
static STRANGE: GUID = GUID { Data1: 0xFEED_F00D, Data2: 1, Data3: 2, Data4: [3; 8] };

fn event_interface<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let status = socket.set_events_as(&raw const STRANGE, WSK_EVENT_RECEIVE_FROM, ptr::null_mut());
    expect(Value::Failure, status)
}

fn event_of_listener<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.set_events(WSK_EVENT_ACCEPT))
}

fn event_of_connection<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.set_events(WSK_EVENT_RECEIVE))
}

fn event_short<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let code = SO_WSK_EVENT_CALLBACK;
    let control = Control { kind: WskSetOption, code, level: SOL_SOCKET, input: &[0; 8], output: 0 };
    expect(Value::Failure, socket.control_inline(control)?.0)
}

fn event_with_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(STATUS_SUCCESS, socket.set_events_waiting(WSK_EVENT_RECEIVE_FROM)?.status)
}

fn event_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::hearing(client, LOCALHOST)?;
    expect(STATUS_SUCCESS, socket.set_events(WSK_EVENT_RECEIVE_FROM))
}

fn disable_nothing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::hearing(client, LOCALHOST)?;
    expect(Value::Failure, socket.set_events(WSK_EVENT_DISABLE))
}

fn inspect_id<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let code = SIO_WSK_QUERY_INSPECT_ID;
    let (status, _) =
        socket.control_inline(Control { kind: WskIoctl, code, level: 0, input: &[], output: 16 })?;
    expect(STATUS_INVALID_DEVICE_REQUEST, status)
}

/// A basic socket.
fn basic<'c, K: Kernel>(client: &'c Client<'_, K>) -> Result<Handle<'c, K>, Outcome> {
    client.open(Arguments { flags: WSK_FLAG_BASIC_SOCKET, ..Arguments::datagram(LOCALHOST) })
}

fn basic_event<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, basic(client)?.set_events(WSK_EVENT_RECEIVE_FROM))
}

fn basic_option<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_SUCCESS, basic(client)?.get(SOL_SOCKET, SO_RCVBUF, 4)?.done.status)
}

/// What SO_WSK_SECURITY answers on `socket` when a cached descriptor is set.
fn attach<K: Kernel>(client: &Client<'_, K>, socket: &Handle<'_, K>) -> Result<Value, Outcome> {
    let descriptor = Descriptor::open(client)?;
    let (status, cached) = client.cache(descriptor.as_ptr());
    expect_at("WSK_CACHE_SD", STATUS_SUCCESS, status)?;
    let seen = socket.set_bytes(SOL_SOCKET, SO_WSK_SECURITY, &cached.addr().to_ne_bytes())?;
    expect_at("WSK_RELEASE_SD", STATUS_SUCCESS, client.release_descriptor(cached))?;
    Ok(seen.into())
}

fn security<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_SUCCESS, attach(client, &*DatagramSocket::open(client, LOCALHOST)?)?)
}

fn security_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, attach(client, &*DatagramSocket::bound(client, LOCALHOST)?)?)
}

fn security_basic<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, attach(client, &basic(client)?)?)
}

fn security_got<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let (status, security) = client.cache(descriptor.as_ptr());
    expect_at("WSK_CACHE_SD", STATUS_SUCCESS, status)?;
    let socket = client.open(Arguments { security, ..Arguments::datagram(LOCALHOST) })?;
    let control =
        Control { kind: WskGetOption, code: SO_WSK_SECURITY, level: SOL_SOCKET, input: &[], output: 8 };
    let got = socket.control(control)?;
    got.done.succeeds("WskGetOption")?;
    let copy = ptr::with_exposed_provenance_mut(usize::from_ne_bytes(got.double_word()));
    expect_at("the copy's WSK_RELEASE_SD", STATUS_SUCCESS, client.release_descriptor(copy))?;
    drop(socket);
    expect(STATUS_SUCCESS, client.release_descriptor(security))
}
