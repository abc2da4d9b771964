//! SIO_WSK_QUERY_INSPECT_ID.

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};
use skua_engine::abi::wsk::{SIO_WSK_QUERY_INSPECT_ID, WSK_INSPECT_ID, WskInspectAccept, WskIoctl};

use super::conditional_accept::{Asking, asking};
use crate::client::Client;
use crate::client::handle::Control;
use crate::client::tcp::{Pair, StreamSocket};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

const QUERY: Control<'_> = Control {
    kind: WskIoctl,
    code: SIO_WSK_QUERY_INSPECT_ID,
    level: 0,
    input: &[],
    output: size_of::<WSK_INSPECT_ID>(),
};

checks! { Listen;
    query: "an accepted socket tells the identity that it was inspected under",
        "SIO_WSK_QUERY_INSPECT_ID";
    query_with_irp: "the identity of an inspection is asked for without an IRP",
        "SIO_WSK_QUERY_INSPECT_ID: Irp is NULL";
    query_elsewhere: "a socket that was not inspected has no identity",
        "SIO_WSK_QUERY_INSPECT_ID: STATUS_INVALID_DEVICE_REQUEST";
}

/// A socket that was inspected and accepted, its identity, and what it hangs on.
#[expect(clippy::type_complexity, reason = "three parts, named by what takes them apart")]
fn inspected<'c, K: Kernel>(
    client: &'c Client<'_, K>,
) -> Result<(StreamSocket<'c, K>, WSK_INSPECT_ID, Asking<'c, K>, StreamSocket<'c, K>), Outcome> {
    let listener = asking(client, WskInspectAccept)?;
    let asked = Asking::new(client, &listener)?;
    let id = listener.event.inspection(0)?.id;
    let far = listener.accept()?;
    Ok((far, id, asked, listener))
}

fn query<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (far, id, _asked, _listener) = inspected(client)?;
    let (status, seen) = far.query_inspect_id()?;
    expect_at("SIO_WSK_QUERY_INSPECT_ID", STATUS_SUCCESS, status)?;
    expect_at("of the same identity", true, seen == id)
}

fn query_with_irp<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (far, _id, _asked, _listener) = inspected(client)?;
    expect_at("a success", false, far.control(QUERY)?.done.status.is_success())
}

fn query_elsewhere<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let pair = Pair::new(client)?;
    expect(STATUS_INVALID_DEVICE_REQUEST, pair.far.control_inline(QUERY)?.0)
}
