//! The end of the system, for what must not happen.

// UNSAFETY: ends the system.
#![expect(unsafe_code, reason = "KeBugCheckEx does not return")]

use core::panic::Location;

use crate::bindings::imports;

/// The code of Skua's bug checks: 'SKUA'.
const CODE: u32 = 0x534B_5541;

/// Ends the system with bug check 0x534B5541. Its parameters are the address of the file's name in the image, the length of
/// the name in bytes, the line and the column, all 0 when the place is not known: `da PARAMETER1 LPARAMETER2` in a debugger
/// shows the file.
///
/// # IRQL
/// Any.
pub fn bug_check(location: Option<&Location<'_>>) -> ! {
    let (file, line, column) = location.map_or(("", 0, 0), |l| (l.file(), l.line(), l.column()));
    let first = if file.is_empty() { 0 } else { file.as_ptr().addr() };
    // SAFETY: numbers; the name is part of the image, which stays in memory and in the dump.
    unsafe { imports::KeBugCheckEx(CODE, first, file.len(), line as usize, column as usize) }
}
