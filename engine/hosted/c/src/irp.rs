//! I/O request packets.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "packets are reached by address")]

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    BOOLEAN, DEVICE_OBJECT, IRP, io_get_current_irp_stack_location, io_set_next_irp_stack_location,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_DEVICE_REQUEST};

use crate::host::kernel;
use crate::number::boolean;

routines! {
    /// IoAllocateIrp.
    fn IoAllocateIrp(stack_size: i8, _charge_quota: BOOLEAN) -> *mut IRP {
        kernel().io_allocate_irp(stack_size)
    }

    /// IoAllocateIrpEx.
    fn IoAllocateIrpEx(_device: *mut DEVICE_OBJECT, stack_size: i8, _charge_quota: BOOLEAN) -> *mut IRP {
        kernel().io_allocate_irp(stack_size)
    }

    /// IoFreeIrp.
    contract fn IoFreeIrp(irp: *mut IRP) {
        kernel().io_free_irp(irp)
    }

    /// IoInitializeIrp.
    contract fn IoInitializeIrp(irp: *mut IRP, packet_size: u16, stack_size: i8) {
        kernel().io_initialize_irp(irp, packet_size, stack_size)
    }

    /// IoReuseIrp.
    contract fn IoReuseIrp(irp: *mut IRP, status: NTSTATUS) {
        kernel().io_reuse_irp(irp, status)
    }

    /// IoCleanupIrp: the kernel hangs nothing on a packet.
    fn IoCleanupIrp(_irp: *mut IRP) {}

    /// IoCancelIrp.
    contract fn IoCancelIrp(irp: *mut IRP) -> BOOLEAN {
        boolean(kernel().io_cancel_irp(irp))
    }

    /// IofCompleteRequest: what IoCompleteRequest is.
    contract fn IofCompleteRequest(irp: *mut IRP, priority_boost: i8) {
        kernel().io_complete_request(irp, priority_boost)
    }

    /// IofCallDriver: what IoCallDriver is.
    contract fn IofCallDriver(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        call(device, irp)
    }
}

/// # Safety
/// `device` is one, and `irp` has a location left.
unsafe fn call(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { io_set_next_irp_stack_location(irp) };
    // SAFETY: as above.
    let location = unsafe { io_get_current_irp_stack_location(irp) };
    // SAFETY: a location of the packet's.
    unsafe { (*location).DeviceObject = device };
    // SAFETY: as above.
    let major = usize::from(unsafe { (*location).MajorFunction });
    // SAFETY: the caller's promise.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: a device has a driver.
    let routine = unsafe { (*driver).MajorFunction }.get(major).copied().flatten();
    match routine {
        // SAFETY: the driver's routine for this.
        Some(routine) => unsafe { routine(device, irp) },
        None => STATUS_INVALID_DEVICE_REQUEST,
    }
}
