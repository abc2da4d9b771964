//! Drivers, devices and open files.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{
    BOOLEAN, IRP, IRP_MJ_MAXIMUM_FUNCTION, KDEVICE_QUEUE, KDPC, KEVENT, KSPIN_LOCK, LARGE_INTEGER,
    LIST_ENTRY, PSECURITY_DESCRIPTOR, UNICODE_STRING, WAIT_CONTEXT_BLOCK,
};
use crate::abi::status::NTSTATUS;

/// `DriverEntry`: called once at `PASSIVE_LEVEL`. Parameters: the driver, the path of its registry key.
pub type DRIVER_INITIALIZE = Option<
    unsafe extern "C" fn(DriverObject: *mut DRIVER_OBJECT, RegistryPath: *mut UNICODE_STRING) -> NTSTATUS,
>;
/// Serves a packet. Parameters: the device, the packet.
pub type DRIVER_DISPATCH =
    Option<unsafe extern "C" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP) -> NTSTATUS>;
/// Called at `PASSIVE_LEVEL` before the image goes away. Parameter: the driver.
pub type DRIVER_UNLOAD = Option<unsafe extern "C" fn(DriverObject: *mut DRIVER_OBJECT)>;
/// Serves the packets of a device queue. Parameters: the device, the packet.
pub type DRIVER_STARTIO = Option<unsafe extern "C" fn(DeviceObject: *mut DEVICE_OBJECT, Irp: *mut IRP)>;
/// Told of a new device. Parameters: the driver, the physical device.
pub type DRIVER_ADD_DEVICE = Option<
    unsafe extern "C" fn(
        DriverObject: *mut DRIVER_OBJECT,
        PhysicalDeviceObject: *mut DEVICE_OBJECT,
    ) -> NTSTATUS,
>;

/// A loaded driver. The kernel allocates it; a driver fills in its entry points.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct DRIVER_OBJECT {
    /// [`IO_TYPE_DRIVER`].
    pub Type: i16,
    /// Size of this structure in bytes.
    pub Size: i16,
    /// The first of the driver's devices.
    pub DeviceObject: *mut DEVICE_OBJECT,
    /// The I/O manager's.
    pub Flags: u32,
    /// Where the image begins.
    pub DriverStart: *mut c_void,
    /// Bytes of the image.
    pub DriverSize: u32,
    /// The loader's entry of the image.
    pub DriverSection: *mut c_void,
    /// More of it.
    pub DriverExtension: *mut DRIVER_EXTENSION,
    /// Name of the object.
    pub DriverName: UNICODE_STRING,
    /// The registry path of the hardware description.
    pub HardwareDatabase: *mut UNICODE_STRING,
    /// Entry points of file systems.
    pub FastIoDispatch: *mut c_void,
    /// `DriverEntry`.
    pub DriverInit: DRIVER_INITIALIZE,
    /// Serves a device queue.
    pub DriverStartIo: DRIVER_STARTIO,
    /// Called before the image goes away; a driver without one cannot be unloaded.
    pub DriverUnload: DRIVER_UNLOAD,
    /// Serves packets, by major function.
    pub MajorFunction: [DRIVER_DISPATCH; IRP_MJ_MAXIMUM_FUNCTION as usize + 1],
}
layout!(DRIVER_OBJECT {
    size: 336,
    align: 8,
    Type: 0,
    Size: 2,
    DeviceObject: 8,
    Flags: 16,
    DriverStart: 24,
    DriverSize: 32,
    DriverSection: 40,
    DriverExtension: 48,
    DriverName: 56,
    HardwareDatabase: 72,
    FastIoDispatch: 80,
    DriverInit: 88,
    DriverStartIo: 96,
    DriverUnload: 104,
    MajorFunction: 112,
});

/// More of a [`DRIVER_OBJECT`]: the documented beginning.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct DRIVER_EXTENSION {
    /// The driver.
    pub DriverObject: *mut DRIVER_OBJECT,
    /// Told of new devices.
    pub AddDevice: DRIVER_ADD_DEVICE,
    /// The I/O manager's.
    pub Count: u32,
    /// Name of the service key.
    pub ServiceKeyName: UNICODE_STRING,
}
layout!(DRIVER_EXTENSION {
    size: 40,
    align: 8,
    DriverObject: 0,
    AddDevice: 8,
    Count: 16,
    ServiceKeyName: 24
});

/// A device. The kernel allocates it (`IoCreateDevice`), followed by the driver's extension. 16-byte aligned in the
/// WDK (`MEMORY_ALLOCATION_ALIGNMENT`), which adds 8 bytes at the end.
#[repr(C, align(16))]
#[derive(Clone, Copy, Zeroable)]
pub struct DEVICE_OBJECT {
    /// [`IO_TYPE_DEVICE`].
    pub Type: i16,
    /// Bytes of this structure and the driver's extension.
    pub Size: u16,
    /// Open handles.
    pub ReferenceCount: i32,
    /// The driver.
    pub DriverObject: *mut DRIVER_OBJECT,
    /// The driver's next device.
    pub NextDevice: *mut DEVICE_OBJECT,
    /// The device stacked on this one.
    pub AttachedDevice: *mut DEVICE_OBJECT,
    /// The packet in progress, for drivers with a `StartIo` routine.
    pub CurrentIrp: *mut IRP,
    /// The I/O manager's.
    pub Timer: *mut c_void,
    /// `DO_` flags.
    pub Flags: u32,
    /// `FILE_` characteristics.
    pub Characteristics: u32,
    /// The mounted volume.
    pub Vpb: *mut c_void,
    /// The driver's own memory.
    pub DeviceExtension: *mut c_void,
    /// `FILE_DEVICE_` type.
    pub DeviceType: u32,
    /// How many stack locations a packet for it needs.
    pub StackSize: i8,
    /// A link in a queue, or a wait for map registers.
    pub Queue: DEVICE_OBJECT_QUEUE,
    /// Alignment of buffers, minus one.
    pub AlignmentRequirement: u32,
    /// Waiting packets, for drivers with a `StartIo` routine.
    pub DeviceQueue: KDEVICE_QUEUE,
    /// For `IoRequestDpc`.
    pub Dpc: KDPC,
    /// The file system's.
    pub ActiveThreadCount: u32,
    /// Who may open it.
    pub SecurityDescriptor: PSECURITY_DESCRIPTOR,
    /// The I/O manager's.
    pub DeviceLock: KEVENT,
    /// Bytes of a sector, for volumes.
    pub SectorSize: u16,
    /// Unused.
    pub Spare1: u16,
    /// More of it.
    pub DeviceObjectExtension: *mut c_void,
    /// The I/O manager's.
    pub Reserved: *mut c_void,
}
layout!(DEVICE_OBJECT {
    size: 336,
    align: 16,
    Type: 0,
    Size: 2,
    ReferenceCount: 4,
    DriverObject: 8,
    NextDevice: 16,
    AttachedDevice: 24,
    CurrentIrp: 32,
    Timer: 40,
    Flags: 48,
    Characteristics: 52,
    Vpb: 56,
    DeviceExtension: 64,
    DeviceType: 72,
    StackSize: 76,
    Queue: 80,
    AlignmentRequirement: 152,
    DeviceQueue: 160,
    Dpc: 200,
    ActiveThreadCount: 264,
    SecurityDescriptor: 272,
    DeviceLock: 280,
    SectorSize: 304,
    Spare1: 306,
    DeviceObjectExtension: 312,
    Reserved: 320,
});

/// [`DEVICE_OBJECT::Queue`].
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub union DEVICE_OBJECT_QUEUE {
    /// A link in a file system's queue.
    pub ListEntry: LIST_ENTRY,
    /// A wait for map registers.
    pub Wcb: WAIT_CONTEXT_BLOCK,
}

/// An open file: one `CreateFile` on a device.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
pub struct FILE_OBJECT {
    /// [`IO_TYPE_FILE`].
    pub Type: i16,
    /// Size of this structure in bytes.
    pub Size: i16,
    /// The device.
    pub DeviceObject: *mut DEVICE_OBJECT,
    /// The mounted volume.
    pub Vpb: *mut c_void,
    /// The driver's.
    pub FsContext: *mut c_void,
    /// The driver's.
    pub FsContext2: *mut c_void,
    /// The memory manager's view of the file.
    pub SectionObjectPointer: *mut c_void,
    /// The cache manager's.
    pub PrivateCacheMap: *mut c_void,
    /// The I/O manager's.
    pub FinalStatus: NTSTATUS,
    /// The directory that the name is relative to.
    pub RelatedFileObject: *mut FILE_OBJECT,
    /// Whether it was ever locked.
    pub LockOperation: BOOLEAN,
    /// Whether it is to be deleted.
    pub DeletePending: BOOLEAN,
    /// Opened for reading.
    pub ReadAccess: BOOLEAN,
    /// Opened for writing.
    pub WriteAccess: BOOLEAN,
    /// Opened for deleting.
    pub DeleteAccess: BOOLEAN,
    /// Others may read.
    pub SharedRead: BOOLEAN,
    /// Others may write.
    pub SharedWrite: BOOLEAN,
    /// Others may delete.
    pub SharedDelete: BOOLEAN,
    /// `FO_` flags.
    pub Flags: u32,
    /// What follows the device's name in the name that was opened.
    pub FileName: UNICODE_STRING,
    /// The position, for synchronous files.
    pub CurrentByteOffset: LARGE_INTEGER,
    /// Threads that wait for the file's lock.
    pub Waiters: u32,
    /// Whether that lock is taken.
    pub Busy: u32,
    /// The last range lock that applied.
    pub LastLock: *mut c_void,
    /// The file's lock.
    pub Lock: KEVENT,
    /// Signalled when an operation is complete.
    pub Event: KEVENT,
    /// The completion port.
    pub CompletionContext: *mut c_void,
    /// Guards the list.
    pub IrpListLock: KSPIN_LOCK,
    /// Outstanding packets.
    pub IrpList: LIST_ENTRY,
    /// More of it.
    pub FileObjectExtension: *mut c_void,
}
layout!(FILE_OBJECT {
    size: 216,
    align: 8,
    Type: 0,
    Size: 2,
    DeviceObject: 8,
    Vpb: 16,
    FsContext: 24,
    FsContext2: 32,
    SectionObjectPointer: 40,
    PrivateCacheMap: 48,
    FinalStatus: 56,
    RelatedFileObject: 64,
    LockOperation: 72,
    ReadAccess: 74,
    WriteAccess: 75,
    Flags: 80,
    FileName: 88,
    CurrentByteOffset: 104,
    Waiters: 112,
    Busy: 116,
    LastLock: 120,
    Lock: 128,
    Event: 152,
    CompletionContext: 176,
    IrpListLock: 184,
    IrpList: 192,
    FileObjectExtension: 208,
});

/// [`DEVICE_OBJECT::Type`].
pub const IO_TYPE_DEVICE: i16 = 3;
/// [`DRIVER_OBJECT::Type`].
pub const IO_TYPE_DRIVER: i16 = 4;
/// [`FILE_OBJECT::Type`].
pub const IO_TYPE_FILE: i16 = 5;

/// [`DEVICE_OBJECT::Flags`]: reads and writes go through a kernel buffer.
pub const DO_BUFFERED_IO: u32 = 0x04;
/// [`DEVICE_OBJECT::Flags`]: reads and writes go to the caller's locked pages.
pub const DO_DIRECT_IO: u32 = 0x10;
/// [`DEVICE_OBJECT::Flags`]: not to be opened yet.
pub const DO_DEVICE_INITIALIZING: u32 = 0x80;
/// [`DEVICE_OBJECT::DeviceType`]: none of the known ones.
pub const FILE_DEVICE_UNKNOWN: u32 = 0x22;
/// [`DEVICE_OBJECT::DeviceType`]: a network device.
pub const FILE_DEVICE_NETWORK: u32 = 0x12;
/// [`DEVICE_OBJECT::Characteristics`]: the device's security descriptor also guards names below it.
pub const FILE_DEVICE_SECURE_OPEN: u32 = 0x100;
