//! Deferred and asynchronous procedure calls, and the queue of a device.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{BOOLEAN, DEVICE_OBJECT, IRP, KPROCESSOR_MODE, KSPIN_LOCK, LIST_ENTRY, SINGLE_LIST_ENTRY};

/// The routine of a [`KDPC`]; runs at `DISPATCH_LEVEL`.
///
/// Parameters: the object itself, `DeferredContext` of its initialisation, and the two arguments it was queued with.
pub type PKDEFERRED_ROUTINE = Option<
    unsafe extern "C" fn(
        Dpc: *mut KDPC,
        DeferredContext: *mut c_void,
        SystemArgument1: *mut c_void,
        SystemArgument2: *mut c_void,
    ),
>;

/// A deferred procedure call: a routine that a processor runs at `DISPATCH_LEVEL` before it runs threads again.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KDPC {
    /// Type, importance and target processor.
    pub TargetInfoAsUlong: u32,
    /// Its link in the processor's queue.
    pub DpcListEntry: SINGLE_LIST_ENTRY,
    /// The processors it ran on.
    pub ProcessorHistory: usize,
    /// The routine.
    pub DeferredRoutine: PKDEFERRED_ROUTINE,
    /// The routine's context.
    pub DeferredContext: *mut c_void,
    /// The first argument it was queued with.
    pub SystemArgument1: *mut c_void,
    /// The second.
    pub SystemArgument2: *mut c_void,
    /// The queue it is in, null when in none.
    pub DpcData: *mut c_void,
}
layout!(KDPC {
    size: 64,
    align: 8,
    TargetInfoAsUlong: 0,
    DpcListEntry: 8,
    ProcessorHistory: 16,
    DeferredRoutine: 24,
    DeferredContext: 32,
    SystemArgument1: 40,
    SystemArgument2: 48,
    DpcData: 56,
});

/// An asynchronous procedure call: a routine that one thread runs. The I/O manager keeps one in every [`IRP`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KAPC {
    /// The kind of kernel object.
    pub Type: u8,
    /// Flags.
    pub AllFlags: u8,
    /// Size of this structure in bytes.
    pub Size: u8,
    /// Unused.
    pub SpareByte1: u8,
    /// Unused.
    pub SpareLong0: u32,
    /// The thread that runs it.
    pub Thread: *mut c_void,
    /// Its link in the thread's queue.
    pub ApcListEntry: LIST_ENTRY,
    /// The kernel, rundown and normal routines.
    pub Reserved: [*mut c_void; 3],
    /// The normal routine's context.
    pub NormalContext: *mut c_void,
    /// The first argument.
    pub SystemArgument1: *mut c_void,
    /// The second.
    pub SystemArgument2: *mut c_void,
    /// Which of the thread's environments it is for.
    pub ApcStateIndex: i8,
    /// In whose name the normal routine runs.
    pub ApcMode: KPROCESSOR_MODE,
    /// Whether it is in a queue.
    pub Inserted: BOOLEAN,
}
layout!(KAPC {
    size: 88,
    align: 8,
    Type: 0,
    Size: 2,
    Thread: 8,
    ApcListEntry: 16,
    Reserved: 32,
    NormalContext: 56,
    SystemArgument1: 64,
    SystemArgument2: 72,
    ApcStateIndex: 80,
    ApcMode: 81,
    Inserted: 82,
});

/// The requests that wait for a device that handles one at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KDEVICE_QUEUE {
    /// The kind of kernel object.
    pub Type: i16,
    /// Size of this structure in bytes.
    pub Size: i16,
    /// The waiting entries.
    pub DeviceListHead: LIST_ENTRY,
    /// Guards the list.
    pub Lock: KSPIN_LOCK,
    /// Whether the device is handling a request; the upper 56 bits are a hint of the kernel's.
    pub Busy: u64,
}
layout!(KDEVICE_QUEUE { size: 40, align: 8, Type: 0, Size: 2, DeviceListHead: 8, Lock: 24, Busy: 32 });

/// What waits for a DMA adapter's map registers. Part of a [`DEVICE_OBJECT`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WAIT_CONTEXT_BLOCK {
    /// Its link in the adapter's queue.
    pub WaitQueueEntry: [*mut c_void; 3],
    /// The routine to call.
    pub DeviceRoutine: *mut c_void,
    /// The routine's context.
    pub DeviceContext: *mut c_void,
    /// How many map registers are wanted.
    pub NumberOfMapRegisters: u32,
    /// The device.
    pub DeviceObject: *mut DEVICE_OBJECT,
    /// The request in progress.
    pub CurrentIrp: *mut IRP,
    /// A deferred procedure call of the kernel's.
    pub BufferChainingDpc: *mut KDPC,
}
layout!(WAIT_CONTEXT_BLOCK {
    size: 72,
    align: 8,
    WaitQueueEntry: 0,
    DeviceRoutine: 24,
    DeviceContext: 32,
    NumberOfMapRegisters: 40,
    DeviceObject: 48,
    CurrentIrp: 56,
    BufferChainingDpc: 64,
});
