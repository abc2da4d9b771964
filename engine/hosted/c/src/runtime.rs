//! What ends everything, and what tells about the system.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "outputs are reached by address")]

use std::ffi::{CStr, c_char};

use skua_engine::abi::status::{NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::host::fatal;

/// STATUS_DATATYPE_MISALIGNMENT.
const MISALIGNED: NTSTATUS = NTSTATUS::from_bits(0x8000_0002);

/// RTL_OSVERSIONINFOW without what follows the numbers.
#[repr(C)]
pub(crate) struct Version {
    size: u32,
    major: u32,
    minor: u32,
    build: u32,
    platform: u32,
}

routines! {
    /// KeBugCheck.
    fn KeBugCheck(code: u32) {
        KeBugCheckEx(code, 0, 0, 0, 0)
    }

    /// KeBugCheckEx.
    fn KeBugCheckEx(code: u32, first: usize, second: usize, third: usize, fourth: usize) {
        fatal(&format!("bug check {code:#010x} ({first:#x}, {second:#x}, {third:#x}, {fourth:#x})"))
    }

    /// ExRaiseStatus.
    fn ExRaiseStatus(status: NTSTATUS) {
        raise(status, "ExRaiseStatus")
    }

    /// ExRaiseAccessViolation.
    fn ExRaiseAccessViolation() {
        raise(STATUS_ACCESS_VIOLATION, "ExRaiseAccessViolation")
    }

    /// ExRaiseDatatypeMisalignment.
    fn ExRaiseDatatypeMisalignment() {
        raise(MISALIGNED, "ExRaiseDatatypeMisalignment")
    }

    /// What NT_ASSERT calls when its condition does not hold.
    contract fn SkuaAssertion(condition: *const c_char, file: *const c_char, line: u32) {
        assertion(CStr::from_ptr(condition), CStr::from_ptr(file), line)
    }

    /// DbgBreakPoint.
    fn DbgBreakPoint() {
        // SAFETY: a signal to this thread.
        unsafe { libc::raise(libc::SIGTRAP) };
    }

    /// RtlRandomEx: a number below 2^31.
    contract fn RtlRandomEx(seed: *mut u32) -> u32 {
        let next = next_random(seed.read());
        seed.write(next);
        next >> 1
    }

    /// RtlGetVersion: Windows 11.
    contract fn RtlGetVersion(version: *mut Version) -> NTSTATUS {
        if (*version).size < 20 {
            return STATUS_INVALID_PARAMETER;
        }
        version.write(Version { major: 10, minor: 0, build: 22_631, platform: 2, ..version.read() });
        STATUS_SUCCESS
    }
}

/// What is raised has no handler here.
pub(crate) fn raise(status: NTSTATUS, what: &str) -> ! {
    fatal(&format!("{what} raised {status}, and there are no structured exceptions here to handle it"))
}

fn assertion(condition: &CStr, file: &CStr, line: u32) -> ! {
    let (condition, file) = (condition.to_string_lossy(), file.to_string_lossy());
    fatal(&format!("assertion failed at {file}:{line}: {condition}"))
}

/// Xorshift, whose period is all numbers but zero.
fn next_random(seed: u32) -> u32 {
    let mut state = seed.max(1);
    state ^= state << 13;
    state ^= state >> 17;
    state ^ (state << 5)
}
