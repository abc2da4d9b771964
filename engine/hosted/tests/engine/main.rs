//! The engine over the hosted provider: what its public face promises, seen from outside.

mod admission;
mod close;
mod coalesced;
mod faults;
mod fixture;
mod forward;
mod hostile;
#[path = "../shared/layer.rs"]
mod layer;
mod listener;
mod membership;
mod nbl;
mod outlet;
mod packets;
mod points;
mod quirks;
mod raw;
mod receive;
mod retain;
mod send;
mod sink;
mod split;
mod stall;
mod tcp;
