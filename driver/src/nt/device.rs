//! The device object and its name, in the order that leaves nobody a way in before its descriptor is set.

// UNSAFETY: creates a device and a symbolic link, and deletes them.
#![expect(unsafe_code, reason = "devices are reached by address")]

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use skua_engine::abi::nt::{
    DEVICE_OBJECT, DO_DEVICE_INITIALIZING, DRIVER_OBJECT, FILE_DEVICE_SECURE_OPEN, FILE_DEVICE_UNKNOWN,
    KernelMode, OBJ_KERNEL_HANDLE, UNICODE_STRING,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use skua_nt::Handle;
use skua_nt::bindings::{self as sys, imports};
use skua_nt::unicode::{self, ascii};
use skua_protocol::{DEVICE_NAME, LINK_NAME};

use super::descriptor::Descriptor;

/// The device, in the kernel's own directory.
const DEVICE: &[u16] = &name::<{ DEVICE_NAME.len() }>(DEVICE_NAME);
/// What programs open as `\\.\Skua`.
const LINK: &[u16] = &name::<{ LINK_NAME.len() }>(LINK_NAME);

/// Changing an object's access list (winnt.h).
const WRITE_DAC: u32 = 0x0004_0000;
/// Which part of a descriptor is set (winnt.h).
const DACL_SECURITY_INFORMATION: u32 = 4;

/// The driver's device. Deleted when dropped, when nobody has it open any more: at unload.
///
/// # Invariants
/// The object exists, and its extension has the bytes that were asked for.
pub(super) struct DeviceObject(NonNull<DEVICE_OBJECT>);

impl DeviceObject {
    /// IoCreateDevice with `extension_bytes` of the driver's own, zeroed and nonpaged. Not exclusive; no opens yet; its
    /// descriptor guards names below it too.
    ///
    /// # Safety
    /// `driver` is the driver that is being loaded.
    pub(super) unsafe fn create(
        driver: NonNull<DRIVER_OBJECT>,
        extension_bytes: u32,
    ) -> Result<Self, NTSTATUS> {
        let mut name = unicode::borrowed(DEVICE)?;
        let mut device: *mut DEVICE_OBJECT = ptr::null_mut();
        // SAFETY: the caller's driver, and a name that lives until the call returns.
        let status = unsafe {
            sys::IoCreateDevice(
                driver.as_ptr().cast(),
                extension_bytes,
                (&raw mut name).cast(),
                FILE_DEVICE_UNKNOWN,
                FILE_DEVICE_SECURE_OPEN,
                sys::boolean(false),
                (&raw mut device).cast(),
            )
        };
        if !NTSTATUS(status).is_success() {
            return Err(NTSTATUS(status));
        }
        NonNull::new(device).map(Self).ok_or(STATUS_INSUFFICIENT_RESOURCES)
    }

    /// Lets the system and Administrators in and nobody else. What WdmlibIoCreateDeviceSecure does, which is a library of
    /// the WDK's.
    pub(super) fn secure(&self) -> Result<(), NTSTATUS> {
        let mut handle = ptr::null_mut();
        // SAFETY: an object that exists; without a type any is taken.
        let status = unsafe {
            sys::ObOpenObjectByPointer(
                self.0.as_ptr().cast(),
                OBJ_KERNEL_HANDLE,
                ptr::null_mut(),
                WRITE_DAC,
                sys::NO_OBJECT_TYPE,
                KernelMode,
                &raw mut handle,
            )
        };
        // SAFETY: a kernel handle, as asked for.
        let handle = unsafe { Handle::opened(NTSTATUS(status), handle) }?;
        let descriptor = Descriptor::device();
        // SAFETY: an open handle, and a descriptor that lives until the call returns.
        let status = unsafe {
            imports::ZwSetSecurityObject(handle.get(), DACL_SECURITY_INFORMATION, descriptor.as_ptr())
        };
        if status.is_success() { Ok(()) } else { Err(status) }
    }

    /// The driver's own memory.
    pub(super) fn extension(&self) -> *mut c_void {
        // SAFETY: the object exists.
        unsafe { (*self.0.as_ptr()).DeviceExtension }
    }

    /// From here on the device can be opened.
    ///
    /// The I/O manager does the same when DriverEntry returns; here it is said where everything is ready.
    pub(super) fn accept_opens(&self) {
        // SAFETY: the object exists, and only its driver changes the flags.
        unsafe { (*self.0.as_ptr()).Flags &= !DO_DEVICE_INITIALIZING };
    }
}

impl Drop for DeviceObject {
    fn drop(&mut self) {
        // SAFETY: created by this driver and deleted once.
        unsafe { sys::IoDeleteDevice(self.0.as_ptr().cast()) };
    }
}

/// The name that programs open the device by. Removed when dropped.
pub(super) struct SymbolicLink(());

impl SymbolicLink {
    /// IoCreateSymbolicLink.
    pub(super) fn create() -> Result<Self, NTSTATUS> {
        let (mut link, mut device) = (unicode::borrowed(LINK)?, unicode::borrowed(DEVICE)?);
        // SAFETY: names that live until the call returns.
        let status = unsafe { sys::IoCreateSymbolicLink(pointer(&mut link), pointer(&mut device)) };
        if NTSTATUS(status).is_success() { Ok(Self(())) } else { Err(NTSTATUS(status)) }
    }
}

impl Drop for SymbolicLink {
    fn drop(&mut self) {
        if let Ok(mut link) = unicode::borrowed(LINK) {
            // SAFETY: a name that lives until the call returns; the link is this value's.
            let _gone = unsafe { sys::IoDeleteSymbolicLink(pointer(&mut link)) };
        }
    }
}

/// A name of the protocol's, in code units: all of them.
const fn name<const UNITS: usize>(text: &str) -> [u16; UNITS] {
    match text.as_bytes().first_chunk() {
        Some(units) if UNITS == text.len() => ascii(units),
        _ => panic!("a name has as many units as letters"),
    }
}

/// A name in whichever type the bindings have for it.
fn pointer<T>(name: &mut UNICODE_STRING) -> *mut T {
    (&raw mut *name).cast()
}
