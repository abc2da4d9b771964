//! Shared memory of Linux: a memfd, mapped as often as asked.

// UNSAFETY: maps and unmaps memory.
#![expect(unsafe_code, reason = "mapping memory is a system call on addresses")]

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// One mapping of a memfd, which lives as long as any mapping of it.
///
/// # Invariants
/// `bytes` at `start` are mapped, not 0, and this value's alone to unmap.
#[derive(Debug)]
pub(super) struct Region {
    start: NonNull<u8>,
    bytes: usize,
    file: Arc<OwnedFd>,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this value only hands out its address.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Zeroed memory, mapped for writing. Every page is there before this returns: a ring's first round must not pay
    /// for page faults.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let file = memfd_create("skua-ring", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, bytes as u64)?;
        Self::map(Arc::new(file), bytes, ProtFlags::READ | ProtFlags::WRITE)
    }

    /// The same memory once more, without write access.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn for_reading(&self) -> io::Result<Self> {
        Self::map(Arc::clone(&self.file), self.bytes, ProtFlags::READ)
    }

    /// The same memory once more, with write access.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn for_writing(&self) -> io::Result<Self> {
        Self::map(Arc::clone(&self.file), self.bytes, ProtFlags::READ | ProtFlags::WRITE)
    }

    /// The first byte, page-aligned.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes there are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn map(file: Arc<OwnedFd>, bytes: usize, access: ProtFlags) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a new mapping at an address of the system's choice takes nothing away from anybody.
        let start = unsafe { mmap(ptr::null_mut(), bytes, access, flags, &*file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes, file })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and unmapped only here.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own could not be unmapped");
    }
}
