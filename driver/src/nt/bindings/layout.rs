//! The driver's types against those of whichever crate declares NT: same size, same place of every field.

use core::mem::offset_of;

use skua_engine::abi::nt;

use super::types;

/// Compares a type of [`nt`] with the one of the same name. `align` is left out where windows-sys drops the headers'
/// DECLSPEC_ALIGN(16), which is not in the metadata.
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
            align_of::<types::$name>() == if cfg!(feature = "wdk") { 16 } else { 8 },
            stringify!(alignment of $name)
        );
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
