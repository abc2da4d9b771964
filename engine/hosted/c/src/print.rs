//! Messages for a debugger: lines on standard error.
//!
//! Stable Rust defines no function with variable arguments. Those of C's that have them are inline in the headers, and hand
//! over a `va_list`, which is passed by address; `print.c` reads it.

// UNSAFETY: exports under NT's names; passes a `va_list` to C.
#![expect(unsafe_code, reason = "variable arguments are C's")]

use std::ffi::{c_char, c_void};
use std::io::Write;

use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};

/// Longest message, with its null; Windows cuts at 512.
const LINE: usize = 4_096;

unsafe extern "C" {
    fn skua_wsk_format_wide(to: *mut u16, room: usize, text: *const u16, arguments: *mut c_void) -> NTSTATUS;
    fn skua_wsk_format(
        to: *mut c_char,
        bytes: usize,
        text: *const c_char,
        arguments: *mut c_void,
    ) -> NTSTATUS;
}

routines! {
    /// vDbgPrintEx.
    contract fn vDbgPrintEx(_component: u32, _level: u32, text: *const c_char, arguments: *mut c_void) -> NTSTATUS {
        print(text, arguments)
    }

    /// What formats for `ntstrsafe.h`.
    contract fn SkuaFormat(
        to: *mut c_char,
        bytes: usize,
        text: *const c_char,
        arguments: *mut c_void,
    ) -> NTSTATUS {
        skua_wsk_format(to, bytes, text, arguments)
    }

    /// The same of WCHAR.
    contract fn SkuaFormatWide(
        to: *mut u16,
        units: usize,
        text: *const u16,
        arguments: *mut c_void,
    ) -> NTSTATUS {
        skua_wsk_format_wide(to, units, text, arguments)
    }
}

/// # Safety
/// `text` is a format, and `arguments` the `va_list` that belongs to it.
unsafe fn print(text: *const c_char, arguments: *mut c_void) -> NTSTATUS {
    let mut line = [0u8; LINE];
    // SAFETY: a local to write to; the caller's promise. A message that is cut is printed as far as it goes.
    let _ = unsafe { skua_wsk_format(line.as_mut_ptr().cast(), line.len(), text, arguments) };
    let end = line.iter().position(|byte| *byte == 0).unwrap_or(line.len());
    let _ = std::io::stderr().lock().write_all(&line[..end]);
    STATUS_SUCCESS
}
