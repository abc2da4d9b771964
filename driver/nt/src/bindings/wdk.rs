//! NT from `wdk-sys`, which leaves out what Microsoft deprecates: `ExAllocatePoolWithTag` comes from
//! [`imports`](super::imports).

// UNSAFETY: one read of a union whose every arm is an integer.
#![expect(unsafe_code, reason = "a 64-bit integer is a union in C")]

pub use wdk_sys::ntddk::{
    ExFreePoolWithTag, ExRaiseStatus, ExUuidCreate, IoAcquireCancelSpinLock, IoAllocateMdl, IoCancelIrp,
    IoCreateDevice, IoCreateSymbolicLink, IoDeleteDevice, IoDeleteSymbolicLink, IoFreeMdl,
    IoGetCurrentProcess, IoInitializeIrp, IoReleaseCancelSpinLock, IoReuseIrp, IofCompleteRequest,
    KeClearEvent, KeFlushQueuedDpcs, KeGetCurrentProcessorNumberEx, KeInitializeEvent,
    KeQueryMaximumProcessorCountEx, KeQueryPerformanceCounter, KeSetEvent, KeWaitForSingleObject,
    MmBuildMdlForNonPagedPool, MmGetSystemRoutineAddress, MmProbeAndLockPages, MmUnlockPages,
    ObOpenObjectByPointer, PsCreateSystemThread, PsTerminateSystemThread,
};

use skua_engine::abi::nt::PEPROCESS;
use wdk_sys::{BOOLEAN, LARGE_INTEGER, PKSTART_ROUTINE, POBJECT_TYPE};

pub use super::imports::ExAllocatePoolWithTag;
use crate::thread::StartRoutine;

/// No object type, where one may be given.
pub const NO_OBJECT_TYPE: POBJECT_TYPE = core::ptr::null_mut();

/// What `layout` compares with.
pub(super) mod types {
    pub(in super::super) use wdk_sys::{
        DEVICE_OBJECT, DISPATCHER_HEADER, DRIVER_OBJECT, FILE_OBJECT, GUID, IO_STACK_LOCATION,
        IO_STATUS_BLOCK, IRP, KEVENT, LIST_ENTRY, MDL, OBJECT_ATTRIBUTES, UNICODE_STRING,
    };
}

/// What `layout` compares with.
pub(super) mod values {
    pub(in super::super) use wdk_sys::_EVENT_TYPE::NotificationEvent;
    pub(in super::super) use wdk_sys::_KWAIT_REASON::Executive;
    pub(in super::super) use wdk_sys::_LOCK_OPERATION::IoModifyAccess;
    pub(in super::super) use wdk_sys::_MEMORY_CACHING_TYPE::MmCached;
    pub(in super::super) use wdk_sys::_MM_PAGE_PRIORITY::NormalPagePriority;
    pub(in super::super) use wdk_sys::_MODE::KernelMode;
    pub(in super::super) use wdk_sys::_POOL_TYPE::NonPagedPoolNx;
    pub(in super::super) use wdk_sys::{
        DISPATCH_LEVEL, DO_DEVICE_INITIALIZING, FILE_DEVICE_SECURE_OPEN, IRP_MJ_CLEANUP, IRP_MJ_CLOSE,
        IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_MAXIMUM_FUNCTION, OBJ_CASE_INSENSITIVE,
        OBJ_KERNEL_HANDLE, PAGE_SIZE, PASSIVE_LEVEL, SL_PENDING_RETURNED,
    };
}

/// A `BOOLEAN` argument.
pub const fn boolean(value: bool) -> BOOLEAN {
    value as BOOLEAN
}

/// A `BOOLEAN` result.
pub const fn is_true(value: BOOLEAN) -> bool {
    value != 0
}

/// The routine of a system thread.
pub fn start_routine(routine: StartRoutine) -> PKSTART_ROUTINE {
    Some(routine)
}

/// A `LARGE_INTEGER` result.
pub const fn quad_part(value: LARGE_INTEGER) -> i64 {
    // SAFETY: any bits are an integer.
    unsafe { value.QuadPart }
}

/// A `PEPROCESS` result.
pub fn process(value: wdk_sys::PEPROCESS) -> PEPROCESS {
    value.cast()
}
