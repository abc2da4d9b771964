//! Binding, and which addresses are shared.

use skua_engine::Kernel;
use skua_engine::abi::status::STATUS_ADDRESS_ALREADY_EXISTS;

use crate::client::datagram::DatagramSocket;
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Verdict, expect};

checks! { Bind;
    port_0: "port 0 becomes a port",
        "WskBind, LocalAddress";
    in_use: "an address in use is refused",
        "WskBind, Return value: STATUS_ADDRESS_ALREADY_EXISTS";
}

fn port_0<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(true, socket.local()?.port() != 0)
}

fn in_use<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    let second = DatagramSocket::open(client, LOCALHOST)?;
    expect(STATUS_ADDRESS_ALREADY_EXISTS, second.bind(first.local()?)?)
}
