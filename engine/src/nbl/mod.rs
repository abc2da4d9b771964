//! Network buffer lists: datagrams that filters of WFP and NDIS have in their hands, and sending such lists.
//!
//! A filter is handed packets as NET_BUFFER_LISTs. [`NblSource::receive`] walks one and hands the datagrams in it to the
//! engine's [`Handler`](crate::Handler), in batches and in place, as if a socket had brought them: the same admission, the same
//! counters, the same sink. [`DatagramSocket::send_nbl`](crate::DatagramSocket::send_nbl) sends the datagrams of a list by one
//! WskSendMessages, out of the list's own memory.
//!
//! # Life cycle
//!
//! 1. [`Engine::open_nbl_source`](crate::Engine::open_nbl_source), before the filter is registered.
//! 2. [`NblSource::receive`] from the filter's callback, on any processor.
//! 3. [`NblSource::stop`] when the filter is to go: from then on what comes is counted as `closing`. It leaves a [`Drain`], which is
//!    held while the filter is unregistered (FwpsCalloutUnregisterById, NdisFDeregisterFilterDriver): that call ends only when
//!    no callback is under way.
//! 4. [`Drain::wait`], after that and before the engine is dropped: it ends when every datagram that a handler kept has come back.

mod send;
mod source;
mod walk;

pub use send::{NblList, Reserved};
pub use source::{Drain, NblFacts, NblSource, OpenNblSourceError};
