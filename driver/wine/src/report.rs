//! Lines for whoever watches: on Wine's standard error, each beginning with the same marker.
//!
//! * `skua-wine: violation: ` a driver broke a rule of NT. A test that sees one has failed.
//! * `skua-wine: fatal: ` this image cannot go on; the process ends.
//! * `skua-wine: note: ` anything else.

// UNSAFETY: calls an export of Wine's ntdll.
#![expect(unsafe_code, reason = "Wine's debug output is a C function, found by name")]

use std::ffi::{CString, c_char};
use std::fmt;

use windows_sys::Win32::System::Diagnostics::Debug::OutputDebugStringA;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};

/// A driver did what on Windows stops the system or corrupts it. It goes on here.
pub(crate) fn violation(what: fmt::Arguments<'_>) {
    line("violation", what);
}

/// What a reader of the log should know.
pub(crate) fn note(what: fmt::Arguments<'_>) {
    line("note", what);
}

/// Ends the process.
pub(crate) fn fatal(what: fmt::Arguments<'_>) -> ! {
    line("fatal", what);
    std::process::abort()
}

fn line(kind: &str, what: fmt::Arguments<'_>) {
    let text = format!("skua-wine: {kind}: {what}\n").replace('\0', "\u{fffd}");
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: a C string. ntdll is in every process and stays there.
    let ntdll = unsafe { GetModuleHandleA(c"ntdll.dll".as_ptr().cast()) };
    // SAFETY: a module that stays, and a C string.
    match unsafe { GetProcAddress(ntdll, c"__wine_dbg_output".as_ptr().cast()) } {
        Some(output) => {
            // SAFETY: the prototype that Wine gives it (wine/debug.h).
            let output = unsafe {
                std::mem::transmute::<
                    unsafe extern "system" fn() -> isize,
                    unsafe extern "C" fn(*const c_char) -> i32,
                >(output)
            };
            // SAFETY: a C string.
            unsafe { output(text.as_ptr()) };
        }
        // SAFETY: a C string.
        None => unsafe { OutputDebugStringA(text.as_ptr().cast()) },
    }
}
