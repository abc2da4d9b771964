//! The driver's types and constants against those of whichever crate declares NT: same size, same place of every field,
//! same value.

use core::mem::offset_of;

use skua_engine::abi::nt;

use super::{types, values};

/// Compares a type of [`nt`] with the one of the same name. `align16` stands for `size align` where the WDK's headers have
/// DECLSPEC_ALIGN(16) and others, the metadata behind windows-sys among them, do not.
macro_rules! same {
    ($($name:ident $($what:ident)* { $($field:ident),* $(,)? })+) => {$(
        const _: () = {
            $(same!(@$what $name);)*
            $(assert!(offset_of!(nt::$name, $field) == offset_of!(types::$name, $field), stringify!($name.$field));)*
        };
    )+};
    (@size $name:ident) => {
        assert!(size_of::<nt::$name>() == size_of::<types::$name>(), stringify!(size of $name));
    };
    (@align $name:ident) => {
        assert!(align_of::<nt::$name>() == align_of::<types::$name>(), stringify!(alignment of $name));
    };
    (@align16 $name:ident) => {
        assert!(align_of::<nt::$name>() == 16, stringify!(alignment of $name));
        assert!(
            size_of::<nt::$name>() == size_of::<types::$name>().next_multiple_of(16),
            stringify!(size of $name)
        );
    };
}

same! {
    DRIVER_OBJECT size align {
        Type, Size, DeviceObject, Flags, DriverStart, DriverSize, DriverSection, DriverExtension, DriverName,
        HardwareDatabase, FastIoDispatch, DriverInit, DriverStartIo, DriverUnload, MajorFunction,
    }
    DEVICE_OBJECT align16 {
        Type, Size, ReferenceCount, DriverObject, NextDevice, AttachedDevice, CurrentIrp, Timer, Flags, Characteristics,
        Vpb, DeviceExtension, DeviceType, StackSize, Queue, AlignmentRequirement, DeviceQueue, Dpc, ActiveThreadCount,
        SecurityDescriptor, DeviceLock, SectorSize, Spare1, DeviceObjectExtension, Reserved,
    }
    FILE_OBJECT size align {
        Type, Size, DeviceObject, FsContext, FsContext2, ReadAccess, WriteAccess, Flags, FileName, FileObjectExtension,
    }
    IRP align16 {
        Type, Size, MdlAddress, Flags, AssociatedIrp, ThreadListEntry, IoStatus, RequestorMode, PendingReturned, StackCount,
        CurrentLocation, Cancel, CancelIrql, ApcEnvironment, AllocationFlags, UserEvent, Overlay, CancelRoutine,
        UserBuffer, Tail,
    }
    IO_STACK_LOCATION size align {
        MajorFunction, MinorFunction, Flags, Control, Parameters, DeviceObject, FileObject, CompletionRoutine, Context,
    }
    IO_STATUS_BLOCK size align { Information }
    MDL size align { Next, Size, MdlFlags, Process, MappedSystemVa, StartVa, ByteCount, ByteOffset }
    DISPATCHER_HEADER size align { WaitListHead }
    KEVENT size align { Header }
    LIST_ENTRY size align { Flink, Blink }
    UNICODE_STRING size align { Length, MaximumLength, Buffer }
    OBJECT_ATTRIBUTES size align {
        Length, RootDirectory, ObjectName, Attributes, SecurityDescriptor, SecurityQualityOfService,
    }
    GUID size align {}
}

/// Compares constants of [`nt`] with those of the same name: the value, as their integer types follow different rules.
macro_rules! equal {
    ($($name:ident)+) => {$(
        const _: () = assert!(nt::$name as i64 == values::$name as i64, stringify!($name));
    )+};
}

equal! {
    IRP_MJ_CREATE IRP_MJ_CLOSE IRP_MJ_CLEANUP IRP_MJ_DEVICE_CONTROL IRP_MJ_MAXIMUM_FUNCTION SL_PENDING_RETURNED
    PASSIVE_LEVEL DISPATCH_LEVEL KernelMode Executive NotificationEvent
    NonPagedPoolNx PAGE_SIZE MmCached IoModifyAccess NormalPagePriority
    FILE_DEVICE_SECURE_OPEN DO_DEVICE_INITIALIZING OBJ_CASE_INSENSITIVE OBJ_KERNEL_HANDLE
}
