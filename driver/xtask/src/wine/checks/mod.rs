//! The checks, by what they are about.

mod faults;
mod loading;

use super::check::Check;

/// Every check, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [loading::CHECKS, faults::CHECKS].into_iter().flatten()
}
