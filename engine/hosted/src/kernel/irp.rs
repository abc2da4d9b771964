//! I/O request packets: initialising, reusing, completing and cancelling them.

// UNSAFETY: packets and their stack locations are reached by address.
#![expect(unsafe_code, reason = "IRPs live in the client's memory")]

use std::ptr;
use std::sync::atomic::Ordering;

use skua_engine::abi::nt::{
    BOOLEAN, IO_STACK_LOCATION, IO_TYPE_IRP, IRP, KIRQL, LIST_ENTRY, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS, SL_PENDING_RETURNED, TRUE, io_get_current_irp_stack_location, io_mark_irp_pending,
    io_skip_current_irp_stack_location,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED};
use skua_engine::abi::zeroed;

/// IoInitializeIrp.
///
/// # Safety
/// `irp` points at `packet_size` writable, 16-aligned bytes that hold no packet in use; they are enough for the locations.
pub(crate) unsafe fn initialize(irp: *mut IRP, packet_size: u16, stack_size: i8) {
    // SAFETY: the caller promises `packet_size` writable bytes.
    unsafe { ptr::write_bytes(irp.cast::<u8>(), 0, usize::from(packet_size)) };
    let thread_list = irp.wrapping_byte_add(std::mem::offset_of!(IRP, ThreadListEntry)).cast::<LIST_ENTRY>();
    let mut packet: IRP = zeroed();
    packet.Type = IO_TYPE_IRP;
    packet.Size = packet_size;
    packet.StackCount = stack_size;
    packet.CurrentLocation = stack_size + 1;
    packet.ThreadListEntry = LIST_ENTRY { Flink: thread_list, Blink: thread_list };
    packet.Tail.Overlay.CurrentStackLocation =
        irp.wrapping_add(1).cast::<IO_STACK_LOCATION>().wrapping_add(usize::from(stack_size.unsigned_abs()));
    // SAFETY: as above; the fixed part is shorter than the packet.
    unsafe { irp.write(packet) };
}

/// IoReuseIrp.
///
/// # Safety
/// `irp` was initialised and is the caller's.
pub(crate) unsafe fn reuse(irp: *mut IRP, status: NTSTATUS) {
    // SAFETY: the caller owns the packet.
    let packet = unsafe { &*irp };
    let (size, locations, flags) = (packet.Size, packet.StackCount, packet.AllocationFlags);
    // SAFETY: `size` is what the packet was initialised with.
    unsafe { initialize(irp, size, locations) };
    // SAFETY: the caller owns the packet.
    unsafe { (*irp).AllocationFlags = flags };
    // SAFETY: as above.
    unsafe { (*irp).IoStatus.Status = status };
}

/// Whether a packet is initialised and no driver has it.
///
/// # Safety
/// `irp` is readable.
pub(crate) unsafe fn is_idle(irp: *const IRP) -> bool {
    // SAFETY: the caller's promise.
    let kind = unsafe { (*irp).Type };
    // SAFETY: the caller's promise.
    let (locations, current) = unsafe { position(irp) };
    kind == IO_TYPE_IRP && current == locations + 1
}

/// Whether a driver has a packet.
///
/// # Safety
/// `irp` is readable.
pub(crate) unsafe fn is_in_use(irp: *const IRP) -> bool {
    // Field by field, here and below: another thread that cancels the packet may write its cancel fields meanwhile.
    // SAFETY: the caller's promise.
    let kind = unsafe { (*irp).Type };
    // SAFETY: the caller's promise.
    let (locations, current) = unsafe { position(irp) };
    kind == IO_TYPE_IRP && (1..=locations).contains(&current)
}

/// IoCompleteRequest: climbs the stack locations and calls their completion routines, until one keeps the packet. False
/// when none did, so that it would be the I/O manager's, which did not allocate it.
///
/// # Safety
/// The caller owns `irp`, which a driver has, and gives it up.
pub(crate) unsafe fn complete(irp: *mut IRP) -> bool {
    // SAFETY: the caller owns the packet.
    let (locations, current) = unsafe { position(irp) };
    for _ in current..=locations {
        // SAFETY: the walk ends at the first routine that keeps the packet, so it is still this function's.
        if unsafe { climb(irp) } == STATUS_MORE_PROCESSING_REQUIRED {
            return true;
        }
    }
    false
}

/// Leaves one location and calls the completion routine that it holds, if it asks for this outcome.
///
/// # Safety
/// `irp` has a current location and is the caller's. When STATUS_MORE_PROCESSING_REQUIRED is returned, it no longer is.
unsafe fn climb(irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the caller has the packet.
    let location = unsafe { io_get_current_irp_stack_location(irp) };
    // SAFETY: the caller promises a current location; it is taken out, as the next user expects it to be clear.
    let left = unsafe { location.replace(zeroed()) };
    // SAFETY: as above.
    unsafe { io_skip_current_irp_stack_location(irp) };
    let pending: BOOLEAN = left.Control & SL_PENDING_RETURNED;
    // SAFETY: the caller has the packet.
    unsafe { (*irp).PendingReturned = pending };
    // SAFETY: as above.
    let (locations, current) = unsafe { position(irp) };
    let has_location = current <= locations;
    // SAFETY: as above.
    let status = unsafe { (*irp).IoStatus.Status };
    // SAFETY: as above.
    let cancelled = unsafe { is_cancelled(irp) };
    let wanted = if status.is_success() { SL_INVOKE_ON_SUCCESS } else { SL_INVOKE_ON_ERROR }
        | if cancelled { SL_INVOKE_ON_CANCEL } else { 0 };
    let routine = left.CompletionRoutine.filter(|_| left.Control & wanted != 0);
    let Some(routine) = routine else {
        if has_location && pending == TRUE {
            // SAFETY: a current location exists.
            unsafe { io_mark_irp_pending(irp) };
        }
        return status;
    };
    let device = if has_location {
        // SAFETY: the caller has the packet.
        let location = unsafe { io_get_current_irp_stack_location(irp) };
        // SAFETY: it is one of the packet's own.
        unsafe { (*location).DeviceObject }
    } else {
        ptr::null_mut()
    };
    // SAFETY: whoever set the routine promised that it takes this context; the packet is its from here on.
    unsafe { routine(device, irp, left.Context) }
}

/// How many stack locations a packet has, and which is the current one.
///
/// # Safety
/// The caller has the packet.
pub(crate) unsafe fn position(irp: *const IRP) -> (i8, i8) {
    // SAFETY: the caller's promise.
    let locations = unsafe { (*irp).StackCount };
    // SAFETY: the caller's promise.
    let current = unsafe { (*irp).CurrentLocation };
    (locations, current)
}

/// Whether IoCancelIrp was called.
///
/// # Safety
/// `irp` is initialised and stays so during the call.
pub(crate) unsafe fn is_cancelled(irp: *mut IRP) -> bool {
    // SAFETY: the caller promises a valid packet.
    let field = unsafe { &raw mut (*irp).Cancel };
    // SAFETY: while two threads may, only this function and `mark_cancelled` access the byte.
    unsafe { std::sync::atomic::AtomicU8::from_ptr(field) }.load(Ordering::SeqCst) == TRUE
}

/// Sets the cancel bit.
///
/// # Safety
/// `irp` is initialised and stays so during the call.
pub(crate) unsafe fn mark_cancelled(irp: *mut IRP) {
    // SAFETY: the caller promises a valid packet.
    let field = unsafe { &raw mut (*irp).Cancel };
    // SAFETY: while two threads may, only this function and `is_cancelled` access the byte.
    unsafe { std::sync::atomic::AtomicU8::from_ptr(field) }.store(TRUE, Ordering::SeqCst);
}

/// The level to return to when the cancel spin lock is released.
///
/// # Safety
/// The packet's cancel routine runs and is the caller.
pub(crate) unsafe fn cancel_irql(irp: *mut IRP) -> KIRQL {
    // SAFETY: whoever runs the cancel routine owns the field.
    unsafe { (*irp).CancelIrql }
}
