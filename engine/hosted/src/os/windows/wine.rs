//! Whether this Windows is Wine, some of whose Winsock succeeds without doing what was asked for.

// UNSAFETY: asks the host for an export by name.
#![expect(unsafe_code, reason = "names are C strings")]

use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};

/// Whether ntdll has the routine by which Wine says its version.
pub(super) fn is_wine() -> bool {
    static IS_WINE: OnceLock<bool> = OnceLock::new();
    *IS_WINE.get_or_init(|| {
        // SAFETY: a C string. ntdll is in every process and stays there.
        let ntdll = unsafe { GetModuleHandleA(c"ntdll.dll".as_ptr().cast()) };
        // SAFETY: a module that stays, and a C string.
        !ntdll.is_null() && unsafe { GetProcAddress(ntdll, c"wine_get_version".as_ptr().cast()) }.is_some()
    })
}
