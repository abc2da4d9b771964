//! Does a provider of Winsock Kernel behave as WSK is documented?
//!
//! A library of checks, one for each rule. A check is given a captured `WSK_PROVIDER_NPI` and a [`Kernel`] and nothing
//! else, so that the same code runs over a provider in user mode, inside a driver over the provider that is linked into it,
//! and inside a driver over `netio.sys`.
//!
//! [`Kernel`]: skua_engine::Kernel
//!
//! # Life cycle
//!
//! 1. Register with the kernel and capture the provider.
//! 2. [`survey`] finds out what there is: no IPv6, say, makes some checks not applicable.
//! 3. [`checks`] are the rules; each one [runs](Check::run) by itself and leaves nothing behind.
//! 4. Its [`Outcome`] has what the rule expects and what was seen, as columns of a table.
//! 5. Release the provider and deregister, unless something [hung](Outcome::Hung).
//!
//! # Types
//!
//! * [`Check`]: a rule's name, where it is written, whether it may run anywhere ([`Tag`]).
//! * [`Group`], [`Category`]: the checks of one part of WSK.
//! * [`Outcome`], [`Pair`], [`Value`]: how a check ended.
//! * [`Surroundings`]: what there is.
//!
//! # For the first person who has Windows
//!
//! What is known of the suite comes from a provider that was written from the same documentation. Over `netio.sys` a row that
//! is not `ok` is either a bug of the check, or the first thing known of what Windows does.
//!
//! 1. Build the image with its checks and sign it for tests, as `driver/WINDOWS.md` describes, with
//!    `--features wdk,self-test`; build `skua.exe`. The image that ships has none of this: `skua selftest --driver` says so.
//! 2. On a machine for tests, a virtual one with a debugger: a check that finds more than it looks for ends the system. Driver
//!    Verifier's standard settings for `skua.sys` make a mistake of the suite's own visible.
//! 3. Nothing leaves the machine: sockets are bound to 127.0.0.1, 127.0.0.2, ::1 or the wildcard, at ports that are chosen
//!    for them, and datagrams go to those, to a multicast group by the loopback interface, and to 127.255.255.255. A firewall
//!    that filters the loopback, or asks about the wildcard, is the likeliest reason for a check that waits in vain.
//! 4. `skua driver install --sys skua.sys`, `skua driver start`, then `skua selftest --driver`, and with `--json` for a report. It
//!    takes a minute or two: absence is known by waiting for 50 ms, and what should come is waited for up to ten seconds.
//! 5. Compare with `skua selftest`, which runs the same checks over the provider in the program. The rules have the same names in
//!    both tables. A rule's citation names the page of the documentation, or, as `facts`, what shipped drivers were seen to rely on;
//!    those are the ones to doubt first.
//!
//! How to read a row: `ok`, the rule is kept; `BROKEN`, and which step of the check differs, before what was expected there; `n/a`, it
//! cannot be looked at here, and why; `HUNG`, a request did not end within ten seconds. A check that hangs leaves its memory, its
//! sockets and the registration as they are, because the provider may still use them: the driver must not be unloaded then, and
//! the machine is to be restarted.
//!
//! Which rules the documentation does not settle is said by what they expect: several statuses, or any failure.
//!
//! # Misuse
//!
//! The feature `misuse` adds checks that do what a client must not. They are for a provider in user mode with a verifier, which
//! leaves the harm undone and says what was wrong; in a kernel they would end the system, and are never built into an image.
//!
//! # Adding a check
//!
//! A row in the table of its file, and a function of five to twenty lines that reads like the rule. It may use what is in the
//! module `client`, which keeps everything that a provider may still hold in memory that is not freed once something hung. It
//! must hold for a provider that completes inside the call or behind it, on any processor, at PASSIVE_LEVEL or DISPATCH_LEVEL, and
//! that cuts, does not map, or leaves out what the documentation lets it.
#![no_std]

#[cfg(test)]
extern crate std;

mod check;
mod checks;
mod client;
mod outcome;
mod suite;
mod value;

pub use check::{Category, Check, Group, Tag};
pub use client::{Surroundings, TAG};
pub use outcome::{Outcome, Pair};
#[cfg(feature = "misuse")]
pub use suite::misuse;
pub use suite::{checks, groups, survey};
pub use value::Value;
