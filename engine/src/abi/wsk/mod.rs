//! Winsock Kernel's ABI: what client and provider call each other with.
//!
//! * Registration: a client fills a [`WSK_CLIENT_NPI`], registers it, captures a [`WSK_PROVIDER_NPI`], and calls
//!   through its [`WSK_PROVIDER_DISPATCH`].
//! * Sockets: [`WSK_SOCKET`] begins with the address of a table that depends on the category it was created in.
//!   [`WSK_PROVIDER_BASIC_DISPATCH`] is the beginning of all of them.
//! * Categories, each with the client's and the provider's table and the functions in them: listening
//!   ([`WSK_PROVIDER_LISTEN_DISPATCH`]), datagram ([`WSK_PROVIDER_DATAGRAM_DISPATCH`]), connection
//!   ([`WSK_PROVIDER_CONNECTION_DISPATCH`]), stream ([`WSK_PROVIDER_STREAM_DISPATCH`]).
//! * Data: [`WSK_BUF`], [`WSK_BUF_LIST`], [`WSK_DATAGRAM_INDICATION`], [`WSK_DATA_INDICATION`].
//! * Controls of the client and of sockets, events, flags.
//! * Name resolution: [`ADDRINFOEXW`].
//!
//! What is said of a function is what the Windows driver documentation says on the page of its C name, unless another
//! source is named.
//!
//! A function that takes an IRP completes it exactly once, possibly before it returns: `STATUS_PENDING` says that the
//! IRP completes later, anything else what it was completed with. Tables have no length; a later Windows appends to
//! them, so what a slot needs is told by its documentation and must be made sure of before the slot is read.

mod address_info;
mod basic;
mod buffer;
mod client_control;
mod connection;
mod datagram;
mod event;
mod listen;
mod provider;
mod registration;
mod socket_control;
mod stream;

pub use address_info::*;
pub use basic::*;
pub use buffer::*;
pub use client_control::*;
pub use connection::*;
pub use datagram::*;
pub use event::*;
pub use listen::*;
pub use provider::*;
pub use registration::*;
pub use socket_control::*;
pub use stream::*;
