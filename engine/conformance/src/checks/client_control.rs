//! WskControlClient.

use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::GUID;
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6};
use skua_engine::abi::status::{STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_EVENT_ACCEPT, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_EVENT_RECEIVE_FROM,
    WSK_EVENT_SEND_BACKLOG, WSK_TDI_BEHAVIOR, WSK_TDI_BEHAVIOR_BYPASS_TDI, WSK_TRANSPORT,
    WSK_TRANSPORT_LIST_CHANGE, WSK_TRANSPORT_LIST_QUERY,
};

use crate::client::datagram::DatagramSocket;
use crate::client::request::{self, Request};
use crate::client::{Client, Descriptor, LOCALHOST, NOTHING};
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { ClientControl;
    probe: "without room the list of transports is BUFFER_OVERFLOW",
        "WSK_TRANSPORT_LIST_QUERY; facts 3";
    probe_size: "without room the list of transports tells the bytes it needs",
        "WSK_TRANSPORT_LIST_QUERY, OutputSizeReturned";
    list: "with room the list of transports is given whole",
        "WSK_TRANSPORT_LIST_QUERY";
    too_little: "with too little room the list of transports is BUFFER_OVERFLOW",
        "WSK_TRANSPORT_LIST_QUERY";
    whole_entries: "the list of transports is a number of whole entries",
        "WSK_TRANSPORT";
    lists_udp: "UDP over IPv4 is among the transports",
        "WSK_TRANSPORT";
    lists_udp_v6: "UDP over IPv6 is among the transports where a socket of it can be bound",
        "WSK_TRANSPORT";
    query_with_irp: "the list of transports is asked for without an IRP",
        "WSK_TRANSPORT_LIST_QUERY, Irp: must be NULL";
    change_without_irp: "a change of the list of transports is waited for with an IRP",
        "WSK_TRANSPORT_LIST_CHANGE, Irp: must not be NULL";
    change_pends: "a wait for a change of the list of transports pends",
        "WSK_TRANSPORT_LIST_CHANGE, Remarks";
    change_cancelled: "a wait for a change of the list of transports can be cancelled",
        "WSK_TRANSPORT_LIST_CHANGE; IoCancelIrp";
    several_changes: "several waits for a change may be out at once",
        "WSK_TRANSPORT_LIST_CHANGE";
    cached: "a cached security descriptor is another pointer",
        "WSK_CACHE_SD, OutputBuffer";
    cached_twice: "a security descriptor may be cached more than once, each released",
        "WSK_CACHE_SD; WSK_RELEASE_SD";
    null_descriptor: "nothing cannot be cached",
        "WSK_CACHE_SD, InputBuffer";
    static_events: "one mask may name events of every category",
        "WSK_SET_STATIC_EVENT_CALLBACKS, Remarks";
    static_raised: "static events may be set at DISPATCH_LEVEL",
        "WskControlClient, IRQL";
    static_late: "static events are set before any socket",
        "WSK_SET_STATIC_EVENT_CALLBACKS, Remarks";
    static_interface: "static events are named under WSK's interface",
        "WSK_EVENT_CALLBACK_CONTROL, NpiId";
    static_short: "a control that is too short is refused",
        "WSK_SET_STATIC_EVENT_CALLBACKS, InputSize";
    static_unknown: "events that no category has are refused",
        "WSK_EVENT_CALLBACK_CONTROL, EventMask";
    tdi: "a client may ask to bypass TDI",
        "WSK_TDI_BEHAVIOR";
    tdi_late: "TDI is bypassed before any socket",
        "WSK_TDI_BEHAVIOR, Remarks";
    tdi_short: "a behaviour that is too short is refused",
        "WSK_TDI_BEHAVIOR, InputSize";
    unknown: "an unknown control code is refused",
        "WskControlClient, ControlCode";
}

/// More than any list takes.
const ROOM: usize = 64 * size_of::<WSK_TRANSPORT>();

fn probe<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_BUFFER_OVERFLOW, client.transports(0)?.status)
}

fn probe_size<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let needed = client.transports(0)?.size;
    expect(needed, client.transports(ROOM)?.size)?;
    expect(Value::AtLeast(size_of::<WSK_TRANSPORT>() as u64), needed)
}

fn list<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let needed = client.transports(0)?.size;
    expect(STATUS_SUCCESS, client.transports(needed)?.status)
}

fn too_little<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let needed = client.transports(0)?.size;
    expect(STATUS_BUFFER_OVERFLOW, client.transports(needed.saturating_sub(1))?.status)
}

fn whole_entries<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(0_usize, client.transports(ROOM)?.size % size_of::<WSK_TRANSPORT>())
}

fn lists_udp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(true, client.transports(ROOM)?.has_datagrams(AF_INET))
}

fn lists_udp_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    client.needs_family(crate::client::LOCALHOST_V6)?;
    expect(true, client.transports(ROOM)?.has_datagrams(AF_INET6))
}

fn query_with_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let done = request::run(client.bench(), "WSK_TRANSPORT_LIST_QUERY with an IRP", |irp| {
        client.control(WSK_TRANSPORT_LIST_QUERY, NOTHING, NOTHING, irp).0
    })?;
    expect(Value::Failure, done.status)
}

fn change_without_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (status, _) = client.control(WSK_TRANSPORT_LIST_CHANGE, NOTHING, NOTHING, ptr::null_mut());
    expect(Value::Failure, status)
}

fn change_pends<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let request = Request::new(client.bench())?;
    let returned = request.start(|irp| client.control(WSK_TRANSPORT_LIST_CHANGE, NOTHING, NOTHING, irp).0);
    expect_at("it stays", true, request.stays_pending())?;
    expect(STATUS_PENDING, returned)
}

fn change_cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let request = Request::new(client.bench())?;
    let _returned = request.start(|irp| client.control(WSK_TRANSPORT_LIST_CHANGE, NOTHING, NOTHING, irp).0);
    request.cancel();
    expect(STATUS_CANCELLED, request.wait("WSK_TRANSPORT_LIST_CHANGE")?.status)
}

fn several_changes<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let requests = [Request::new(client.bench())?, Request::new(client.bench())?];
    for request in &requests {
        let _returned =
            request.start(|irp| client.control(WSK_TRANSPORT_LIST_CHANGE, NOTHING, NOTHING, irp).0);
    }
    let [first, second] = &requests;
    first.cancel();
    expect_at("the first", STATUS_CANCELLED, first.wait("WSK_TRANSPORT_LIST_CHANGE")?.status)?;
    expect_at("the second stays", true, second.stays_pending())?;
    second.cancel();
    expect(STATUS_CANCELLED, second.wait("WSK_TRANSPORT_LIST_CHANGE")?.status)
}

fn cached<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let (status, cached) = client.cache(descriptor.as_ptr());
    expect_at("WSK_CACHE_SD", STATUS_SUCCESS, status)?;
    let other = cached != descriptor.as_ptr().cast() && !cached.is_null();
    expect_at("WSK_RELEASE_SD", STATUS_SUCCESS, client.release_descriptor(cached))?;
    expect(true, other)
}

fn cached_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let (first, second) = (client.cache(descriptor.as_ptr()), client.cache(descriptor.as_ptr()));
    expect_at("the first WSK_CACHE_SD", STATUS_SUCCESS, first.0)?;
    expect_at("the second WSK_CACHE_SD", STATUS_SUCCESS, second.0)?;
    expect_at("the first WSK_RELEASE_SD", STATUS_SUCCESS, client.release_descriptor(first.1))?;
    expect(STATUS_SUCCESS, client.release_descriptor(second.1))
}

fn null_descriptor<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, client.cache(ptr::null_mut()).0)
}

/// Whether a socket of `other` has its receive event on from the start.
fn is_heard<K: Kernel>(client: &Client<'_, K>, other: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(other, LOCALHOST)?;
    DatagramSocket::bound(client, LOCALHOST)?.deliver(receiver.local()?, b"static")?;
    expect(true, receiver.event.seen(0)?.payload() == b"static")
}

fn static_events<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let all = WSK_EVENT_RECEIVE_FROM
        | WSK_EVENT_ACCEPT
        | WSK_EVENT_RECEIVE
        | WSK_EVENT_DISCONNECT
        | WSK_EVENT_SEND_BACKLOG;
    expect_at("WSK_SET_STATIC_EVENT_CALLBACKS", STATUS_SUCCESS, other.set_static_events(all))?;
    is_heard(client, &other)
}

fn static_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    client.bench().raise_calls();
    let status = other.set_static_events(WSK_EVENT_RECEIVE_FROM);
    expect_at("WSK_SET_STATIC_EVENT_CALLBACKS", STATUS_SUCCESS, status)?;
    is_heard(client, &other)
}

fn static_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let _socket = DatagramSocket::open(&other, LOCALHOST)?;
    expect(Value::Failure, other.set_static_events(WSK_EVENT_RECEIVE_FROM))
}

/// An interface that is not WSK's.
static STRANGE: GUID = GUID { Data1: 0xFEED_F00D, Data2: 1, Data3: 2, Data4: [3; 8] };

fn static_interface<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    expect(Value::Failure, other.set_static_events_as(&STRANGE, WSK_EVENT_RECEIVE_FROM, 16))
}

fn static_short<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let interface = &skua_engine::abi::wsk::NPI_WSK_INTERFACE_ID;
    expect(Value::Failure, other.set_static_events_as(interface, WSK_EVENT_RECEIVE_FROM, 8))
}

fn static_unknown<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    expect(Value::Failure, other.set_static_events(0x0100_0000))
}

fn tdi<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    expect(STATUS_SUCCESS, other.control_word(WSK_TDI_BEHAVIOR, WSK_TDI_BEHAVIOR_BYPASS_TDI))
}

fn tdi_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let _socket = DatagramSocket::open(&other, LOCALHOST)?;
    expect(Value::Failure, other.control_word(WSK_TDI_BEHAVIOR, WSK_TDI_BEHAVIOR_BYPASS_TDI))
}

fn tdi_short<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let mut byte = 1_u16;
    let input = ((&raw mut byte).cast(), 2);
    expect(Value::Failure, other.control(WSK_TDI_BEHAVIOR, input, NOTHING, ptr::null_mut()).0)
}

fn unknown<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, client.control(0x7777, NOTHING, NOTHING, ptr::null_mut()).0)
}
