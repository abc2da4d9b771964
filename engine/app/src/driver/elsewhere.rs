//! Systems that have no driver.

use super::error::DriverError;
use super::installation::Installation;
use super::link::Link;

/// There is none to open.
///
/// # Errors
/// [`DriverError::Elsewhere`].
pub(super) fn open() -> Result<Box<dyn Link>, DriverError> {
    Err(DriverError::Elsewhere)
}

/// There is nothing to install it into.
///
/// # Errors
/// [`DriverError::Elsewhere`].
pub(super) fn install(_installation: &Installation) -> Result<(), DriverError> {
    Err(DriverError::Elsewhere)
}

/// There is none to start.
///
/// # Errors
/// [`DriverError::Elsewhere`].
pub(super) fn start() -> Result<(), DriverError> {
    Err(DriverError::Elsewhere)
}

/// There is none to stop.
///
/// # Errors
/// [`DriverError::Elsewhere`].
pub(super) fn stop() -> Result<(), DriverError> {
    Err(DriverError::Elsewhere)
}

/// There is none to tell of.
///
/// # Errors
/// [`DriverError::Elsewhere`].
pub(super) fn status() -> Result<(), DriverError> {
    Err(DriverError::Elsewhere)
}

/// There is none to remove.
///
/// # Errors
/// [`DriverError::Elsewhere`].
pub(super) fn uninstall() -> Result<(), DriverError> {
    Err(DriverError::Elsewhere)
}
