//! Handles of the kernel's own table, closed when dropped.

// UNSAFETY: closes what it owns.
#![expect(unsafe_code, reason = "handles are closed once")]

use core::ptr;

use skua_engine::abi::nt::{
    HANDLE, OBJ_CASE_INSENSITIVE, OBJ_KERNEL_HANDLE, OBJECT_ATTRIBUTES, UNICODE_STRING,
};
use skua_engine::abi::status::NTSTATUS;

use crate::bindings::imports;

/// A handle that is valid in every process and that user mode cannot use: it was made with OBJ_KERNEL_HANDLE.
///
/// # Invariants
/// The handle is open and closed by this alone.
pub struct Handle(HANDLE);

impl Handle {
    /// Takes what a routine that opens put into its argument.
    ///
    /// # Errors
    /// The routine's status; nothing was opened then.
    ///
    /// # Safety
    /// On success the routine put an open kernel handle there, which is the caller's.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL, as for dropping it.
    pub unsafe fn opened(status: NTSTATUS, handle: HANDLE) -> Result<Self, NTSTATUS> {
        if status.is_success() { Ok(Self(handle)) } else { Err(status) }
    }

    /// The handle, open as long as this lives.
    #[must_use]
    pub fn get(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: open, and nobody else closes it.
        let _open = unsafe { imports::ZwClose(self.0) };
    }
}

// SAFETY: a kernel handle is an index into a table that all processes share; using it is the kernel's affair.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

#[expect(clippy::cast_possible_truncation, reason = "the size of one structure")]
const ATTRIBUTES_BYTES: u32 = size_of::<OBJECT_ATTRIBUTES>() as u32;

/// InitializeObjectAttributes for a kernel handle, named by `name` if that is not null.
#[must_use]
pub const fn attributes(name: *mut UNICODE_STRING) -> OBJECT_ATTRIBUTES {
    OBJECT_ATTRIBUTES {
        Length: ATTRIBUTES_BYTES,
        RootDirectory: ptr::null_mut(),
        ObjectName: name,
        Attributes: OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: ptr::null_mut(),
        SecurityQualityOfService: ptr::null_mut(),
    }
}
