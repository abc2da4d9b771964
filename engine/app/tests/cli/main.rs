//! The built binary over loopback, with senders of the standard library.
//!
//! Nothing here waits for luck: a sender sends what the sink has room for, and goes on when the sink's own output says
//! that it arrived.

#![cfg(target_os = "linux")]

mod accounting;
mod capture;
mod endings;
mod errors;
mod filters;
mod full;
mod moderation;
mod numbered;
mod overload;
mod plan;
mod receiving;
mod sink;
