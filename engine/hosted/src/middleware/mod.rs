//! What stands between clients and a provider, and sees, or changes, everything that passes.
//!
//! A [`Layer`] is a WSK provider in front of a WSK provider, as a filter driver is a driver in front of a driver: it has
//! tables, sockets and client tables of its own, hands the provider below packets of its own, and completes the client's
//! packet when the provider has completed that. The provider below may be any that a WSK_PROVIDER_NPI leads to.
//!
//! # A call
//!
//! 1. The client calls a function of the layer's table, on the layer's client or socket.
//! 2. Each [`Middleware`] in turn, first to last, gets the [`Call`], and passes it on, changed or not, answers it itself,
//!    or keeps it.
//! 3. The last one passes it to the provider below, with a packet of the layer's. A cancellation of the client's packet
//!    goes down at any time.
//! 4. When the provider completes that packet, inside the call or later, each middleware gets the [`Completion`], last to
//!    first; then the client's packet is completed. It is marked pending if the one below was.
//! 5. What the call returns goes back the same way.
//!
//! Callbacks come up as [`Event`]s, from the last middleware to the first, and the answer goes back down.
//!
//! Nothing of this is there, and nothing of it costs, where [`ProviderConfig::middleware`](crate::ProviderConfig) is empty.

mod arguments;
mod call;
mod callbacks;
mod completion;
mod event;
mod functions;
mod layer;
mod lower;
pub mod mutation;
mod packet;
pub mod quirk;
mod socket;
mod table;

use std::fmt;

use skua_engine::abi::status::NTSTATUS;

pub use self::arguments::{Arguments, Function};
pub use self::call::{Call, Canceller, Held};
pub use self::completion::Completion;
pub use self::event::{Event, EventArguments, EventFunction};
pub use self::layer::Layer;
pub(crate) use self::layer::Layers;
pub use self::socket::{Category, LayeredSocket};

/// One of those who stand between clients and a provider. What it does not override passes unchanged.
///
/// Its functions run on the client's and the provider's threads, at their IRQL, several at once.
pub trait Middleware: fmt::Debug + Send + Sync {
    /// A client has called a function. Returns what the function returns.
    ///
    /// A call with a packet ends in one of these ways: it is passed on, once; it is completed here; it is held; or it is
    /// abandoned, which breaks WSK's rules.
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        call.pass()
    }

    /// A packet that was passed on is completed. Letting go of the completion without passing it on leaves the client's
    /// packet uncompleted, for good.
    fn complete(&self, completion: Completion) {
        completion.pass();
    }

    /// The provider has called a callback. Returns what the callback returns.
    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        event.pass()
    }

    /// Whether sockets remain in memory when they are closed, so that a use after the close can be seen. Calls on them come
    /// as any other, and are not to be passed on.
    fn keeps_closed_sockets(&self) -> bool {
        false
    }
}
