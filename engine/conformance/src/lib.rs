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
#![no_std]

#[cfg(test)]
extern crate std;

mod check;
mod checks;
#[expect(dead_code, reason = "the checks that use the rest come next")]
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
