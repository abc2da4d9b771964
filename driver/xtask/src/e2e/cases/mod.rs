//! The cases, by what they are about.

mod accounting;
mod admission;
mod endings;
mod errors;
mod generator;
mod networks;
mod overload;
mod packet_rings;
mod senders;
mod streams;

use super::case::Case;

/// All cases, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    [
        senders::CASES,
        accounting::CASES,
        admission::CASES,
        overload::CASES,
        endings::CASES,
        networks::CASES,
        packet_rings::CASES,
        generator::CASES,
        errors::CASES,
        streams::CASES,
    ]
    .into_iter()
    .flatten()
}
