//! A UDP filter that forwards datagrams between two sockets by a table of rules: what a product that embeds `skua-engine` looks
//! like, without a device and without anything of `skua-driver`.
//!
//! A datagram that comes in on one side leaves by the other, unchanged and in the memory that it came in: the indication is kept
//! until the send completes. What no rule lets through is dropped and counted under a reason.
//!
//! # Life cycle
//!
//! 1. [`run`] registers with WSK, waits for the provider, and opens a [`Forwarder`] for each of its [`Settings`].
//! 2. [`Forwarder::open`] opens an engine with a [`Relay`] as its handler, and the two sockets, which it puts into the relay's
//!    outlets.
//! 3. [`Relay::receive`](skua_engine::Handler::receive) asks the [`Rule`]s about each datagram, and sends those that may pass
//!    from inside the callback.
//! 4. [`Forwarder::close`] takes the sockets out of the outlets, then closes them; [`run`] closes the registration and returns.
//!
//! The same [`run`] is the body of a system thread in `image`, a `.sys` with its own DriverEntry, and of `main` in
//! `examples/forward.rs`, a program.
#![no_std]

mod forwarder;
mod relay;
mod rule;
mod service;

pub use forwarder::{ForwardStats, Forwarder, OpenError, Settings, Unfinished};
pub use relay::{MOST_RULES, Relay};
pub use rule::{Action, Rule, RuleError, Side, first};
pub use service::{MOST_FORWARDERS, ServiceError, run};

/// The guide's code, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../../engine/EMBEDDING.md")]
struct Guide;
