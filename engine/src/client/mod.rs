//! Sockets opened by request: basic, listening, connection and stream sockets.

pub(crate) mod base;
mod basic;
mod builder;
mod close;
mod connection;
mod connection_events;
mod connections;
mod control;
mod finish;
mod handler;
mod indication;
mod inside;
mod inspect;
mod listen;
mod listen_events;
mod stream;
mod transfer;

pub use basic::BasicSocket;
pub use builder::{Family, SocketBuilder};
pub use connection::{Bound, Connected, ConnectionSocket, Unbound};
pub use connections::Connections;
pub use control::Controlled;
pub use finish::{Address as AddressOf, Done, Moved, Opening, Value};
pub use handler::{ConnectionEvents, ConnectionHandler, EndOfStream, ListenHandler, NoHandler};
pub use indication::{Indication, Indications, RetainedData, Verdict};
pub use inspect::{InspectId, Inspection};
pub use listen::{Accepting, ListenSocket, Listening};
pub use listen_events::{Acceptance, Arriving};
pub use stream::{StreamConnector, StreamListener, StreamSocket};
