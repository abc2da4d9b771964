//! From the client to the stack: what is sent at once, and what waits for room.

mod control;
mod gather;
mod messages;
mod transmit;

pub(crate) use control::parse_control;
pub(crate) use messages::Messages;
pub(crate) use transmit::{SendRequest, transmit};
