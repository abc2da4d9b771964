//! The engine for drivers in C, as a static library of the kernel: what `skua.h` declares, on ntoskrnl.exe and netio.sys, and the panic
//! handler.
//!
//! Built by `cargo xtask build-capi`; `cargo xtask wine` links it into a driver in C and runs that. There is nothing here to test:
//! what runs is in `skua-capi` and `skua-nt`.
//!
//! The library of user mode has `SkuaKernel` too: a program that links both has two of everything, and its linker says so.
#![no_std]
// UNSAFETY: a function in C, and a table of functions that every thread may read.
#![expect(unsafe_code, reason = "C finds SkuaKernel by its name")]

use core::panic::PanicInfo;
use core::ptr;

use skua_capi::SKUA_KERNEL;
use skua_nt::{NtKernel, bug_check};

/// A table that does not change.
struct Table(SKUA_KERNEL);

// SAFETY: constant; its context is the address of a constant of no size.
unsafe impl Sync for Table {}

static TABLE: Table = Table(SKUA_KERNEL::over(&NtKernel));

/// The services of Windows; null on a system without a clock.
///
/// # IRQL
/// PASSIVE_LEVEL.
// SAFETY: no other symbol of the driver has this name.
#[unsafe(no_mangle)]
pub extern "C" fn SkuaKernel() -> *const SKUA_KERNEL {
    // The pool is charged to the tag that each engine is opened with.
    match NtKernel::load(None) {
        Ok(NtKernel) => &raw const TABLE.0,
        Err(_without_clock) => ptr::null(),
    }
}

/// What compilers of MSVC's kind ask for where code has floating point, and its C library defines: compiler_builtins has some, which
/// nothing calls.
#[cfg(target_env = "msvc")]
// SAFETY: a linker takes the library's, where no other has this name before it.
#[unsafe(no_mangle)]
pub static _fltused: i32 = 0;

/// A broken promise ends the system: a bug check with the place in the source.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    bug_check(info.location())
}
