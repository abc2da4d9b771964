//! skua.sys: the entry point and the panic handler around `skua-driver`.
//!
//! Built by `cargo xtask build-sys`. There is nothing here to test: what runs is in `skua-driver`, and the image itself is
//! loaded and put through its paces by `cargo xtask wine`.
#![no_std]
// UNSAFETY: the image's entry point, called through C.
#![expect(unsafe_code, reason = "the loader finds DriverEntry by its name")]

use core::panic::PanicInfo;

use skua_driver::driver_entry;
use skua_engine::abi::nt::{DRIVER_OBJECT, UNICODE_STRING};
use skua_engine::abi::status::NTSTATUS;
use skua_nt::bug_check;

/// The image's entry point.
///
/// # Safety
/// Called by the I/O manager, once: with the driver's object, and the path of its registry key.
///
/// # IRQL
/// PASSIVE_LEVEL.
// SAFETY: no other symbol of the image has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn DriverEntry(
    driver: *mut DRIVER_OBJECT,
    registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the I/O manager's arguments, passed on.
    unsafe { driver_entry(driver, registry_path) }
}

/// Objects that touch floating-point types refer to this, as compiler_builtins' own does, which holds more than the driver
/// uses; nothing reads it. wdk-sys brings its own.
// SAFETY: no other symbol of the image has this name.
#[cfg(not(feature = "wdk"))]
#[unsafe(no_mangle)]
pub static _fltused: i32 = 0;

/// A broken promise ends the system: a bug check with the place in the source.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    bug_check(info.location())
}
