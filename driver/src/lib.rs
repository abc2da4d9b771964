//! Skua's Windows kernel driver.
#![no_std]

mod executive;

pub use executive::{
    Executive, PoolUse, REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD, REG_SZ, RegistryValue,
    SectionAccess, StartRoutine,
};
