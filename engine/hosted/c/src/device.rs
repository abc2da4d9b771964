//! Devices, which nothing opens: they hold the driver's extension and its place in the driver object.

// UNSAFETY: exports under NT's names; devices are reached by address.
#![expect(unsafe_code, reason = "devices are raw memory with an extension behind")]

use std::ptr;

use skua_engine::abi::nt::{
    BOOLEAN, DEVICE_OBJECT, DO_DEVICE_INITIALIZING, DRIVER_OBJECT, IO_TYPE_DEVICE, PASSIVE_LEVEL,
    UNICODE_STRING,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

use crate::host::kernel;
use crate::pool::{ExAllocatePool2, ExFreePool};

const TAG: u32 = u32::from_le_bytes(*b"Devi");
/// POOL_FLAG_NON_PAGED.
const NON_PAGED: u64 = 0x40;

routines! {
    /// IoCreateDevice.
    contract fn IoCreateDevice(
        driver: *mut DRIVER_OBJECT,
        extension_size: u32,
        _name: *mut UNICODE_STRING,
        kind: u32,
        characteristics: u32,
        _exclusive: BOOLEAN,
        device: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS {
        create(driver, extension_size, (kind, characteristics), device)
    }

    /// IoDeleteDevice.
    contract fn IoDeleteDevice(device: *mut DEVICE_OBJECT) {
        delete(device)
    }

    /// IoCreateSymbolicLink: there is nobody to follow it.
    fn IoCreateSymbolicLink(_link: *mut UNICODE_STRING, _device: *mut UNICODE_STRING) -> NTSTATUS {
        kernel().require_at_most("IoCreateSymbolicLink", PASSIVE_LEVEL);
        STATUS_SUCCESS
    }

    /// IoDeleteSymbolicLink.
    fn IoDeleteSymbolicLink(_link: *mut UNICODE_STRING) -> NTSTATUS {
        kernel().require_at_most("IoDeleteSymbolicLink", PASSIVE_LEVEL);
        STATUS_SUCCESS
    }
}

/// # Safety
/// `driver` is a driver's, `device` writable.
unsafe fn create(
    driver: *mut DRIVER_OBJECT,
    extension_size: u32,
    (kind, characteristics): (u32, u32),
    device: *mut *mut DEVICE_OBJECT,
) -> NTSTATUS {
    kernel().require_at_most("IoCreateDevice", PASSIVE_LEVEL);
    let size = size_of::<DEVICE_OBJECT>() + extension_size as usize;
    let made: *mut DEVICE_OBJECT = ExAllocatePool2(NON_PAGED, size, TAG).cast();
    if made.is_null() {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    // SAFETY: zeroed memory of that size, which is a device's.
    let object = unsafe { &mut *made };
    object.Type = IO_TYPE_DEVICE;
    object.Size = u16::try_from(size).unwrap_or(u16::MAX);
    object.ReferenceCount = 1;
    object.DriverObject = driver;
    object.Flags = DO_DEVICE_INITIALIZING;
    object.DeviceType = kind;
    object.Characteristics = characteristics;
    object.StackSize = 1;
    if extension_size > 0 {
        object.DeviceExtension = made.wrapping_add(1).cast();
    }
    // SAFETY: the caller's promise.
    object.NextDevice = unsafe { (*driver).DeviceObject };
    // SAFETY: the caller's promise.
    unsafe { (*driver).DeviceObject = made };
    // SAFETY: the caller's promise.
    unsafe { device.write(made) };
    STATUS_SUCCESS
}

/// # Safety
/// `device` is one, and nobody uses it any more.
unsafe fn delete(device: *mut DEVICE_OBJECT) {
    // SAFETY: the caller's promise.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: the caller's promise.
    let next = unsafe { (*device).NextDevice };
    // SAFETY: a device has a driver.
    let mut link = unsafe { &raw mut (*driver).DeviceObject };
    // SAFETY: a link of the list.
    while let Some(at) = ptr::NonNull::new(unsafe { link.read() }) {
        if at.as_ptr() == device {
            // SAFETY: as above.
            unsafe { link.write(next) };
            break;
        }
        // SAFETY: a device of the list.
        link = unsafe { &raw mut (*at.as_ptr()).NextDevice };
    }
    // SAFETY: the caller's promise.
    unsafe { ExFreePool(device.cast()) };
}
