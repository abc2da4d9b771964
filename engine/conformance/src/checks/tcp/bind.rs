//! WskBind of listening sockets, and the addresses that they have.

use core::net::SocketAddr;

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{IPPROTO_IPV6, IPV6_V6ONLY};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use super::listen::{connection, listener};
use crate::client::tcp::{Kind, StreamSocket, join};
use crate::client::{ANY_V6, Client, LOCALHOST, LOCALHOST_V6};
use crate::outcome::{Verdict, expect, expect_at};

checks! { Listen;
    address: "a listening socket has an address once it is bound",
        "WskBind";
    no_address: "a listening socket has no address before it is bound",
        "WskGetLocalAddress, Remarks: a socket that is bound";
    listens: "a listening socket that is bound takes connections",
        "WskBind, Remarks: listening sockets";
    bound_once: "a listening socket is bound once",
        "WskBind, Remarks";
    in_use: "an address that is listened at is in use",
        "WskBind, Return value: STATUS_ADDRESS_ALREADY_EXISTS";
    family: "a listening socket is bound to an address of its family",
        "WskBind, LocalAddress";
    ipv6: "IPv6 is listened at",
        "WskSocket, AddressFamily";
    ipv6_only: "a wildcard of IPv6 does not take IPv4",
        "IPPROTO_IPV6 socket options: IPV6_V6ONLY is on by default";
    dual: "a wildcard of IPv6 with IPV6_V6ONLY off takes IPv4 under mapped addresses",
        "IPPROTO_IPV6 socket options: IPV6_V6ONLY";
    bind_flags: "binding a listening socket takes no flags",
        "WskBind, Flags: must be 0";
}

fn address<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let local = listener(client)?.local()?;
    expect_at("the address", true, local.ip() == LOCALHOST.ip())?;
    expect(true, local.port() != 0)
}

fn no_address<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    expect(STATUS_INVALID_DEVICE_STATE, listener.local_address()?.0)
}

fn listens<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = listener(client)?;
    expect(STATUS_SUCCESS, connection(client)?.connect(listener.local()?)?)
}

fn bound_once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(STATUS_INVALID_DEVICE_STATE, listener(client)?.bind(LOCALHOST)?)
}

fn in_use<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = listener(client)?;
    let second = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    expect(STATUS_ADDRESS_ALREADY_EXISTS, second.bind(first.local()?)?)
}

fn family<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    expect(STATUS_INVALID_PARAMETER, listener.bind(LOCALHOST_V6)?)
}

fn ipv6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST_V6)?;
    let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST_V6)?;
    let far = join(&near, &listener)?;
    expect(near.local()?, far.remote()?)
}

fn ipv6_only<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::bound(client, Kind::Listen, ANY_V6)?;
    let mut remote = LOCALHOST;
    remote.set_port(listener.local()?.port());
    expect(STATUS_CONNECTION_REFUSED, connection(client)?.connect(remote)?)
}

fn dual<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, ANY_V6)?;
    expect_at("IPV6_V6ONLY", STATUS_SUCCESS, listener.set(IPPROTO_IPV6, IPV6_V6ONLY, 0)?)?;
    expect_at("WskBind", STATUS_SUCCESS, listener.bind(ANY_V6)?)?;
    let mut remote = LOCALHOST;
    remote.set_port(listener.local()?.port());
    let near = connection(client)?;
    expect_at("WskConnect", STATUS_SUCCESS, near.connect(remote)?)?;
    let expected = match near.local()? {
        SocketAddr::V4(local) => SocketAddr::new(local.ip().to_ipv6_mapped().into(), local.port()),
        local => local,
    };
    expect(expected, listener.accept()?.remote()?)
}

fn bind_flags<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let listener = StreamSocket::open(client, Kind::Listen, LOCALHOST)?;
    expect(STATUS_INVALID_PARAMETER, listener.bind_with(LOCALHOST, 1)?.status)
}
