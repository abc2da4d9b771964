//! Name resolution. Only what needs no name server: numbers, and names that there are none of.

use core::net::{Ipv4Addr, SocketAddr};

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, SOCK_DGRAM};
use skua_engine::abi::status::{STATUS_NO_MATCH, STATUS_SUCCESS};
use skua_engine::abi::wsk::{AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE, NI_NUMERICHOST, NI_NUMERICSERV};

use crate::client::names::{Hints, Name};
use crate::client::{Client, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { Names;
    number: "an address in numbers is itself",
        "WskGetAddressInfo, NodeName; AI_NUMERICHOST";
    number_v6: "an address of IPv6 in numbers is itself",
        "WskGetAddressInfo, NodeName; AI_NUMERICHOST";
    port: "a service in numbers is a port",
        "WskGetAddressInfo, ServiceName; AI_NUMERICSERV";
    family: "addresses are of the family that is asked for",
        "WskGetAddressInfo, Hints: ai_family";
    other_family: "an address in numbers of another family is no match",
        "WskGetAddressInfo, Hints: ai_family";
    no_number: "a name where a number is asked for is no match",
        "WskGetAddressInfo, Return value: STATUS_NO_MATCH; AI_NUMERICHOST";
    passive: "without a node a passive address is the wildcard",
        "WskGetAddressInfo, NodeName; AI_PASSIVE";
    active: "without a node an address is the loopback's",
        "WskGetAddressInfo, NodeName";
    nothing: "node and service are not both left out",
        "WskGetAddressInfo, NodeName and ServiceName";
    localhost: "localhost is the loopback address",
        "WskGetAddressInfo, NodeName";
    repeated: "a list is freed, and another asked for",
        "WskFreeAddressInfo";
    name: "an address is told in numbers where that is asked for",
        "WskGetNameInfo, NodeName; NI_NUMERICHOST";
    service: "a port is told in numbers where that is asked for",
        "WskGetNameInfo, ServiceName; NI_NUMERICSERV";
    no_names: "name and service are not both left out",
        "WskGetNameInfo, NodeName and ServiceName";
    short_address: "an address that is too short is refused",
        "WskGetNameInfo, SockAddrLength";
    no_room: "a name that has no room is refused",
        "WskGetNameInfo, NodeName";
}

fn number<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_NUMERICHOST, ..Hints::default() };
    let found = client.addresses(Some("192.0.2.7"), None, hints)?;
    found.done.succeeds("WskGetAddressInfo")?;
    let address = SocketAddr::new(Ipv4Addr::new(192, 0, 2, 7).into(), 0);
    expect(address, found.iter().next().unwrap_or(LOCALHOST))
}

fn number_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_NUMERICHOST, ..Hints::default() };
    let found = client.addresses(Some("::1"), None, hints)?;
    found.done.succeeds("WskGetAddressInfo")?;
    expect(LOCALHOST_V6, found.iter().next().unwrap_or(LOCALHOST))
}

fn port<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let flags = AI_NUMERICHOST | AI_NUMERICSERV;
    let found = client.addresses(Some("127.0.0.1"), Some("5140"), Hints { flags, ..Hints::default() })?;
    found.done.succeeds("WskGetAddressInfo")?;
    expect(SocketAddr::new(LOCALHOST.ip(), 5140), found.iter().next().unwrap_or(LOCALHOST))
}

fn family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { family: AF_INET.into(), socket_type: SOCK_DGRAM.into(), ..Hints::default() };
    let found = client.addresses(Some("localhost"), None, hints)?;
    found.done.succeeds("WskGetAddressInfo")?;
    expect_at("some", true, found.iter().next().is_some())?;
    expect(true, found.iter().all(|address| address.is_ipv4()))
}

fn other_family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_NUMERICHOST, family: AF_INET6.into(), ..Hints::default() };
    let found = client.addresses(Some("127.0.0.1"), None, hints)?;
    expect(Value::Failure, found.done.status)
}

fn no_number<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_NUMERICHOST, ..Hints::default() };
    expect(STATUS_NO_MATCH, client.addresses(Some("no-number"), None, hints)?.done.status)
}

fn passive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_PASSIVE | AI_NUMERICSERV, family: AF_INET.into(), ..Hints::default() };
    let found = client.addresses(None, Some("9"), hints)?;
    found.done.succeeds("WskGetAddressInfo")?;
    let wildcard = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 9);
    expect(wildcard, found.iter().next().unwrap_or(LOCALHOST))
}

fn active<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_NUMERICSERV, family: AF_INET.into(), ..Hints::default() };
    let found = client.addresses(None, Some("9"), hints)?;
    found.done.succeeds("WskGetAddressInfo")?;
    expect(SocketAddr::new(LOCALHOST.ip(), 9), found.iter().next().unwrap_or(LOCALHOST))
}

fn nothing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, client.addresses(None, None, Hints::default())?.done.status)
}

fn localhost<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let found = client.addresses(Some("localhost"), None, Hints::default())?;
    found.done.succeeds("WskGetAddressInfo")?;
    expect_at("some", true, found.iter().next().is_some())?;
    expect(true, found.iter().all(|address| address.ip().is_loopback()))
}

fn repeated<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let hints = Hints { flags: AI_NUMERICHOST, ..Hints::default() };
    for _ in 0..10 {
        client.addresses(Some("127.0.0.1"), None, hints)?.done.succeeds("WskGetAddressInfo")?;
    }
    expect(STATUS_SUCCESS, client.addresses(Some("127.0.0.1"), None, hints)?.done.status)
}

/// Bytes of a SOCKADDR_IN.
const SOCKADDR_IN_BYTES: u32 = 16;

fn name<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let node = Name::room(client, 64)?;
    let done = client.names(LOCALHOST, SOCKADDR_IN_BYTES, Some(&node), None, NI_NUMERICHOST)?;
    done.succeeds("WskGetNameInfo")?;
    expect(true, node.is("127.0.0.1"))
}

fn service<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let service = Name::room(client, 64)?;
    let address = SocketAddr::new(LOCALHOST.ip(), 5140);
    let done = client.names(address, SOCKADDR_IN_BYTES, None, Some(&service), NI_NUMERICSERV)?;
    done.succeeds("WskGetNameInfo")?;
    expect(true, service.is("5140"))
}

fn no_names<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, client.names(LOCALHOST, SOCKADDR_IN_BYTES, None, None, NI_NUMERICHOST)?.status)
}

fn short_address<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let node = Name::room(client, 64)?;
    expect(Value::Failure, client.names(LOCALHOST, 7, Some(&node), None, NI_NUMERICHOST)?.status)
}

fn no_room<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let node = Name::room(client, 2)?;
    let done = client.names(LOCALHOST, SOCKADDR_IN_BYTES, Some(&node), None, NI_NUMERICHOST)?;
    expect(Value::Failure, done.status)
}
