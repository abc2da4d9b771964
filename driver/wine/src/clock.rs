//! Interrupt time in units of 100 ns, which Wine counts in ms, and the clocks that it lacks.
//!
//! KeQueryPerformanceCounter is hal.dll's: interrupt time is the same clock in other units.

// UNSAFETY: exports under NT's names; asks the host for its clocks.
#![expect(unsafe_code, reason = "clocks write through pointers")]

use skua_engine::abi::nt::LARGE_INTEGER;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::SystemInformation::GetSystemTimePreciseAsFileTime;

const UNITS_PER_SECOND: u64 = 10_000_000;

/// The performance counter, and the same time in units of 100 ns.
fn now() -> (u64, u64) {
    let (mut counter, mut frequency) = (0i64, 0i64);
    // SAFETY: a local to write to. It cannot fail since Windows XP.
    unsafe { QueryPerformanceCounter(&raw mut counter) };
    // SAFETY: as above.
    unsafe { QueryPerformanceFrequency(&raw mut frequency) };
    let (counter, frequency) = (counter.cast_unsigned(), frequency.cast_unsigned().max(1));
    let (seconds, rest) = (counter / frequency, counter % frequency);
    (counter, seconds * UNITS_PER_SECOND + rest * UNITS_PER_SECOND / frequency)
}

/// KeQueryInterruptTime.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeQueryInterruptTime() -> u64 {
    now().1
}

/// KeQueryUnbiasedInterruptTime: no sleep is taken off.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeQueryUnbiasedInterruptTime() -> u64 {
    now().1
}

/// KeQueryInterruptTimePrecise.
///
/// # Safety
/// `counter` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
    let (ticks, time) = now();
    // SAFETY: the caller's promise.
    unsafe { counter.write(ticks) };
    time
}

/// KeQuerySystemTimePrecise.
///
/// # Safety
/// `time` is writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeQuerySystemTimePrecise(time: *mut LARGE_INTEGER) {
    let mut file_time = FILETIME::default();
    // SAFETY: a local to write to.
    unsafe { GetSystemTimePreciseAsFileTime(&raw mut file_time) };
    let units = u64::from(file_time.dwHighDateTime) << 32 | u64::from(file_time.dwLowDateTime);
    // SAFETY: the caller's promise.
    unsafe { time.write(LARGE_INTEGER { QuadPart: units.cast_signed() }) };
}
