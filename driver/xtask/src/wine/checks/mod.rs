//! The checks, by what they are about.

mod clients;
mod datagrams;
mod faults;
mod hostile;
mod loading;
mod readers;
mod rules;

use super::check::Check;
pub(super) use clients::CLIENTS;

/// Every check, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [
        loading::CHECKS,
        datagrams::CHECKS,
        rules::CHECKS,
        readers::CHECKS,
        hostile::CHECKS,
        clients::CHECKS,
        faults::CHECKS,
    ]
    .into_iter()
    .flatten()
}
