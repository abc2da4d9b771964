//! A loader: calls a driver's DriverEntry, and its DriverUnload when it is told to end.

// UNSAFETY: exports C functions; calls the driver's routines.
#![expect(unsafe_code, reason = "drivers are C functions")]

use std::ffi::{CStr, c_char, c_int};
use std::mem::offset_of;
use std::ptr;
use std::time::Duration;

use skua_engine::abi::nt::{
    DRIVER_EXTENSION, DRIVER_INITIALIZE, DRIVER_OBJECT, IO_TYPE_DRIVER, PASSIVE_LEVEL, UNICODE_STRING,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::abi::zeroed;

use crate::control::{SkuaCheckLeaks, SkuaFindings};
use crate::host::{kernel, say};
use crate::string::units;

/// A loaded driver. Its memory is this library's, not pool.
#[repr(C)]
struct Driver {
    object: DRIVER_OBJECT,
    extension: DRIVER_EXTENSION,
    name: Vec<u16>,
    registry_path: Vec<u16>,
    registry_string: UNICODE_STRING,
}

routines! {
    /// Calls DriverEntry.
    contract fn SkuaLoadDriver(
        entry: DRIVER_INITIALIZE,
        name: *const c_char,
        driver: *mut *mut DRIVER_OBJECT,
    ) -> NTSTATUS {
        load(entry, &CStr::from_ptr(name).to_string_lossy(), driver)
    }

    /// Calls DriverUnload.
    contract fn SkuaUnloadDriver(driver: *mut DRIVER_OBJECT) -> NTSTATUS {
        unload(driver)
    }

    /// A program's whole main: loads the driver, waits until it is told to end, unloads it, reports.
    contract fn SkuaDriverMain(entry: DRIVER_INITIALIZE, count: c_int, arguments: *mut *mut c_char) -> c_int {
        run(entry, &texts(count, arguments))
    }
}

/// # Safety
/// `entry` is a driver's, `driver` writable.
unsafe fn load(entry: DRIVER_INITIALIZE, name: &str, driver: *mut *mut DRIVER_OBJECT) -> NTSTATUS {
    let Some(entry) = entry else { return STATUS_INVALID_PARAMETER };
    kernel().require_at_most("SkuaLoadDriver", PASSIVE_LEVEL);
    let wide = |text: String| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let mut made = Box::new(Driver {
        object: zeroed(),
        extension: zeroed(),
        name: wide(format!("\\Driver\\{name}")),
        registry_path: wide(format!("\\Registry\\Machine\\System\\CurrentControlSet\\Services\\{name}")),
        registry_string: zeroed(),
    });
    made.object.Type = IO_TYPE_DRIVER;
    made.object.Size = i16::try_from(size_of::<DRIVER_OBJECT>()).unwrap_or_default();
    made.object.DriverName = counted(&made.name);
    made.object.DriverInit = Some(entry);
    made.registry_string = counted(&made.registry_path);
    let made = Box::into_raw(made);
    let part = move |offset: usize| made.wrapping_byte_add(offset);
    let extension: *mut DRIVER_EXTENSION = part(offset_of!(Driver, extension)).cast();
    // SAFETY: just made.
    unsafe { (*extension).DriverObject = made.cast() };
    // SAFETY: as above.
    unsafe { (*made).object.DriverExtension = extension };
    // SAFETY: the driver's routine, with objects that last until it is unloaded.
    let status = unsafe { entry(made.cast(), part(offset_of!(Driver, registry_string)).cast()) };
    if status.is_success() {
        // SAFETY: the caller's promise.
        unsafe { driver.write(made.cast()) };
    } else {
        // SAFETY: made above, and the driver is not loaded.
        drop(unsafe { Box::from_raw(made) });
        // SAFETY: the caller's promise.
        unsafe { driver.write(ptr::null_mut()) };
    }
    status
}

/// # Safety
/// `driver` came from [`load`], and is not unloaded.
unsafe fn unload(driver: *mut DRIVER_OBJECT) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let Some(routine) = (unsafe { (*driver).DriverUnload }) else { return STATUS_INVALID_DEVICE_REQUEST };
    kernel().require_at_most("SkuaUnloadDriver", PASSIVE_LEVEL);
    // SAFETY: the driver's routine.
    unsafe { routine(driver) };
    // SAFETY: the caller's promise; a driver object begins what was made.
    drop(unsafe { Box::from_raw(driver.cast::<Driver>()) });
    STATUS_SUCCESS
}

fn counted(text: &[u16]) -> UNICODE_STRING {
    let bytes = u16::try_from(size_of_val(text)).unwrap_or_default();
    UNICODE_STRING { Length: bytes - 2, MaximumLength: bytes, Buffer: text.as_ptr().cast_mut() }
}

/// How long a loaded driver stays.
enum Stay {
    /// Until SIGINT or SIGTERM.
    UntilSignal,
    /// So long, or until a signal.
    For(Duration),
}

/// # Safety
/// `entry` is a driver's.
unsafe fn run(entry: DRIVER_INITIALIZE, arguments: &[String]) -> c_int {
    let name = arguments.first().map_or("driver", |path| path.rsplit('/').next().unwrap_or("driver"));
    let stay = match arguments.get(1..).unwrap_or_default() {
        [] => Stay::UntilSignal,
        [option, seconds] if option == "--for" => match seconds.parse() {
            Ok(seconds) => Stay::For(Duration::from_secs(seconds)),
            Err(_) => return usage(name),
        },
        _ => return usage(name),
    };
    // Before the first thread, so that none takes the signals.
    let signals = block_signals();
    let mut driver = ptr::null_mut();
    // SAFETY: the caller's promise.
    let status = unsafe { load(entry, name, &raw mut driver) };
    if !status.is_success() {
        say(&format!("{name}: DriverEntry returned {status}"));
        SkuaCheckLeaks();
        return 1;
    }
    // SAFETY: just loaded.
    let full_name = unsafe { (*driver).DriverName };
    // SAFETY: a local string, whose buffer lasts as long as the driver.
    let shown = String::from_utf16_lossy(&unsafe { units(&raw const full_name) });
    say(&format!("{shown} is loaded"));
    wait(&signals, &stay);
    // SAFETY: loaded above.
    if unsafe { unload(driver) } == STATUS_SUCCESS {
        say(&format!("{shown} is unloaded"));
    } else {
        say(&format!("{shown} has no DriverUnload, so it stays until the process ends"));
    }
    SkuaCheckLeaks();
    match SkuaFindings() {
        0 => 0,
        findings => {
            say(&format!("findings: {findings}"));
            1
        }
    }
}

fn usage(name: &str) -> c_int {
    say(&format!("usage: {name} [--for SECONDS]; without it the driver stays until SIGINT or SIGTERM"));
    2
}

fn block_signals() -> libc::sigset_t {
    let mut signals = std::mem::MaybeUninit::uninit();
    // SAFETY: a local to write to.
    unsafe { libc::sigemptyset(signals.as_mut_ptr()) };
    // SAFETY: the set was made.
    let mut signals = unsafe { signals.assume_init() };
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: a local set.
        unsafe { libc::sigaddset(&raw mut signals, signal) };
    }
    // SAFETY: a local set; the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, ptr::null_mut()) };
    signals
}

fn wait(signals: &libc::sigset_t, stay: &Stay) {
    match stay {
        Stay::UntilSignal => {
            // SAFETY: a set; what came is not asked for.
            unsafe { libc::sigwaitinfo(signals, ptr::null_mut()) };
        }
        Stay::For(duration) => {
            let time = libc::timespec {
                tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(duration.subsec_nanos()),
            };
            // SAFETY: a set and a time; what came is not asked for.
            unsafe { libc::sigtimedwait(signals, ptr::null_mut(), &raw const time) };
        }
    }
}

/// # Safety
/// `arguments` has `count` C strings.
unsafe fn texts(count: c_int, arguments: *mut *mut c_char) -> Vec<String> {
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: the caller's promise.
    let at = |index| unsafe { arguments.wrapping_add(index).read() };
    // SAFETY: the caller's promise.
    (0..count).map(|index| unsafe { CStr::from_ptr(at(index)) }.to_string_lossy().into_owned()).collect()
}
