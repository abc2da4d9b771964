//! Values of `HKLM\Software\Skua\Wine`, by which a test tells this image what to do.
//!
//! | value | type | what |
//! |---|---|---|
//! | `Processors` | DWORD | virtual processors, 1 to 64; 2 without it. Read once |
//! | `EtwFile` | SZ | Windows path of the file that events are appended to. Read when a provider registers |
//! | `EtwLevel` | DWORD | the level that providers are enabled at; 4, information, without it |
//! | `EtwKeyword` | QWORD | the keywords that providers are enabled for; all without it |
//! | `ProbeAndLockRaises` | DWORD | how many calls of MmProbeAndLockPages from now on raise; each takes one off |

// UNSAFETY: lends buffers to the registry's functions.
#![expect(unsafe_code, reason = "the registry takes pointers")]

use std::ptr;

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, REG_DWORD, RRF_RT_REG_DWORD, RRF_RT_REG_QWORD, RRF_RT_REG_SZ, RegGetValueW,
    RegSetKeyValueW,
};
use windows_sys::core::w;

const KEY: windows_sys::core::PCWSTR = w!("Software\\Skua\\Wine");

/// Longest string, in units.
const STRING_UNITS: usize = 1024;

/// How many processors there are.
pub(crate) fn processors() -> u32 {
    number(w!("Processors"), RRF_RT_REG_DWORD)
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(2)
        .clamp(1, 64)
}

/// Where events go; `None` for nowhere.
pub(crate) fn etw_file() -> Option<String> {
    string(w!("EtwFile"))
}

/// The level that providers are enabled at.
pub(crate) fn etw_level() -> u8 {
    number(w!("EtwLevel"), RRF_RT_REG_DWORD).and_then(|level| u8::try_from(level).ok()).unwrap_or(4)
}

/// The keywords that providers are enabled for.
pub(crate) fn etw_keyword() -> u64 {
    number(w!("EtwKeyword"), RRF_RT_REG_QWORD | RRF_RT_REG_DWORD).unwrap_or(u64::MAX)
}

/// Whether a call of MmProbeAndLockPages is to raise, which counts it.
pub(crate) fn take_probe_and_lock_raise() -> bool {
    let name = w!("ProbeAndLockRaises");
    let Some(left) = number(name, RRF_RT_REG_DWORD)
        .and_then(|left| u32::try_from(left).ok())
        .and_then(|left| left.checked_sub(1))
    else {
        return false;
    };
    let size = u32::try_from(size_of::<u32>()).unwrap_or_default();
    // SAFETY: the value is readable for its size. Where it cannot be written, later calls raise too.
    unsafe { RegSetKeyValueW(HKEY_LOCAL_MACHINE, KEY, name, REG_DWORD, (&raw const left).cast(), size) };
    true
}

fn number(name: windows_sys::core::PCWSTR, kinds: u32) -> Option<u64> {
    let mut value = 0u64;
    let mut size = u32::try_from(size_of::<u64>()).unwrap_or_default();
    let (none, to) = (ptr::null_mut(), (&raw mut value).cast());
    // SAFETY: the value is writable for the size given; a DWORD fills its low half.
    let answer = unsafe { RegGetValueW(HKEY_LOCAL_MACHINE, KEY, name, kinds, none, to, &raw mut size) };
    (answer == ERROR_SUCCESS).then_some(value)
}

fn string(name: windows_sys::core::PCWSTR) -> Option<String> {
    let mut units = [0u16; STRING_UNITS];
    let mut size = u32::try_from(size_of_val(&units)).unwrap_or_default();
    let (none, to) = (ptr::null_mut(), units.as_mut_ptr().cast());
    // SAFETY: the units are writable for the size given.
    let answer =
        unsafe { RegGetValueW(HKEY_LOCAL_MACHINE, KEY, name, RRF_RT_REG_SZ, none, to, &raw mut size) };
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    (answer == ERROR_SUCCESS && end > 0).then(|| String::from_utf16_lossy(&units[..end]))
}
