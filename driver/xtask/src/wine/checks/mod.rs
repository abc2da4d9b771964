//! The checks, by what they are about.

mod clients;
mod conformance;
mod datagrams;
mod embedded;
mod faults;
mod hostile;
mod loading;
mod readers;
mod rules;
mod services;
mod system;

use super::check::Check;
use clients::CLIENTS;

/// Services besides skua that a check may leave behind.
pub(super) fn services() -> impl Iterator<Item = &'static str> {
    CLIENTS.into_iter().chain([embedded::NAME])
}

/// Every check, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [
        loading::CHECKS,
        conformance::CHECKS,
        system::CHECKS,
        datagrams::CHECKS,
        rules::CHECKS,
        readers::CHECKS,
        hostile::CHECKS,
        services::CHECKS,
        clients::CHECKS,
        embedded::CHECKS,
        faults::CHECKS,
    ]
    .into_iter()
    .flatten()
}
