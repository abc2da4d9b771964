//! The engine for drivers in C, in user mode: what `skua.h` declares, on a kernel made for this process, and what `skua_user.h`
//! adds for tests.
//!
//! # Life cycle
//!
//! 1. [`SkuaKernel`] makes the one kernel that a program needs which knows nothing of this library; [`SkuaHostOpen`] makes others.
//! 2. An engine is opened on the kernel's table ([`SkuaHostKernel`]), used and closed, as in a driver.
//! 3. [`SkuaHostFindings`] is how often a rule of NT or WSK was broken; [`SkuaHostClose`] looks for what was not given back.
//!
//! The kernel library has `SkuaKernel` too: a program that links both has two of everything, and its linker says so.
#![expect(non_camel_case_types, non_snake_case, reason = "C's names, in NT's manner")]

mod host;
mod kernel;

pub use host::{
    SKUA_FINDINGS_ABORT, SKUA_FINDINGS_OFF, SKUA_FINDINGS_RECORD, SKUA_FINDINGS_REPORT, SKUA_HOST,
    SKUA_HOST_CONFIG, SKUA_TRANSPORT_LOOPBACK, SKUA_TRANSPORT_OS, SKUA_TRANSPORT_PORTABLE, SkuaHostBuildMdl,
    SkuaHostClose, SkuaHostCongest, SkuaHostFailAllocation, SkuaHostFinding, SkuaHostFindings,
    SkuaHostKernel, SkuaHostMemory, SkuaHostOpen, SkuaHostProviderAway,
};
pub use kernel::SkuaKernel;
