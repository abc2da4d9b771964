//! WskBind and WskGetLocalAddress.

use core::net::{Ipv4Addr, SocketAddr};

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INVALID_DEVICE_STATE, STATUS_SUCCESS};

use crate::client::datagram::DatagramSocket;
use crate::client::{ANY, ANY_V6, Client, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { Bind;
    port_0: "port 0 becomes a port",
        "WskBind, LocalAddress";
    ports_differ: "port 0 is another port for every socket",
        "WskBind, LocalAddress";
    address_kept: "the address that was asked for is the local address",
        "WskGetLocalAddress";
    wildcard_kept: "the wildcard address stays the local address",
        "WskBind, LocalAddress; facts 5, WskGetLocalAddress";
    wildcard_v6: "the wildcard address of IPv6 stays the local address",
        "WskBind, LocalAddress; facts 5, WskGetLocalAddress";
    loopback_v6: "a socket of IPv6 is bound to an address of IPv6",
        "WskBind, LocalAddress";
    chosen_port: "a port that is free can be asked for",
        "WskBind, LocalAddress";
    in_use: "an address in use is ADDRESS_ALREADY_EXISTS",
        "WskBind, Return value: STATUS_ADDRESS_ALREADY_EXISTS";
    in_use_v6: "an address of IPv6 in use is ADDRESS_ALREADY_EXISTS",
        "WskBind, Return value: STATUS_ADDRESS_ALREADY_EXISTS";
    another_try: "a socket whose bind was refused can be bound to another address",
        "WskBind, Remarks";
    free_after_close: "an address is free when the close of its socket completes",
        "WskCloseSocket, Remarks";
    two_addresses: "two addresses do not share a port's use",
        "Sharing a transport address; facts 4";
    two_families: "a port of IPv4 and the same of IPv6 are two",
        "IPV6_V6ONLY; facts 5, WskBind";
    twice: "a bound socket is not bound again",
        "WskBind, Remarks";
    other_family: "an address of another family is refused",
        "WskBind, LocalAddress: the family of the socket";
    not_local: "an address that is not this machine's is refused",
        "WskBind, LocalAddress";
    flags: "a bind takes no flags",
        "WskBind, Flags: must be 0";
    raised: "a socket may be bound at DISPATCH_LEVEL",
        "WskBind, IRQL";
    address_raised: "the local address may be asked for at DISPATCH_LEVEL",
        "WskGetLocalAddress, IRQL";
    unbound: "a socket that is not bound has no local address",
        "WskGetLocalAddress, Return value: STATUS_INVALID_DEVICE_STATE";
    unbound_after_refusal: "a refused bind leaves the socket unbound",
        "WskBind, Return value";
}

fn port_0<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::AtLeast(1), socket.local()?.port())
}

fn ports_differ<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::bound(client, LOCALHOST)?;
    expect(true, first.local()? != second.local()?)
}

/// Binds to `local`, and compares the address without its port.
fn kept<K: Kernel>(client: &Client<'_, K>, local: SocketAddr) -> Verdict {
    let socket = DatagramSocket::bound(client, local)?;
    let seen = socket.local()?;
    expect(local, SocketAddr::new(seen.ip(), 0))
}

fn address_kept<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    kept(client, LOCALHOST)
}

fn wildcard_kept<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    kept(client, ANY)
}

fn wildcard_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    kept(client, ANY_V6)
}

fn loopback_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    kept(client, LOCALHOST_V6)
}

fn chosen_port<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let local = first.local()?;
    first.close()?.succeeds("WskCloseSocket")?;
    let second = DatagramSocket::bound(client, local)?;
    expect(local, second.local()?)
}

fn in_use<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_ADDRESS_ALREADY_EXISTS, second.bind(first.local()?)?)
}

fn in_use_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST_V6)?;
    let second = DatagramSocket::open(client, LOCALHOST_V6)?;
    expect(STATUS_ADDRESS_ALREADY_EXISTS, second.bind(first.local()?)?)
}

fn another_try<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::open(client, LOCALHOST)?;
    expect_at("the first try", Value::Failure, second.bind(first.local()?)?)?;
    expect(STATUS_SUCCESS, second.bind(LOCALHOST)?)
}

fn free_after_close<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::hearing(client, LOCALHOST)?;
    let local = first.local()?;
    first.close()?.succeeds("WskCloseSocket")?;
    let second = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_SUCCESS, second.bind(local)?)
}

fn two_addresses<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::open(client, LOCALHOST)?;
    let other = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), first.local()?.port());
    expect(STATUS_SUCCESS, second.bind(other)?)
}

fn two_families<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::open(client, LOCALHOST_V6)?;
    expect(STATUS_SUCCESS, second.bind(SocketAddr::new(LOCALHOST_V6.ip(), first.local()?.port()))?)
}

fn twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.bind(LOCALHOST)?)
}

fn other_family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect(Value::Failure, socket.bind(LOCALHOST_V6)?)
}

fn not_local<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // For documentation (RFC 5737), so nobody's.
    let elsewhere = SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 0);
    let socket = DatagramSocket::open(client, elsewhere)?;
    expect(Value::Failure, socket.bind(elsewhere)?)
}

fn flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect(Value::Failure, socket.bind_with(LOCALHOST, 1)?.status)
}

fn raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    client.bench().raise_calls();
    expect(STATUS_SUCCESS, socket.bind(LOCALHOST)?)
}

fn address_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    client.bench().raise_calls();
    expect(STATUS_SUCCESS, socket.local_address()?.0)
}

fn unbound<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, socket.local_address()?.0)
}

fn unbound_after_refusal<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::open(client, LOCALHOST)?;
    expect_at("WskBind", Value::Failure, second.bind(first.local()?)?)?;
    expect(STATUS_INVALID_DEVICE_STATE, second.local_address()?.0)
}
