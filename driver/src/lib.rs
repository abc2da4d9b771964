//! Skua's Windows kernel driver: a device that starts sinks, hands their rings to readers and tells what they count.
//!
//! The kernel owns sockets and rings. A program asks for a sink and reads it; when the program ends, crashes or is
//! replaced, the sink goes on, and the next reader begins where the last one's cursors stand.
//!
//! # Life cycle
//!
//! 1. [`driver_entry`] creates and secures the device and calls [`Device::start`]: the control thread starts, and with it
//!    the sink that the registry asks for.
//! 2. Every packet goes to [`Device::dispatch`], which answers at once or posts it to the control thread. That thread owns
//!    all sinks; every WSK call that creates, binds or closes is made there.
//! 3. A sink writes records into sections that its reader has mapped, at DISPATCH_LEVEL, inside the receive callback. A
//!    reader without anything to read leaves a packet behind, which the next record completes.
//! 4. DriverUnload calls [`Device::stop`]: waits end, sinks end, and it returns when nothing is under way any more.
//!
//! # Types
//!
//! * [`Device`]: the driver proper, over any [`Executive`]: what the driver asks of NT beyond the engine's
//!   [`Kernel`](skua_engine::Kernel). Tests run it over the user-mode kernel.
//! * [`NtKernel`], [`driver_entry`]: the half that faces Windows, on [`skua_nt`].
//! * [`trace`]: events for ETW.
//! * [`RegistryValue`], [`SectionAccess`], [`PoolUse`], [`StartRoutine`]: what an [`Executive`]'s methods speak of.
#![no_std]

#[cfg(test)]
extern crate std;

mod boot;
mod control;
mod device;
mod executive;
mod invalid;
mod nt;
mod queue;
mod request;
mod sections;
#[cfg(feature = "self-test")]
mod self_test;
mod sink;
pub mod trace;
mod wait;

pub use device::Device;
pub use executive::{
    Executive, PoolUse, REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD, REG_SZ, RegistryValue,
    SectionAccess, StartRoutine,
};
pub use nt::{NtSection, driver_entry};
pub use skua_nt::{NtKernel, NtThread};
