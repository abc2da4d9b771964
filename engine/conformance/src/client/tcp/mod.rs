//! Sockets over TCP, and their events.

mod arriving;
mod events;
mod flood;
mod functions;
mod pair;
mod record;
mod recorder;
mod requests;
mod socket;

pub(crate) use arriving::{Accepting, SocketConnecting};
pub(crate) use events::Tables;
pub(crate) use flood::{Flood, STRIDE};
pub(crate) use pair::{Pair, join};
pub(crate) use record::{Admit, Keep, StreamRecord};
pub(crate) use requests::Connecting;
pub(crate) use socket::{Kind, StreamSocket};
