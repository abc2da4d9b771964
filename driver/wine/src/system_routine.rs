//! MmGetSystemRoutineAddress: this image's exports first, among them those that it forwards to Wine's ntoskrnl.exe.

// UNSAFETY: exports under NT's names; reads the name and asks for exports.
#![expect(unsafe_code, reason = "names are counted strings in the driver's memory")]

use std::ffi::{CString, c_void};

use skua_engine::abi::nt::{PASSIVE_LEVEL, UNICODE_STRING};
use windows_sys::Win32::System::LibraryLoader::GetProcAddress;

use crate::real::Routine;
use crate::{image, level};

// SAFETY: the prototype of wdm.h.
static WINE: Routine<unsafe extern "C" fn(*mut UNICODE_STRING) -> *mut c_void> =
    unsafe { Routine::new(c"MmGetSystemRoutineAddress") };

/// MmGetSystemRoutineAddress.
///
/// # Safety
/// `name` is readable, and so is its buffer.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn MmGetSystemRoutineAddress(name: *mut UNICODE_STRING) -> *mut c_void {
    level::require("MmGetSystemRoutineAddress", PASSIVE_LEVEL);
    // SAFETY: the caller's promise.
    if let Some(text) = unsafe { ascii(name) } {
        // SAFETY: this image, which stays, and a C string.
        if let Some(routine) = unsafe { GetProcAddress(image::handle(), text.as_ptr().cast()) } {
            return routine as *mut c_void;
        }
    }
    // What is only in hal.dll.
    // SAFETY: the caller's promise.
    unsafe { WINE.get()(name) }
}

/// The name, if it can be that of an export.
///
/// # Safety
/// `name` is readable, and so is its buffer.
unsafe fn ascii(name: *const UNICODE_STRING) -> Option<CString> {
    // SAFETY: the caller's promise.
    let name = unsafe { name.read() };
    let units = usize::from(name.Length) / size_of::<u16>();
    // SAFETY: the caller's promise.
    let bytes = (0..units).map(|at| u8::try_from(unsafe { name.Buffer.wrapping_add(at).read() }).ok());
    CString::new(bytes.collect::<Option<Vec<u8>>>()?).ok()
}
