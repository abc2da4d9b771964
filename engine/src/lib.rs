//! A datagram engine on Winsock Kernel (WSK).
//!
//! Datagrams that the network stack indicates are handled in place, inside the receive callback, from memory that was set
//! aside before the first one came. The engine meets WSK in its C ABI and the kernel in [`Kernel`], so that the same source
//! runs in a Windows driver and, over a provider in user mode, on any host.
//!
//! # Life cycle
//!
//! 1. [`Registration::register`] makes a WSK client; [`Registration::capture`] waits for the provider.
//! 2. [`Engine::open`] takes all memory: a shard for each processor, pools, tables. The [`Handler`] is fixed from here on.
//! 3. [`Engine::open_socket`] opens sockets; a [`Listener`] opens one again when it dies. Their datagrams reach
//!    [`Handler::receive`] in batches, on any processor.
//! 4. [`DatagramSocket::send`] and [`DatagramSocket::send_batch`] send from pooled contexts.
//! 5. [`DatagramSocket::stop`], then [`DatagramSocket::close`]: callbacks and [`Retained`] datagrams come back first.
//! 6. Drop the [`Provider`]; [`Registration::close`] waits for what is left and deregisters.
//!
//! # A handler
//!
//! The code that sees each datagram. `EMBEDDING.md`, beside this crate, has the rest of a program, and what a driver adds.
//!
//! ```
//! use skua_engine::{Batch, DropReason, Handler, Kernel, Passive};
//!
//! /// Drops what is longer than it may be, and counts the rest.
//! struct Limit {
//!     bytes: usize,
//! }
//!
//! impl<K: Kernel> Handler<K> for Limit {
//!     /// What one processor counts: no lock, no atomic.
//!     type Shard = u64;
//!
//!     fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> u64 {
//!         0
//!     }
//!
//!     fn receive(&self, seen: &mut u64, batch: &mut Batch<'_, K>) {
//!         while let Some(datagram) = batch.next_datagram() {
//!             if datagram.payload().len() > self.bytes {
//!                 datagram.refuse(DropReason::Handler);
//!             } else {
//!                 *seen += 1;
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! # Life cycle of sockets by request
//!
//! Sockets over TCP, basic sockets, names and transports need no engine:
//!
//! 1. [`Registration::register`] and [`Registration::capture`], as above.
//! 2. [`Requests::open`] takes the slots of requests, each with an IRP, a waker's place and a [`Buffer`];
//!    [`Connections::open`] the memory of connections. Nothing but opening a listening or a basic socket allocates after that.
//! 3. [`SocketBuilder`] makes a [`ListenSocket`], a [`ConnectionSocket`], a [`StreamSocket`] or a [`BasicSocket`]; what may be
//!    asked of it is in its type. [`Provider::address_info`] resolves names.
//! 4. Each question is a [`Pending`]: await it, [wait](Pending::wait) up to a deadline, leave a
//!    [function](Pending::on_completion) to it, or drop it. Connections and data that nobody asked for reach a
//!    [`ListenHandler`] and [`ConnectionHandler`]s.
//! 5. [`Requests::serve`], by a thread at PASSIVE_LEVEL, calls the wakers that completions may not.
//! 6. `close` each socket, or drop it; drop the [`Provider`]; [`Registration::close`].
//!
//! # Types
//!
//! * [`Kernel`]: what the engine asks of the kernel around it; [`Passive`], [`Dispatch`]: levels as values.
//! * [`Handler`], [`Batch`], [`Datagram`], [`Payload`], [`Retained`]: what an embedder's code sees.
//! * [`Outlet`]: a socket that a handler sends through from inside its callbacks.
//! * [`Sink`]: the handler that writes records into rings; [`Admission`](admission::Admission): who is let in.
//! * [`ListenSocket`], [`ConnectionSocket`], [`StreamSocket`], [`BasicSocket`], made by a [`SocketBuilder`];
//!   [`Unbound`], [`Bound`], [`Connected`], [`Listening`]: their states. [`Controlled`]: options of any of them.
//! * [`ListenHandler`], [`Arriving`], [`ConnectionHandler`], [`Indication`], [`Verdict`], [`RetainedData`]: their events.
//! * [`Requests`], [`Pending`], [`Buffer`], [`WakeAtDispatch`]: requests, as futures and otherwise.
//! * [`AddressList`], [`Names`]: what names and addresses resolve to.
//! * [`Stats`], [`DropReason`]: every datagram ends in one counter.
//! * [`nbl`]: datagrams inside the network buffer lists of filters.
//! * [`abi`]: WSK and NT as C declares them.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod admission;
pub mod nbl;

mod address;
mod anchor;
mod buffers;
mod client;
mod closing;
mod deadline;
mod engine;
mod handler;
mod kernel;
mod listener;
mod names;
mod operation;
mod prefetch;
mod processor;
mod reason;
mod receive;
mod registration;
mod request;
mod security;
mod send;
mod sink;
mod socket;
mod stats;
mod transports;

pub use address::{Address, Endpoint};
pub use client::{
    Acceptance, Accepting, AddressOf, Arriving, BasicSocket, Bound, Connected, ConnectionEvents,
    ConnectionHandler, ConnectionSocket, Connections, Controlled, Done, EndOfStream, Family, Indication,
    Indications, InspectId, Inspection, ListenHandler, ListenSocket, Listening, Moved, NoHandler, Opening,
    RetainedData, SocketBuilder, StreamConnector, StreamListener, StreamSocket, Unbound, Value, Verdict,
};
pub use closing::Outstanding;
pub use engine::{BeyondBudget, Config, Engine, OpenError, Retention};
pub use handler::{Batch, Datagram, Handler};
pub use kernel::Kernel;
pub use listener::{Listener, ListenerFailure, ListenerState, ListenerStats, Memberships};
pub use names::{AddressList, NameQuery, Names, Naming, Resolving};
pub use operation::Completion;
pub use processor::{Dispatch, Passive};
pub use reason::DropReason;
pub use receive::payload::Payload;
pub use receive::retained::Retained;
pub use registration::{CaptureError, DeregisterError, Events, Provider, RegisterError, Registration};
pub use request::{
    Buffer, DispatchWaker, Finish, Pending, RequestError, Requests, RequestsConfig, WaitError, WakeAtDispatch,
};
pub use security::{CacheError, SecurityDescriptor};
pub use send::batch::{SendBatch, SendError};
pub use send::context::CallersBuffer;
pub use send::control::SendOptions;
pub use sink::{ShardStats, Sink, SinkConfig, SinkError, SinkShard, SinkStats, Wake};
pub use socket::{
    CloseError, DatagramSocket, Info, Membership, MembershipError, OpenSocketError, OpenStep, Outlet,
    OutletBusy, Owner, Sharing, SocketOptions, Wanted,
};
pub use stats::Stats;
pub use transports::TransportsError;
