//! DriverEntry, DriverUnload and what is between them.
//!
//! 1. Routines that not every system has are looked up.
//! 2. The ETW provider is registered.
//! 3. The device is created, and nobody can open it yet.
//! 4. It is secured; a device that cannot be is a failure of the load.
//! 5. The driver proper starts: the control thread, and with it what starts at boot.
//! 6. The symbolic link is created, and the device accepts opens.
//!
//! Each step yields a guard. A step that fails drops the guards before it, and unloading drops all of them, in reverse
//! order either way.

// UNSAFETY: the I/O manager calls with addresses, and the driver keeps its state behind one of them.
#![expect(unsafe_code, reason = "entry points are called through C")]

use core::ptr::NonNull;
use core::slice;

use skua_engine::abi::nt::{
    DEVICE_OBJECT, DRIVER_DISPATCH, DRIVER_OBJECT, IRP, IRP_MJ_MAXIMUM_FUNCTION, UNICODE_STRING,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_nt::{NtKernel, PoolUse, debug_print};

use super::device::{DeviceObject, SymbolicLink};
use crate::device::Device;
use crate::trace::{self, Trace};

/// What a loaded driver holds, in the device extension.
///
/// # Invariants
/// Whole from before the device accepts opens until unloading takes it out.
struct Loaded {
    link: SymbolicLink,
    device: Device<NtKernel>,
    object: DeviceObject,
    trace: Trace,
}

/// Starts the driver: what `DriverEntry` does.
///
/// # Safety
/// The arguments are those of the I/O manager's call of `DriverEntry`, which calls this once.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub unsafe fn driver_entry(driver: *mut DRIVER_OBJECT, registry_path: *const UNICODE_STRING) -> NTSTATUS {
    let Some(driver) = NonNull::new(driver) else {
        return STATUS_INVALID_PARAMETER;
    };
    // SAFETY: the I/O manager's string, for the time of this call.
    let registry_path = unsafe { units(registry_path) };
    // SAFETY: the driver that is being loaded.
    match unsafe { load(driver, registry_path) } {
        Ok(()) => {
            trace::driver_started(env!("CARGO_PKG_VERSION"));
            debug_print::format(format_args!("skua: {} is loaded", env!("CARGO_PKG_VERSION")));
            STATUS_SUCCESS
        }
        Err(Failure { step, status }) => {
            debug_print::format(format_args!("skua: not loaded: {step}: {status}"));
            status
        }
    }
}

/// Which step failed, and how.
struct Failure {
    step: &'static str,
    status: NTSTATUS,
}

/// Adds the step to a status.
fn at(step: &'static str) -> impl FnOnce(NTSTATUS) -> Failure {
    move |status| {
        trace::driver_failed(step, status);
        Failure { step, status }
    }
}

/// # Safety
/// `driver` is being loaded.
unsafe fn load(driver: NonNull<DRIVER_OBJECT>, registry_path: &[u16]) -> Result<(), Failure> {
    let kernel = NtKernel::load(None).map_err(at("finding the kernel's routines"))?;
    let trace = Trace::register();
    // SAFETY: the caller's driver.
    let object = unsafe { DeviceObject::create(driver, Loaded::BYTES) };
    let object = object.map_err(at("creating the device"))?;
    object.secure().map_err(at("securing the device"))?;
    let device = Device::start(&kernel, registry_path).map_err(at("starting the control thread"))?;
    let link = SymbolicLink::create().map_err(at("creating the symbolic link"))?;
    let extension = object.extension().cast::<Loaded>();
    let loaded = Loaded { link, device, object, trace };
    // SAFETY: room for it was asked for, aligned as pool memory is, and nobody knows of it yet.
    unsafe { extension.write(loaded) };
    let routine: DRIVER_DISPATCH = Some(dispatch);
    // SAFETY: the driver is being loaded: its entry points are its own to write.
    unsafe { (*driver.as_ptr()).MajorFunction = [routine; IRP_MJ_MAXIMUM_FUNCTION as usize + 1] };
    // SAFETY: as above.
    unsafe { (*driver.as_ptr()).DriverUnload = Some(unload) };
    // SAFETY: written above.
    unsafe { (*extension).object.accept_opens() };
    Ok(())
}

impl Loaded {
    #[expect(clippy::cast_possible_truncation, reason = "asserted in the same place")]
    const BYTES: u32 = {
        assert!(size_of::<Self>() < 4096, "an extension is for handles; what is large comes from the pool");
        assert!(align_of::<Self>() <= 16, "extensions are aligned as pool memory is");
        size_of::<Self>() as u32
    };
}

/// The driver's routine for every major function.
unsafe extern "C" fn dispatch(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the I/O manager passes the driver's device.
    let loaded = unsafe { (*device).DeviceExtension }.cast::<Loaded>();
    // SAFETY: whole, as the device accepts opens; unloading waits until nobody has it open.
    let device = unsafe { &(*loaded).device };
    let Some(irp) = NonNull::new(irp) else {
        return STATUS_INVALID_PARAMETER;
    };
    // SAFETY: the I/O manager's packet.
    unsafe { device.dispatch(irp) }
}

/// DriverUnload: nobody has the device open any more.
unsafe extern "C" fn unload(driver: *mut DRIVER_OBJECT) {
    // SAFETY: the I/O manager passes the driver; its first device is its only one.
    let device = unsafe { (*driver).DeviceObject };
    // SAFETY: the device exists until `object` below is dropped.
    let extension = unsafe { (*device).DeviceExtension };
    // SAFETY: whole, and never looked at again: it is moved out.
    let Loaded { link, mut device, object, trace } = unsafe { extension.cast::<Loaded>().read() };
    drop(link);
    device.stop();
    drop(device);
    drop(object);
    let leaked = NtKernel.owing();
    if let Some(PoolUse { tag, in_use, .. }) = leaked {
        debug_print::format(format_args!("skua: {in_use} bytes of pool under {tag} were not given back"));
    }
    trace::driver_stopped(leaked.map_or(0, |account| account.in_use as u64));
    drop(trace);
}

/// The code units of a counted string; none for null.
///
/// # Safety
/// `string` is null or points at a valid string that outlives the slice.
unsafe fn units<'a>(string: *const UNICODE_STRING) -> &'a [u16] {
    if string.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    let string = unsafe { string.read() };
    if string.Buffer.is_null() {
        return &[];
    }
    // SAFETY: the string has so many bytes.
    unsafe { slice::from_raw_parts(string.Buffer, usize::from(string.Length) / size_of::<u16>()) }
}
