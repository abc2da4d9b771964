//! This image in the process: it never leaves, because its threads do not.

// UNSAFETY: the entry point of the image, and what asks the host about it.
#![expect(unsafe_code, reason = "the loader calls by address")]

use std::ffi::c_void;

use windows_sys::Win32::Foundation::{HMODULE, TRUE};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};
use windows_sys::Win32::System::SystemServices::DLL_PROCESS_ATTACH;
use windows_sys::core::BOOL;

use crate::report;

/// Called by the loader. A driver that unloads takes this image's count down with it: pinned, it stays.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn DllMain(_image: HMODULE, reason: u32, _reserved: *mut c_void) -> BOOL {
    if reason == DLL_PROCESS_ATTACH {
        handle();
        // A panic in a routine that a driver calls has nowhere to go.
        std::panic::set_hook(Box::new(|panic| report::fatal(format_args!("{panic}"))));
    }
    TRUE
}

/// The image. Pins it.
pub(crate) fn handle() -> HMODULE {
    let mut image = std::ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    let inside: *const u16 = (DllMain as *const c_void).cast();
    // SAFETY: an address of this image's, and a local to write to.
    unsafe { GetModuleHandleExW(flags, inside, &raw mut image) };
    image
}
