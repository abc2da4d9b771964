//! Routines that not every system has, looked up by name when the driver is loaded.
//!
//! `NtKernel` is zero-sized, so that the engine carries no pointer to it through every datagram; what it has to remember is
//! here, in statics that DriverEntry writes before anything else runs. A driver image is loaded once and its statics begin
//! anew with each load, so that they are as much per driver as a device extension would be.

// UNSAFETY: asks the kernel for addresses of routines and gives them their types.
#![expect(unsafe_code, reason = "routines are looked up by name")]

use core::ffi::c_void;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use skua_engine::abi::nt::{LARGE_INTEGER, UNICODE_STRING};
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_FOUND};

use crate::bindings as sys;
use crate::unicode::ascii;

/// ExAllocatePool2: Windows 10 version 2004 and later.
pub(super) type ExAllocatePool2 = unsafe extern "C" fn(flags: u64, bytes: usize, tag: u32) -> *mut c_void;
type QueryTime = unsafe extern "C" fn(time: *mut LARGE_INTEGER);
type QueryInterruptTime = unsafe extern "C" fn() -> u64;

/// # Invariants
/// Each address is null or that of a routine with the field's type.
static POOL: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static SYSTEM_TIME: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static INTERRUPT_TIME: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Ticks of the performance counter in a second.
static FREQUENCY: AtomicU64 = AtomicU64::new(1);

/// Looks the routines up. Called first of all, once.
///
/// # Errors
/// STATUS_NOT_FOUND if the system has no clock.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub(super) fn resolve() -> Result<(), NTSTATUS> {
    POOL.store(find(const { &ascii(b"ExAllocatePool2") }), Ordering::Relaxed);
    INTERRUPT_TIME.store(find(const { &ascii(b"KeQueryInterruptTime") }), Ordering::Relaxed);
    // The precise one since Windows 8; the other, of the same type, is a macro in the WDK and an export elsewhere.
    let mut time = find(const { &ascii(b"KeQuerySystemTimePrecise") });
    if time.is_null() {
        time = find(const { &ascii(b"KeQuerySystemTime") });
    }
    SYSTEM_TIME.store(time, Ordering::Relaxed);
    let mut frequency = LARGE_INTEGER { QuadPart: 0 };
    // SAFETY: the place of an integer.
    let _now = unsafe { sys::KeQueryPerformanceCounter((&raw mut frequency).cast()) };
    let frequency = u64::try_from(frequency.QuadPart).unwrap_or_default();
    FREQUENCY.store(frequency, Ordering::Relaxed);
    if time.is_null() || frequency == 0 { Err(STATUS_NOT_FOUND) } else { Ok(()) }
}

/// ExAllocatePool2, where the system has it.
pub(super) fn ex_allocate_pool2() -> Option<ExAllocatePool2> {
    let routine = POOL.load(Ordering::Relaxed);
    // SAFETY: null is `None`; otherwise the routine of this name, which has this type.
    unsafe { mem::transmute::<*mut c_void, Option<ExAllocatePool2>>(routine) }
}

/// System time in units of 100 ns since 1601-01-01 UTC.
pub(super) fn system_time() -> u64 {
    let routine = SYSTEM_TIME.load(Ordering::Relaxed);
    // SAFETY: null is `None`; otherwise a routine of this type.
    let routine = unsafe { mem::transmute::<*mut c_void, Option<QueryTime>>(routine) };
    let mut time = LARGE_INTEGER { QuadPart: 0 };
    if let Some(routine) = routine {
        // SAFETY: the place of an integer.
        unsafe { routine(&raw mut time) };
    }
    u64::try_from(time.QuadPart).unwrap_or_default()
}

/// Interrupt time in units of 100 ns; the performance counter in those units where the kernel does not export it.
pub(super) fn interrupt_time() -> u64 {
    let routine = INTERRUPT_TIME.load(Ordering::Relaxed);
    // SAFETY: null is `None`; otherwise the routine of this name, which has this type.
    match unsafe { mem::transmute::<*mut c_void, Option<QueryInterruptTime>>(routine) } {
        // SAFETY: it takes nothing.
        Some(routine) => unsafe { routine() },
        None => in_units_of_100ns(performance_counter(), frequency()),
    }
}

/// The performance counter.
pub(super) fn performance_counter() -> u64 {
    // SAFETY: the frequency is optional.
    let ticks = unsafe { sys::KeQueryPerformanceCounter(ptr::null_mut()) };
    sys::quad_part(ticks).cast_unsigned()
}

/// Ticks of the performance counter in a second; 1 before [`resolve`].
pub(super) fn frequency() -> u64 {
    FREQUENCY.load(Ordering::Relaxed)
}

/// `ticks` of `frequency` a second in units of 100 ns, without overflow on the way.
fn in_units_of_100ns(ticks: u64, frequency: u64) -> u64 {
    const SECOND: u64 = 10_000_000;
    let frequency = frequency.max(1);
    let (seconds, rest) = (ticks / frequency, ticks % frequency);
    seconds.wrapping_mul(SECOND).wrapping_add(rest.wrapping_mul(SECOND) / frequency)
}

fn find(name: &'static [u16]) -> *mut c_void {
    let Some(mut name) = UNICODE_STRING::from_static(name) else {
        return ptr::null_mut();
    };
    // SAFETY: a name that lives for good, and is only read.
    unsafe { sys::MmGetSystemRoutineAddress((&raw mut name).cast()) }
}

#[cfg(test)]
mod tests {
    use super::in_units_of_100ns;

    #[test]
    fn ticks_become_units_of_100_ns_without_overflow() {
        assert_eq!(in_units_of_100ns(3_000_000, 3_000_000), 10_000_000);
        assert_eq!(in_units_of_100ns(5, 10_000_000), 5);
        // A century at 10 MHz, then some.
        assert_eq!(in_units_of_100ns(31_536_000_000_000_007 * 10, 10_000_000), 315_360_000_000_000_070);
        assert_eq!(in_units_of_100ns(7, 0), 70_000_000);
    }
}
