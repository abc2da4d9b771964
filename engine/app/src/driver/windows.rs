//! The system that has the driver.

mod device;
mod firewall;
mod mapping;
mod service;

pub(super) use device::open;
pub(super) use service::{install, start, status, stop, uninstall};
