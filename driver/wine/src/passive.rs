//! Routines of Wine's that wait or touch pageable memory: passed on, after a look at the level.

// UNSAFETY: exports under NT's names; calls Wine's routines.
#![expect(unsafe_code, reason = "arguments are passed on as they are")]

use skua_engine::abi::nt::{APC_LEVEL, DISPATCH_LEVEL, PASSIVE_LEVEL};

use crate::level;
use crate::real::Routine;

/// Exports that check the level and pass their arguments on. Each argument is a word, whatever its type: x64's convention
/// gives every one of them eight bytes.
macro_rules! pass {
    ($(export $name:ident($($argument:ident),*) at $highest:ident;)*) => {$(
        #[doc = concat!(stringify!($name), " of Wine.")]
        ///
        /// # Safety
        /// As NT's documentation says.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: usize),*) -> usize {
            // SAFETY: x64's convention takes words for arguments of any integer or pointer type.
            static WINE: Routine<unsafe extern "C" fn($(pass!(@word $argument)),*) -> usize> = unsafe {
                Routine::new(match std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => c"",
                })
            };
            level::require(stringify!($name), $highest);
            // SAFETY: the caller's promise.
            unsafe { WINE.get()($($argument),*) }
        }
    )*};
    (@word $argument:ident) => { usize };
}

pass! {
    export IoCreateDevice(a, b, c, d, e, f, g) at PASSIVE_LEVEL;
    export IoCreateSymbolicLink(a, b) at PASSIVE_LEVEL;
    export IoDeleteDevice(a) at APC_LEVEL;
    export IoDeleteSymbolicLink(a) at PASSIVE_LEVEL;
    export IoGetDeviceObjectPointer(a, b, c, d) at PASSIVE_LEVEL;
    export KeDelayExecutionThread(a, b, c) at APC_LEVEL;
    export ObOpenObjectByPointer(a, b, c, d, e, f, g) at PASSIVE_LEVEL;
    export ObReferenceObjectByHandle(a, b, c, d, e, f) at PASSIVE_LEVEL;
    export PsCreateSystemThread(a, b, c, d, e, f, g) at PASSIVE_LEVEL;
    export PsTerminateSystemThread(a) at PASSIVE_LEVEL;
    export ZwClose(a) at PASSIVE_LEVEL;
    export ZwCreateKey(a, b, c, d, e, f, g) at PASSIVE_LEVEL;
    export ZwCreateSection(a, b, c, d, e, f, g) at PASSIVE_LEVEL;
    export ZwEnumerateKey(a, b, c, d, e, f) at PASSIVE_LEVEL;
    export ZwEnumerateValueKey(a, b, c, d, e, f) at PASSIVE_LEVEL;
    export ZwMapViewOfSection(a, b, c, d, e, f, g, h, i, j) at PASSIVE_LEVEL;
    export ZwOpenKey(a, b, c) at PASSIVE_LEVEL;
    export ZwQueryValueKey(a, b, c, d, e, f) at PASSIVE_LEVEL;
    export ZwSetSecurityObject(a, b, c) at PASSIVE_LEVEL;
    export ZwSetValueKey(a, b, c, d, e, f) at PASSIVE_LEVEL;
    export ZwUnmapViewOfSection(a, b) at PASSIVE_LEVEL;
}

/// A wait with a time-out of zero does not wait, and may be called at DISPATCH_LEVEL.
///
/// # Safety
/// `timeout` is null or readable.
unsafe fn highest(timeout: *const i64) -> u8 {
    // SAFETY: the caller's promise.
    let waits = timeout.is_null() || unsafe { timeout.read_unaligned() } != 0;
    if waits { APC_LEVEL } else { DISPATCH_LEVEL }
}

/// KeWaitForSingleObject of Wine.
///
/// # Safety
/// As NT's documentation says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeWaitForSingleObject(
    object: usize,
    reason: usize,
    mode: usize,
    alertable: usize,
    timeout: *mut i64,
) -> usize {
    type Wait = unsafe extern "C" fn(usize, usize, usize, usize, *mut i64) -> usize;
    // SAFETY: as in `pass`.
    static WINE: Routine<Wait> = unsafe { Routine::new(c"KeWaitForSingleObject") };
    // SAFETY: the caller's promise.
    level::require("KeWaitForSingleObject", unsafe { highest(timeout) });
    // SAFETY: the caller's promise.
    unsafe { WINE.get()(object, reason, mode, alertable, timeout) }
}

/// KeWaitForMultipleObjects of Wine.
///
/// # Safety
/// As NT's documentation says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeWaitForMultipleObjects(
    count: usize,
    objects: usize,
    kind: usize,
    reason: usize,
    mode: usize,
    alertable: usize,
    timeout: *mut i64,
    blocks: usize,
) -> usize {
    type Wait = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, *mut i64, usize) -> usize;
    // SAFETY: as in `pass`.
    static WINE: Routine<Wait> = unsafe { Routine::new(c"KeWaitForMultipleObjects") };
    // SAFETY: the caller's promise.
    level::require("KeWaitForMultipleObjects", unsafe { highest(timeout) });
    // SAFETY: the caller's promise.
    unsafe { WINE.get()(count, objects, kind, reason, mode, alertable, timeout, blocks) }
}
