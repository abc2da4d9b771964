//! The checks of sockets over TCP.

mod accept_event;
mod bind;
mod close;
mod conditional_accept;
mod connect;
mod connect_ex;
mod disconnect;
mod disconnect_event;
mod inherited_events;
mod inside;
mod inspect_id;
mod listen;
#[cfg(feature = "misuse")]
mod misuse;
mod options;
mod partial;
mod receive;
mod receive_event;
mod receive_flags;
mod retained;
mod returns;
mod send;
mod socket_connect;
mod stream;

pub(super) use accept_event::group as accept_event;
pub(super) use bind::group as bind;
pub(super) use close::group as close;
pub(super) use conditional_accept::group as conditional_accept;
pub(super) use connect::group as connect;
pub(super) use connect_ex::group as connect_ex;
pub(super) use disconnect::group as disconnect;
pub(super) use disconnect_event::group as disconnect_event;
pub(super) use inherited_events::group as inherited_events;
pub(super) use inside::group as inside;
pub(super) use inspect_id::group as inspect_id;
pub(super) use listen::group as listen;
#[cfg(feature = "misuse")]
pub(super) use misuse::group as misuse;
pub(super) use options::group as options;
pub(super) use partial::group as partial;
pub(super) use receive::group as receive;
pub(super) use receive_event::group as receive_event;
pub(super) use receive_flags::group as receive_flags;
pub(super) use retained::group as retained;
pub(super) use returns::group as returns;
pub(super) use send::group as send;
pub(super) use socket_connect::group as socket_connect;
pub(super) use stream::group as stream;
