//! The I/O request packet: one asynchronous operation.
// UNSAFETY: exchanges a packet's cancel routine, as the macro of wdm.h does.
#![expect(unsafe_code, reason = "IRPs are reached by address")]

use core::ffi::{c_char, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use bytemuck::Zeroable;

use super::{
    BOOLEAN, DEVICE_OBJECT, FILE_OBJECT, IO_STACK_LOCATION, IO_STATUS_BLOCK, KAPC, KEVENT, KIRQL,
    KPROCESSOR_MODE, LARGE_INTEGER, LIST_ENTRY, MDL, PETHREAD,
};

/// An I/O request packet: the fixed part, after which `StackCount` locations follow in memory.
///
/// Whoever allocates a packet owns it until it is handed to a function that takes one; then the provider does, until
/// the completion routine runs. 16-byte aligned in the WDK (`MEMORY_ALLOCATION_ALIGNMENT`).
#[repr(C, align(16))]
#[derive(Clone, Copy, Zeroable)]
pub struct IRP {
    /// [`IO_TYPE_IRP`].
    pub Type: i16,
    /// Size in bytes of the packet with its stack locations.
    pub Size: u16,
    /// The processor it was allocated on. Windows 8 and later.
    pub AllocationProcessorNumber: u16,
    /// Unused.
    pub Reserved: u16,
    /// The caller's buffer, for direct I/O.
    pub MdlAddress: *mut MDL,
    /// `IRP_` flags.
    pub Flags: u32,
    /// What the packet belongs to, or its buffer.
    pub AssociatedIrp: IRP_ASSOCIATED,
    /// Its link in the list of its thread's packets.
    pub ThreadListEntry: LIST_ENTRY,
    /// How the operation ended; written by whoever completes it, before it does.
    pub IoStatus: IO_STATUS_BLOCK,
    /// In whose name the operation was asked for.
    pub RequestorMode: KPROCESSOR_MODE,
    /// In a completion routine: whether the location that completed was marked pending.
    pub PendingReturned: BOOLEAN,
    /// How many stack locations follow.
    pub StackCount: i8,
    /// Number of the current location, counted down from `StackCount + 1`, which none has.
    pub CurrentLocation: i8,
    /// Whether it has been cancelled.
    pub Cancel: BOOLEAN,
    /// The level before the cancel spin lock was taken.
    pub CancelIrql: KIRQL,
    /// Which environment of the thread its APC is for.
    pub ApcEnvironment: i8,
    /// How it was allocated; kept by `IoReuseIrp`.
    pub AllocationFlags: u8,
    /// Where user mode wants the status.
    pub UserIosb: *mut IO_STATUS_BLOCK,
    /// The event that is signalled when the operation is complete.
    pub UserEvent: *mut KEVENT,
    /// The user's completion routine, or the size of a file to create.
    pub Overlay: IRP_OVERLAY,
    /// What to call when it is cancelled; exchanged atomically, null when it cannot be.
    pub CancelRoutine: DRIVER_CANCEL,
    /// The caller's buffer, for neither buffered nor direct I/O.
    pub UserBuffer: *mut c_void,
    /// What the present owner uses.
    pub Tail: IRP_TAIL,
}
layout!(IRP {
    size: 208, align: 16, Type: 0, Size: 2, AllocationProcessorNumber: 4, Reserved: 6, MdlAddress: 8, Flags: 16,
    AssociatedIrp: 24, AssociatedIrp.SystemBuffer: 24, ThreadListEntry: 32, IoStatus: 48, IoStatus.Information: 56,
    RequestorMode: 64, PendingReturned: 65, StackCount: 66, CurrentLocation: 67, Cancel: 68, CancelIrql: 69,
    ApcEnvironment: 70, AllocationFlags: 71, UserIosb: 72, UserEvent: 80, Overlay: 88, CancelRoutine: 104,
    UserBuffer: 112, Tail: 120, Tail.Overlay.DriverContext: 120, Tail.Overlay.Thread: 152,
    Tail.Overlay.AuxiliaryBuffer: 160, Tail.Overlay.ListEntry: 168, Tail.Overlay.CurrentStackLocation: 184,
    Tail.Overlay.OriginalFileObject: 192, Tail.Overlay.IrpExtension: 200,
});

/// [`IRP::AssociatedIrp`].
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub union IRP_ASSOCIATED {
    /// The packet that this one is a part of.
    pub MasterIrp: *mut IRP,
    /// How many parts are outstanding.
    pub IrpCount: i32,
    /// The kernel's copy of the caller's buffer, for buffered I/O: input and output share it.
    pub SystemBuffer: *mut c_void,
}

/// [`IRP::Overlay`].
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub union IRP_OVERLAY {
    /// What to call in user mode.
    pub AsynchronousParameters: IRP_ASYNCHRONOUS_PARAMETERS,
    /// Initial size of the file to create.
    pub AllocationSize: LARGE_INTEGER,
}

/// [`IRP_OVERLAY::AsynchronousParameters`].
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IRP_ASYNCHRONOUS_PARAMETERS {
    /// The routine.
    pub UserApcRoutine: *mut c_void,
    /// Its context.
    pub UserApcContext: *mut c_void,
}

/// [`IRP::Tail`].
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub union IRP_TAIL {
    /// While a driver has it.
    pub Overlay: IRP_TAIL_OVERLAY,
    /// While it is being completed in its thread.
    pub Apc: KAPC,
    /// While it is queued to a completion port.
    pub CompletionKey: *mut c_void,
}

/// [`IRP_TAIL::Overlay`]. Of the unions inside it, the arms that drivers use.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct IRP_TAIL_OVERLAY {
    /// For the driver that has it; a device queue entry instead in drivers with a `StartIo` routine.
    pub DriverContext: [*mut c_void; 4],
    /// The thread that asked for the operation.
    pub Thread: PETHREAD,
    /// The I/O manager's.
    pub AuxiliaryBuffer: *mut c_char,
    /// For the driver that has it: a link in a queue of its own.
    pub ListEntry: LIST_ENTRY,
    /// The location that is being served; the caller's next one lies directly below it in memory.
    pub CurrentStackLocation: *mut IO_STACK_LOCATION,
    /// The file the operation was asked on.
    pub OriginalFileObject: *mut FILE_OBJECT,
    /// The I/O manager's.
    pub IrpExtension: *mut c_void,
}

/// What [`IRP::CancelRoutine`] is: called at `DISPATCH_LEVEL` with the cancel spin lock held, to be released with
/// `IoReleaseCancelSpinLock(Irp->CancelIrql)`.
///
/// Parameters: the device of the current location, the packet.
pub type DRIVER_CANCEL = Option<unsafe extern "C" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP)>;

/// `IoSizeOfIrp`: bytes taken by a packet with its stack locations.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn io_size_of_irp(stack_size: i8) -> u16 {
    // At most 208 + 127 * 72 bytes; a negative count is taken for none.
    let locations = if stack_size < 0 { 0 } else { stack_size.unsigned_abs() as u16 };
    IRP_SIZE + locations * LOCATION_SIZE
}

/// [`io_size_of_irp`] of one location, which is all that WSK needs.
pub const IO_SIZE_OF_IRP_1: u16 = io_size_of_irp(1);

const IRP_SIZE: u16 = 208;
const LOCATION_SIZE: u16 = 72;
const _: () = assert!(size_of::<IRP>() == IRP_SIZE as usize);
const _: () = assert!(size_of::<IO_STACK_LOCATION>() == LOCATION_SIZE as usize);

/// `IoSetCancelRoutine`: exchanges the routine and returns the one before. Of two that take it out, the canceller and the
/// holder of the packet, one finds it there.
///
/// # Safety
/// `irp` is initialised and stays so during the call.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
pub unsafe fn io_set_cancel_routine(irp: *mut IRP, routine: DRIVER_CANCEL) -> DRIVER_CANCEL {
    // SAFETY: the caller promises a valid packet.
    let field = unsafe { &raw mut (*irp).CancelRoutine };
    // SAFETY: the field is aligned, and is accessed by exchanges only while two threads may.
    let field = unsafe { AtomicPtr::from_ptr(field.cast::<*mut ()>()) };
    let routine = routine.map_or(ptr::null_mut(), |routine| routine as *mut ());
    let before = field.swap(routine, Ordering::SeqCst);
    // SAFETY: null is None and anything else was stored from a routine; Option of a function pointer has its layout.
    unsafe { core::mem::transmute::<*mut (), DRIVER_CANCEL>(before) }
}

/// A packet with its one stack location, to be made part of a larger structure.
///
/// The kernel initialises it once (`IoInitializeIrp` with [`IO_SIZE_OF_IRP_1`] bytes and one location) and reuses it
/// with `IoReuseIrp`. It must not move from then on: the packet holds the address of its location.
#[repr(C, align(16))]
#[derive(Clone, Copy, Zeroable)]
pub struct EmbeddedIrp {
    /// The packet.
    pub Irp: IRP,
    /// Its stack location.
    pub Stack: [IO_STACK_LOCATION; 1],
}
layout!(EmbeddedIrp { size: 288, align: 16, Irp: 0, Stack: 208 });
const _: () = assert!(IO_SIZE_OF_IRP_1 == 280);

impl EmbeddedIrp {
    /// The packet's address, from which the location behind it may be reached too.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn as_irp(this: *mut Self) -> *mut IRP {
        this.cast()
    }
}

/// [`IRP::Type`] of a packet.
pub const IO_TYPE_IRP: i16 = 6;

/// Priority boost of the waiting thread when a packet is completed: none.
pub const IO_NO_INCREMENT: i8 = 0;
/// Priority boost of the waiting thread when a packet is completed: that of network drivers.
pub const IO_NETWORK_INCREMENT: i8 = 2;

/// A handle is opened.
pub const IRP_MJ_CREATE: u8 = 0x00;
/// The last reference to a file object is gone.
pub const IRP_MJ_CLOSE: u8 = 0x02;
/// A read.
pub const IRP_MJ_READ: u8 = 0x03;
/// A write.
pub const IRP_MJ_WRITE: u8 = 0x04;
/// A control code of a device's own.
pub const IRP_MJ_DEVICE_CONTROL: u8 = 0x0E;
/// A control code that only the kernel can send.
pub const IRP_MJ_INTERNAL_DEVICE_CONTROL: u8 = 0x0F;
/// The system shuts down.
pub const IRP_MJ_SHUTDOWN: u8 = 0x10;
/// The last handle to a file object is closed.
pub const IRP_MJ_CLEANUP: u8 = 0x12;
/// Power management.
pub const IRP_MJ_POWER: u8 = 0x16;
/// Windows management instrumentation.
pub const IRP_MJ_SYSTEM_CONTROL: u8 = 0x17;
/// Plug and play.
pub const IRP_MJ_PNP: u8 = 0x1B;
/// The largest major function code; a driver's table has one entry more.
pub const IRP_MJ_MAXIMUM_FUNCTION: u8 = 0x1B;
