//! The stack location: what one driver is asked to do by a packet, and how the asker learns that it is done.
//!
//! The locations of a packet follow it in memory and are used from the last to the first:
//!
//! ```text
//!              IRP   location 1   location 2   (none)
//!                                              ^ CurrentLocation = StackCount + 1: fresh, the owner has no location
//!                                 ^ next: the owner writes its completion routine here, the callee serves this one
//! ```
//!
//! A caller that allocated the packet leaves the current location alone and lets WSK fill the next one.
// UNSAFETY: every function follows a packet's pointer to its locations, as the macros of wdm.h do.
#![expect(unsafe_code, reason = "IRP stack locations are reached by address")]

use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr;

use bytemuck::Zeroable;

use super::{DEVICE_OBJECT, FILE_OBJECT, IRP, LARGE_INTEGER};
use crate::abi::status::NTSTATUS;

/// One driver's part of a packet.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IO_STACK_LOCATION {
    /// What is asked: `IRP_MJ_`.
    pub MajorFunction: u8,
    /// What is asked in particular: `IRP_MN_`.
    pub MinorFunction: u8,
    /// Depends on the function.
    pub Flags: u8,
    /// `SL_` flags: when to call the completion routine, and whether the callee marked the packet pending.
    pub Control: u8,
    /// Arguments, by major function.
    pub Parameters: IO_STACK_LOCATION_PARAMETERS,
    /// The device that is asked.
    pub DeviceObject: *mut DEVICE_OBJECT,
    /// The file that is asked.
    pub FileObject: *mut FILE_OBJECT,
    /// The asker's routine, called when the callee completes the packet.
    pub CompletionRoutine: PIO_COMPLETION_ROUTINE,
    /// The routine's context.
    pub Context: *mut c_void,
}
layout!(IO_STACK_LOCATION {
    size: 72,
    align: 8,
    MajorFunction: 0,
    MinorFunction: 1,
    Flags: 2,
    Control: 3,
    Parameters: 8,
    DeviceObject: 40,
    FileObject: 48,
    CompletionRoutine: 56,
    Context: 64,
});

/// [`IO_STACK_LOCATION::Parameters`]: the arms of the functions that drivers of software devices serve.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub union IO_STACK_LOCATION_PARAMETERS {
    /// `IRP_MJ_CREATE`.
    pub Create: IO_PARAMETERS_CREATE,
    /// `IRP_MJ_READ`.
    pub Read: IO_PARAMETERS_READ_WRITE,
    /// `IRP_MJ_WRITE`.
    pub Write: IO_PARAMETERS_READ_WRITE,
    /// `IRP_MJ_DEVICE_CONTROL` and `IRP_MJ_INTERNAL_DEVICE_CONTROL`.
    pub DeviceIoControl: IO_PARAMETERS_DEVICE_IO_CONTROL,
    /// Functions of a driver's own.
    pub Others: IO_PARAMETERS_OTHERS,
}
layout!(IO_STACK_LOCATION_PARAMETERS { size: 32, align: 8 });

/// Arguments of `IRP_MJ_CREATE`. `FileAttributes` and `EaLength` are aligned to 8 bytes in the WDK.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IO_PARAMETERS_CREATE {
    /// An `IO_SECURITY_CONTEXT`: the access asked for.
    pub SecurityContext: *mut c_void,
    /// Disposition in the upper 8 bits, options below.
    pub Options: u32,
    /// Unused; keeps the next field where the WDK's alignment puts it.
    pub Reserved: u32,
    /// Attributes of a file to create.
    pub FileAttributes: u16,
    /// What others may do meanwhile.
    pub ShareAccess: u16,
    /// Unused; keeps the next field where the WDK's alignment puts it.
    pub Reserved2: u32,
    /// Bytes of extended attributes in `AssociatedIrp.SystemBuffer`.
    pub EaLength: u32,
}
layout!(IO_PARAMETERS_CREATE {
    size: 32,
    align: 8,
    SecurityContext: 0,
    Options: 8,
    FileAttributes: 16,
    ShareAccess: 18,
    EaLength: 24,
});

/// Arguments of `IRP_MJ_READ` and `IRP_MJ_WRITE`. `Key` is aligned to 8 bytes in the WDK.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IO_PARAMETERS_READ_WRITE {
    /// Bytes to transfer.
    pub Length: u32,
    /// Unused; keeps the next field where the WDK's alignment puts it.
    pub Reserved: u32,
    /// For a driver's own use.
    pub Key: u32,
    /// Where in the file.
    pub ByteOffset: LARGE_INTEGER,
}
layout!(IO_PARAMETERS_READ_WRITE { size: 24, align: 8, Length: 0, Key: 8, ByteOffset: 16 });

/// Arguments of `IRP_MJ_DEVICE_CONTROL`. `InputBufferLength` and `IoControlCode` are aligned to 8 bytes in the WDK.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IO_PARAMETERS_DEVICE_IO_CONTROL {
    /// Bytes that the caller's output buffer holds.
    pub OutputBufferLength: u32,
    /// Unused; keeps the next field where the WDK's alignment puts it.
    pub Reserved: u32,
    /// Bytes of input.
    pub InputBufferLength: u32,
    /// Unused; keeps the next field where the WDK's alignment puts it.
    pub Reserved2: u32,
    /// The control code.
    pub IoControlCode: u32,
    /// The caller's input buffer, for codes of `METHOD_NEITHER`.
    pub Type3InputBuffer: *mut c_void,
}
layout!(IO_PARAMETERS_DEVICE_IO_CONTROL {
    size: 32,
    align: 8,
    OutputBufferLength: 0,
    InputBufferLength: 8,
    IoControlCode: 16,
    Type3InputBuffer: 24,
});

/// Arguments of functions of a driver's own.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IO_PARAMETERS_OTHERS {
    /// The first.
    pub Argument1: *mut c_void,
    /// The second.
    pub Argument2: *mut c_void,
    /// The third.
    pub Argument3: *mut c_void,
    /// The fourth.
    pub Argument4: *mut c_void,
}
layout!(IO_PARAMETERS_OTHERS {
    size: 32,
    align: 8,
    Argument1: 0,
    Argument2: 8,
    Argument3: 16,
    Argument4: 24
});

/// The routine of [`io_set_completion_routine`], `IO_COMPLETION_ROUTINE` in the WDK. Called at `DISPATCH_LEVEL` or
/// below, on any processor, possibly inside the call that the packet was given to.
///
/// Parameters: the device of the asker's own location (null when it has none), the packet, the context. A routine
/// whose owner allocated the packet returns `STATUS_MORE_PROCESSING_REQUIRED`, which ends the completion there.
pub type PIO_COMPLETION_ROUTINE = Option<
    unsafe extern "C" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP, Context: *mut c_void) -> NTSTATUS,
>;

/// [`IO_STACK_LOCATION::Control`]: the callee called [`io_mark_irp_pending`].
pub const SL_PENDING_RETURNED: u8 = 0x01;
/// [`IO_STACK_LOCATION::Control`]: a lower driver completed the packet with an error.
pub const SL_ERROR_RETURNED: u8 = 0x02;
/// [`IO_STACK_LOCATION::Control`]: call the routine when the packet was cancelled.
pub const SL_INVOKE_ON_CANCEL: u8 = 0x20;
/// [`IO_STACK_LOCATION::Control`]: call the routine on success.
pub const SL_INVOKE_ON_SUCCESS: u8 = 0x40;
/// [`IO_STACK_LOCATION::Control`]: call the routine on failure.
pub const SL_INVOKE_ON_ERROR: u8 = 0x80;

/// `IoGetCurrentIrpStackLocation`: the location that the holder of the packet is to serve.
///
/// # Safety
/// `irp` is initialised and the caller's.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn io_get_current_irp_stack_location(irp: *const IRP) -> *mut IO_STACK_LOCATION {
    // SAFETY: the caller owns the packet; the tail of an initialised one holds its Overlay arm.
    unsafe { ptr::read(current_location(irp.cast_mut())) }
}

/// `IoGetNextIrpStackLocation`: the location that the next callee will serve.
///
/// # Safety
/// `irp` is initialised, the caller's, and has a location left.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn io_get_next_irp_stack_location(irp: *const IRP) -> *mut IO_STACK_LOCATION {
    // SAFETY: the caller owns the packet.
    let current = unsafe { io_get_current_irp_stack_location(irp) };
    current.wrapping_sub(1)
}

/// `IoSetNextIrpStackLocation`: what a callee does first, so that the next location becomes the current one.
///
/// # Safety
/// As [`io_get_next_irp_stack_location`].
///
/// # IRQL
/// Any.
#[inline]
pub unsafe fn io_set_next_irp_stack_location(irp: *mut IRP) {
    // SAFETY: the caller promises a location left, so the step stays within the packet.
    unsafe { step(irp, -1) };
}

/// `IoSkipCurrentIrpStackLocation`: lets the next callee serve the caller's own location; also undoes
/// [`io_set_next_irp_stack_location`], which is how completion climbs.
///
/// # Safety
/// `irp` is initialised, the caller's, and has a current location.
///
/// # IRQL
/// Any.
#[inline]
pub unsafe fn io_skip_current_irp_stack_location(irp: *mut IRP) {
    // SAFETY: the caller promises a current location, so the step ends one past the last at most.
    unsafe { step(irp, 1) };
}

/// `IoMarkIrpPending`: announces that the callee returns `STATUS_PENDING`; to be called if and only if it does, and
/// before the packet can be completed.
///
/// # Safety
/// `irp` is initialised, the caller's, and has a current location.
///
/// # IRQL
/// Any.
#[inline]
pub unsafe fn io_mark_irp_pending(irp: *mut IRP) {
    // SAFETY: the caller owns the packet.
    let location = unsafe { io_get_current_irp_stack_location(irp) };
    // SAFETY: the caller promises that a current location exists; it is as much the caller's as the packet.
    unsafe { (*location).Control |= SL_PENDING_RETURNED };
}

/// `IoSetCompletionRoutine`: what to call when the next callee completes the packet, and in which cases.
///
/// # Safety
/// As [`io_get_next_irp_stack_location`]; `context` is what `routine` expects, until the routine has run.
///
/// # IRQL
/// Any.
#[inline]
pub unsafe fn io_set_completion_routine(
    irp: *mut IRP,
    routine: PIO_COMPLETION_ROUTINE,
    context: *mut c_void,
    on_success: bool,
    on_error: bool,
    on_cancel: bool,
) {
    let mut control = 0;
    for (wanted, flag) in
        [(on_success, SL_INVOKE_ON_SUCCESS), (on_error, SL_INVOKE_ON_ERROR), (on_cancel, SL_INVOKE_ON_CANCEL)]
    {
        control |= if wanted { flag } else { 0 };
    }
    // SAFETY: the caller promises a location left.
    let next = unsafe { io_get_next_irp_stack_location(irp) };
    // SAFETY: the location belongs to the packet, which is the caller's.
    unsafe { (*next).CompletionRoutine = routine };
    // SAFETY: as above.
    unsafe { (*next).Context = context };
    // SAFETY: as above.
    unsafe { (*next).Control = control };
}

/// Moves the current location by one, its number and its address together.
///
/// # Safety
/// `irp` is initialised and the caller's; the new location is one of its own, or the place behind the last.
#[inline]
unsafe fn step(irp: *mut IRP, by: i8) {
    // SAFETY: the caller owns the packet, and nobody else touches this field.
    let number = unsafe { &mut (*irp).CurrentLocation };
    *number = number.wrapping_add(by);
    let address = current_location(irp);
    // SAFETY: as above; the tail of an initialised packet holds its Overlay arm.
    let location = unsafe { ptr::read(address) };
    // SAFETY: as above.
    unsafe { ptr::write(address, location.wrapping_offset(isize::from(by))) };
}

/// Where a packet keeps the address of its current location.
#[inline]
const fn current_location(irp: *mut IRP) -> *mut *mut IO_STACK_LOCATION {
    irp.wrapping_byte_add(offset_of!(IRP, Tail.Overlay.CurrentStackLocation)).cast()
}
