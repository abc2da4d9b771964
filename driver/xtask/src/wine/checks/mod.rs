//! The checks, by what they are about.

mod datagrams;
mod faults;
mod hostile;
mod loading;
mod readers;
mod rules;

use super::check::Check;

/// Every check, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [loading::CHECKS, datagrams::CHECKS, rules::CHECKS, readers::CHECKS, hostile::CHECKS, faults::CHECKS]
        .into_iter()
        .flatten()
}
