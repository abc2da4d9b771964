//! Which addresses two sockets of one process share: every pair of a first and a second bind.

use core::net::SocketAddr;

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{SO_EXCLUSIVEADDRUSE, SO_REUSEADDR, SOL_SOCKET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_SUCCESS,
};

use crate::client::datagram::DatagramSocket;
use crate::client::{ANY, Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

/// How a socket is bound: how its address is shared, and whether it is the wildcard.
#[derive(Clone, Copy)]
enum Use {
    DefaultWildcard,
    DefaultSpecific,
    ReuseWildcard,
    ReuseSpecific,
    ExclusiveWildcard,
    ExclusiveSpecific,
}

use Use::{
    DefaultSpecific, DefaultWildcard, ExclusiveSpecific, ExclusiveWildcard, ReuseSpecific, ReuseWildcard,
};

/// Both bind.
const SHARED: &[NTSTATUS] = &[STATUS_SUCCESS];
/// The address is in use.
const IN_USE: &[NTSTATUS] = &[STATUS_ADDRESS_ALREADY_EXISTS];
/// It is not shared.
const DENIED: &[NTSTATUS] = &[STATUS_ACCESS_DENIED];
/// The first socket's security descriptor decides, and the default one lets nobody in but its owner.
const CHECKED: &[NTSTATUS] = &[STATUS_SUCCESS, STATUS_ACCESS_DENIED];

/// A table of pairs: the second bind, the first, and what the second is to end with.
macro_rules! pairs {
    ($($body:ident: $second:ident, $first:ident, $expected:ident, $name:literal;)+) => {
        checks! { Bind;
            $($body: $name, "SO_EXCLUSIVEADDRUSE, table of two binds; facts 4, Bind sharing matrix";)+
        }

        $(fn $body<K: Kernel>(client: &Client<'_, K>) -> Verdict {
            pair(client, $first, $second, $expected)
        })+
    };
}

pairs! {
    dw_dw: DefaultWildcard, DefaultWildcard, IN_USE, "default wildcard after default wildcard";
    dw_ds: DefaultWildcard, DefaultSpecific, SHARED, "default wildcard after default specific";
    dw_rw: DefaultWildcard, ReuseWildcard, IN_USE, "default wildcard after reuse wildcard";
    dw_rs: DefaultWildcard, ReuseSpecific, SHARED, "default wildcard after reuse specific";
    dw_xw: DefaultWildcard, ExclusiveWildcard, IN_USE, "default wildcard after exclusive wildcard";
    dw_xs: DefaultWildcard, ExclusiveSpecific, SHARED, "default wildcard after exclusive specific";
    ds_dw: DefaultSpecific, DefaultWildcard, CHECKED, "default specific after default wildcard";
    ds_ds: DefaultSpecific, DefaultSpecific, IN_USE, "default specific after default specific";
    ds_rw: DefaultSpecific, ReuseWildcard, CHECKED, "default specific after reuse wildcard";
    ds_rs: DefaultSpecific, ReuseSpecific, DENIED, "default specific after reuse specific";
    ds_xw: DefaultSpecific, ExclusiveWildcard, DENIED, "default specific after exclusive wildcard";
    ds_xs: DefaultSpecific, ExclusiveSpecific, IN_USE, "default specific after exclusive specific";
    rw_dw: ReuseWildcard, DefaultWildcard, DENIED, "reuse wildcard after default wildcard";
    rw_ds: ReuseWildcard, DefaultSpecific, SHARED, "reuse wildcard after default specific";
    rw_rw: ReuseWildcard, ReuseWildcard, SHARED, "reuse wildcard after reuse wildcard";
    rw_rs: ReuseWildcard, ReuseSpecific, SHARED, "reuse wildcard after reuse specific";
    rw_xw: ReuseWildcard, ExclusiveWildcard, DENIED, "reuse wildcard after exclusive wildcard";
    rw_xs: ReuseWildcard, ExclusiveSpecific, SHARED, "reuse wildcard after exclusive specific";
    rs_dw: ReuseSpecific, DefaultWildcard, CHECKED, "reuse specific after default wildcard";
    rs_ds: ReuseSpecific, DefaultSpecific, DENIED, "reuse specific after default specific";
    rs_rw: ReuseSpecific, ReuseWildcard, SHARED, "reuse specific after reuse wildcard";
    rs_rs: ReuseSpecific, ReuseSpecific, SHARED, "reuse specific after reuse specific";
    rs_xw: ReuseSpecific, ExclusiveWildcard, DENIED, "reuse specific after exclusive wildcard";
    rs_xs: ReuseSpecific, ExclusiveSpecific, DENIED, "reuse specific after exclusive specific";
    xw_dw: ExclusiveWildcard, DefaultWildcard, IN_USE, "exclusive wildcard after default wildcard";
    xw_ds: ExclusiveWildcard, DefaultSpecific, IN_USE, "exclusive wildcard after default specific";
    xw_rw: ExclusiveWildcard, ReuseWildcard, IN_USE, "exclusive wildcard after reuse wildcard";
    xw_rs: ExclusiveWildcard, ReuseSpecific, IN_USE, "exclusive wildcard after reuse specific";
    xw_xw: ExclusiveWildcard, ExclusiveWildcard, IN_USE, "exclusive wildcard after exclusive wildcard";
    xw_xs: ExclusiveWildcard, ExclusiveSpecific, IN_USE, "exclusive wildcard after exclusive specific";
    xs_dw: ExclusiveSpecific, DefaultWildcard, CHECKED, "exclusive specific after default wildcard";
    xs_ds: ExclusiveSpecific, DefaultSpecific, IN_USE, "exclusive specific after default specific";
    xs_rw: ExclusiveSpecific, ReuseWildcard, CHECKED, "exclusive specific after reuse wildcard";
    xs_rs: ExclusiveSpecific, ReuseSpecific, IN_USE, "exclusive specific after reuse specific";
    xs_xw: ExclusiveSpecific, ExclusiveWildcard, DENIED, "exclusive specific after exclusive wildcard";
    xs_xs: ExclusiveSpecific, ExclusiveSpecific, IN_USE, "exclusive specific after exclusive specific";
}

impl Use {
    /// A socket that is to be bound so, and its address without a port.
    fn open<'c, K: Kernel>(
        self,
        client: &'c Client<'_, K>,
    ) -> Result<(DatagramSocket<'c, K>, SocketAddr), Outcome> {
        let wildcard = matches!(self, DefaultWildcard | ReuseWildcard | ExclusiveWildcard);
        let local = if wildcard { ANY } else { LOCALHOST };
        let option = match self {
            DefaultWildcard | DefaultSpecific => None,
            ReuseWildcard | ReuseSpecific => Some(SO_REUSEADDR),
            ExclusiveWildcard | ExclusiveSpecific => Some(SO_EXCLUSIVEADDRUSE),
        };
        let socket = DatagramSocket::open(client, local)?;
        if let Some(option) = option {
            expect_at("how it is shared", STATUS_SUCCESS, socket.set(SOL_SOCKET, option, 1)?)?;
        }
        Ok((socket, local))
    }
}

/// Binds a first socket, and a second to its port. A port that another program has in some way answers as if it were the
/// first socket's, so a difference is looked at again with other ports.
fn pair<K: Kernel>(
    client: &Client<'_, K>,
    first: Use,
    second: Use,
    expected: &'static [NTSTATUS],
) -> Verdict {
    const TRIES: usize = 4;
    let expected = Value::AnyOf(expected);
    let mut verdict = Err(Outcome::NotApplicable { why: "no port to try with" });
    for _ in 0..TRIES {
        let (one, local) = first.open(client)?;
        expect_at("the first WskBind", STATUS_SUCCESS, one.bind(local)?)?;
        let (two, local) = second.open(client)?;
        verdict = expect(expected, two.bind(SocketAddr::new(local.ip(), one.local()?.port()))?);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}
