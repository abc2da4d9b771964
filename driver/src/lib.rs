//! Skua's Windows kernel driver.
#![no_std]

#[cfg(test)]
extern crate std;

mod executive;
mod nt;
pub mod trace;

pub use executive::{
    Executive, PoolUse, REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD, REG_SZ, RegistryValue,
    SectionAccess, StartRoutine,
};
pub use nt::{NtKernel, NtSection, NtThread, Served, bug_check, driver_entry};
