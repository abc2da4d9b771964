//! skua.sys: the entry point and the panic handler around `skua-driver`.
//!
//! Built by `cargo xtask build-sys`. There is nothing here to test: what runs is in `skua-driver`, and the image itself is
//! loaded and put through its paces by `cargo xtask wine`.
#![no_std]
// UNSAFETY: the image's entry point, called through C.
#![expect(unsafe_code, reason = "the loader finds DriverEntry by its name")]

use core::panic::PanicInfo;

use skua_driver::{Device, NtKernel, bug_check, driver_entry};
use skua_engine::abi::nt::{DRIVER_OBJECT, UNICODE_STRING};
use skua_engine::abi::status::NTSTATUS;

/// The image's entry point.
///
/// # Safety
/// Called by the I/O manager, once.
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
    unsafe { driver_entry::<Device<NtKernel>>(driver, registry_path) }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    bug_check(info.location())
}
