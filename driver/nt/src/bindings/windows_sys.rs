//! NT from `windows-sys`.

// UNSAFETY: one change of a routine's type.
#![expect(unsafe_code, reason = "a routine's calling convention is spelled differently")]

pub use windows_sys::Wdk::Storage::FileSystem::ObOpenObjectByPointer;
pub use windows_sys::Wdk::System::SystemServices::{
    ExAllocatePoolWithTag, ExFreePoolWithTag, ExRaiseStatus, ExUuidCreate, IoAcquireCancelSpinLock,
    IoAllocateMdl, IoCancelIrp, IoCreateDevice, IoCreateSymbolicLink, IoDeleteDevice, IoDeleteSymbolicLink,
    IoFreeMdl, IoGetCurrentProcess, IoInitializeIrp, IoReleaseCancelSpinLock, IoReuseIrp, IofCompleteRequest,
    KeClearEvent, KeFlushQueuedDpcs, KeGetCurrentProcessorNumberEx, KeInitializeEvent,
    KeQueryMaximumProcessorCountEx, KeQueryPerformanceCounter, KeSetEvent, KeWaitForSingleObject,
    MmBuildMdlForNonPagedPool, MmGetSystemRoutineAddress, MmProbeAndLockPages, MmUnlockPages,
    PsCreateSystemThread, PsTerminateSystemThread,
};

use skua_engine::abi::nt::PEPROCESS;
use windows_sys::Wdk::Foundation::POBJECT_TYPE;
use windows_sys::Wdk::System::SystemServices::PKSTART_ROUTINE;

use crate::thread::StartRoutine;

/// No object type, where one may be given.
pub const NO_OBJECT_TYPE: POBJECT_TYPE = 0;

/// What `layout` compares with.
pub(super) mod types {
    pub(in super::super) use windows_sys::Wdk::Foundation::{
        DEVICE_OBJECT, DISPATCHER_HEADER, DRIVER_OBJECT, FILE_OBJECT, IO_STACK_LOCATION, IRP, KEVENT, MDL,
        OBJECT_ATTRIBUTES,
    };
    pub(in super::super) use windows_sys::Win32::Foundation::UNICODE_STRING;
    pub(in super::super) use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
    pub(in super::super) use windows_sys::Win32::System::Kernel::LIST_ENTRY;
    pub(in super::super) use windows_sys::core::GUID;
}

/// What `layout` compares with.
pub(super) mod values {
    pub(in super::super) use windows_sys::Wdk::Foundation::NonPagedPoolNx;
    pub(in super::super) use windows_sys::Wdk::Storage::FileSystem::DO_DEVICE_INITIALIZING;
    pub(in super::super) use windows_sys::Wdk::System::SystemServices::{
        DISPATCH_LEVEL, Executive, FILE_DEVICE_SECURE_OPEN, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE,
        IRP_MJ_DEVICE_CONTROL, IRP_MJ_MAXIMUM_FUNCTION, IoModifyAccess, KernelMode, MmCached,
        NormalPagePriority, PAGE_SIZE, PASSIVE_LEVEL, SL_PENDING_RETURNED,
    };
    pub(in super::super) use windows_sys::Win32::Foundation::{OBJ_CASE_INSENSITIVE, OBJ_KERNEL_HANDLE};
    pub(in super::super) use windows_sys::Win32::System::Kernel::NotificationEvent;
}

/// A `BOOLEAN` argument.
pub const fn boolean(value: bool) -> bool {
    value
}

/// A `BOOLEAN` result.
pub const fn is_true(value: bool) -> bool {
    value
}

/// The routine of a system thread.
pub fn start_routine(routine: StartRoutine) -> PKSTART_ROUTINE {
    // SAFETY: the metadata lost the parameter; the kernel calls what it is given with the context. On 64-bit Windows the
    // "system" convention is C's.
    Some(unsafe { core::mem::transmute::<StartRoutine, unsafe extern "system" fn()>(routine) })
}

/// A `LARGE_INTEGER` result.
pub const fn quad_part(value: i64) -> i64 {
    value
}

/// A `PEPROCESS` result.
pub fn process(value: windows_sys::Wdk::Foundation::PEPROCESS) -> PEPROCESS {
    core::ptr::without_provenance_mut(value.cast_unsigned())
}
