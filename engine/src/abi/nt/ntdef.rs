//! Basic types: what `ntdef.h` declares.

use core::ffi::c_void;

use bytemuck::{Pod, Zeroable};

use crate::abi::status::NTSTATUS;

/// A byte that is zero for false and anything else for true. Not a Rust `bool`: C code may store any value.
pub type BOOLEAN = u8;
/// [`BOOLEAN`]: true.
pub const TRUE: BOOLEAN = 1;
/// [`BOOLEAN`]: false.
pub const FALSE: BOOLEAN = 0;
/// An entry of a handle table.
pub type HANDLE = *mut c_void;
/// Access rights, one bit each.
pub type ACCESS_MASK = u32;

/// A signed 64-bit number. In time-outs it counts 100 ns: negative from now, positive since 1601-01-01 UTC.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Pod, Zeroable)]
pub struct LARGE_INTEGER {
    /// The whole number; the C union also names its halves.
    pub QuadPart: i64,
}
layout!(LARGE_INTEGER { size: 8, align: 8, QuadPart: 0 });

/// A globally unique identifier.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct GUID {
    /// The first eight hexadecimal digits.
    pub Data1: u32,
    /// The next four.
    pub Data2: u16,
    /// The next four.
    pub Data3: u16,
    /// The last sixteen, byte by byte.
    pub Data4: [u8; 8],
}
layout!(GUID { size: 16, align: 4, Data1: 0, Data2: 4, Data3: 6, Data4: 8 });

/// A counted UTF-16 string; it need not end in a zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct UNICODE_STRING {
    /// Bytes in use, an even number.
    pub Length: u16,
    /// Bytes that `Buffer` has room for.
    pub MaximumLength: u16,
    /// The code units.
    pub Buffer: *mut u16,
}
layout!(UNICODE_STRING { size: 16, align: 8, Length: 0, MaximumLength: 2, Buffer: 8 });

impl UNICODE_STRING {
    /// A string over code units that live for good, or nothing if they take more than 65534 bytes.
    ///
    /// NT writes through `Buffer` only where a function's documentation says that it fills the string; such a
    /// function must not be given this one.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn from_static(units: &'static [u16]) -> Option<Self> {
        if units.len() > (u16::MAX / 2) as usize {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 65534, checked above")]
        let bytes = (units.len() * 2) as u16;
        Some(Self { Length: bytes, MaximumLength: bytes, Buffer: units.as_ptr().cast_mut() })
    }
}

/// A link of a doubly linked list, or its head.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct LIST_ENTRY {
    /// The next entry; the head itself when the list is empty.
    pub Flink: *mut LIST_ENTRY,
    /// The previous entry; the head itself when the list is empty.
    pub Blink: *mut LIST_ENTRY,
}
layout!(LIST_ENTRY { size: 16, align: 8, Flink: 0, Blink: 8 });

/// A link of a singly linked list.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct SINGLE_LIST_ENTRY {
    /// The next entry or null.
    pub Next: *mut SINGLE_LIST_ENTRY,
}
layout!(SINGLE_LIST_ENTRY { size: 8, align: 8, Next: 0 });

/// A link of an interlocked singly linked list. 16-byte aligned, since the head packs the address into 60 bits.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct SLIST_ENTRY {
    /// The next entry or null.
    pub Next: *mut SLIST_ENTRY,
}
layout!(SLIST_ENTRY { size: 16, align: 16, Next: 0 });

/// The head of an interlocked singly linked list: depth, sequence and first entry, exchanged as 16 bytes at once.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SLIST_HEADER {
    /// Depth and sequence.
    pub Alignment: u64,
    /// First entry.
    pub Region: u64,
}
layout!(SLIST_HEADER { size: 16, align: 16, Alignment: 0, Region: 8 });

/// A processor: its group, and its number within the group.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct PROCESSOR_NUMBER {
    /// The group.
    pub Group: u16,
    /// The number within the group, 0 to 63.
    pub Number: u8,
    /// Zero.
    pub Reserved: u8,
}
layout!(PROCESSOR_NUMBER { size: 4, align: 2, Group: 0, Number: 2, Reserved: 3 });

/// The outcome of an operation.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct IO_STATUS_BLOCK {
    /// How the operation ended. C overlays a pointer on it, which reserves the 4 bytes that follow.
    pub Status: NTSTATUS,
    /// A count of bytes, or what the operation created: a `WSK_SOCKET*` after `WskSocket`.
    pub Information: usize,
}
layout!(IO_STATUS_BLOCK { size: 16, align: 8, Status: 0, Information: 8 });

/// How a kernel object is named, opened and protected.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct OBJECT_ATTRIBUTES {
    /// Size of this structure in bytes, 48.
    pub Length: u32,
    /// The directory that `ObjectName` is relative to, or null.
    pub RootDirectory: HANDLE,
    /// The name, or null.
    pub ObjectName: *mut UNICODE_STRING,
    /// `OBJ_` flags.
    pub Attributes: u32,
    /// A security descriptor, or null.
    pub SecurityDescriptor: *mut c_void,
    /// A `SECURITY_QUALITY_OF_SERVICE`, or null.
    pub SecurityQualityOfService: *mut c_void,
}
layout!(OBJECT_ATTRIBUTES {
    size: 48,
    align: 8,
    Length: 0,
    RootDirectory: 8,
    ObjectName: 16,
    Attributes: 24,
    SecurityDescriptor: 32,
    SecurityQualityOfService: 40,
});

/// [`OBJECT_ATTRIBUTES`]: names are compared without regard to case.
pub const OBJ_CASE_INSENSITIVE: u32 = 0x40;
/// [`OBJECT_ATTRIBUTES`]: the handle lives in the kernel's table; user mode cannot use it.
pub const OBJ_KERNEL_HANDLE: u32 = 0x200;

opaque! {
    /// A process object.
    EPROCESS;
    /// A thread object.
    ETHREAD;
}

/// A process, by the address of its object.
pub type PEPROCESS = *mut EPROCESS;
/// A thread, by the address of its object.
pub type PETHREAD = *mut ETHREAD;
