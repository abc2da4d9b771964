//! WskSocket and its parameters.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_FLAG_DATAGRAM_SOCKET, WSK_FLAG_LISTEN_SOCKET};

use crate::check::{Category, Check, Group};
use crate::client::{Arguments, Client, LOCALHOST};
use crate::outcome::{Verdict, expect};

pub(super) const fn group<K: Kernel>() -> Group<K> {
    Group {
        category: Category::Creation,
        checks: &const {
            [
                Check::contract(
                    "WskSocket gives the new socket in IoStatus.Information",
                    "WskSocket, Return value",
                    information,
                ),
                Check::contract("a socket is of exactly one category", "WskSocket, Flags", two_categories),
            ]
        },
    }
}

fn information<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let created = client.create(Arguments::datagram(LOCALHOST))?;
    expect(STATUS_SUCCESS, created.done.status)?;
    expect(true, created.handle.is_some())
}

fn two_categories<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let flags = WSK_FLAG_DATAGRAM_SOCKET | WSK_FLAG_LISTEN_SOCKET;
    let created = client.create(Arguments { flags, ..Arguments::datagram(LOCALHOST) })?;
    expect(STATUS_INVALID_PARAMETER, created.done.status)
}
