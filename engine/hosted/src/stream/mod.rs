//! Sockets over TCP: those that listen, those that are connected, and stream sockets, which become one of the two.
//!
//! All three are one type with three tables. Each has one thread from the moment it listens or connects, its pump, which
//! makes every callback: so calls for one socket follow one another, and those of several sockets come at once.
//!
//! ```text
//!            WskBind                 WskBind of a listening socket, WskListen
//!   open ----------------> bound ----------------------------------------------> listening
//!                           |  ^                                                  |
//!               WskConnect  |  | it fails                      accepted sockets   |
//!                           v  |                                begin here        |
//!                        connecting -----------------> connected <----------------'
//!                                                         |
//!                                                         '--> ended: reset, aborted, killed
//! ```

mod accept;
mod bind;
mod cancel;
mod close;
mod connect;
mod control;
mod event_control;
mod inspect;
mod intake;
mod listener;
mod piece;
mod pump;
mod receive;
mod release;
mod send;
mod socket;
mod state;
mod table;
mod targets;

pub(crate) use connect::connect_new;
pub(crate) use socket::{Category, StreamParts, StreamSocket};
pub(crate) use targets::Targets;
