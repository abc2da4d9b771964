//! `skua sink`: datagrams in, loss accounted to the last one, records out.
//!
//! ```text
//!  network -> provider -> engine -> rings ---> reader ---> outputs: pcapng, NDJSON, verify, discard
//!            `------- intake ------'  |          |
//!                                     `-- counts-+-> snapshots ---> view or status lines, metrics, summary
//! ```
//!
//! 1. [`settings`] turns the command line into the engine's settings, [`intake`] opens the engine and its sockets.
//! 2. [`destinations`] opens the outputs, and the [`reader`]'s thread begins to hand records to them.
//! 3. [`session`] takes a snapshot at each interval for the [`face`] and the [`metrics`].
//! 4. At the end the intake drains and closes, the reader empties the rings and finishes the outputs, and the
//!    [`summary`] is printed.

pub(crate) mod alarm;
mod destinations;
mod discard;
mod error;
mod face;
pub(crate) mod intake;
mod metrics;
mod ndjson;
mod output;
mod packet;
mod pcapng;
pub(crate) mod reader;
mod session;
pub(crate) mod settings;
#[cfg(test)]
pub(crate) mod specimen;
mod status_line;
mod summary;
mod unit_file;
pub(crate) mod verify;
mod view;

pub(crate) use session::run;
