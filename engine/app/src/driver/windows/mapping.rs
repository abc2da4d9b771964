//! Rings of the driver, mapped by the names of their sections.

// UNSAFETY: maps and unmaps memory.
#![expect(unsafe_code, reason = "mapping memory is a system call on addresses")]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::NonNull;

use skua_protocol::{ReaderAttached, Region, section_name};
use windows_sys::Win32::Foundation::FALSE;
use windows_sys::Win32::System::Memory::{
    FILE_MAP, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, OpenFileMappingW,
    UnmapViewOfFile,
};

use crate::shared::{AttachError, MappedReader};

/// Maps ring number `ring`: its data for reading alone, its cursor for writing too.
///
/// # Errors
/// [`AttachError`].
pub(super) fn map(attached: &ReaderAttached, ring: u16) -> Result<MappedReader, AttachError> {
    let view =
        |region, bytes, access| View::open(&section_name(&attached.sections, ring, region), bytes, access);
    let data = view(Region::Data, attached.data_bytes, FILE_MAP_READ)?;
    let cursor = view(Region::Cursor, attached.cursor_bytes, FILE_MAP_READ | FILE_MAP_WRITE)?;
    let (data_place, cursor_place) = ((data.start, data.bytes), (cursor.start, cursor.bytes));
    // SAFETY: both views are the reader's, mapped as long as it lives. The driver lets one file be a sink's reader, and this
    // program has one reader a file, so the words are accessed by the ring's two ends only, atomically. The data is written
    // by the sink's producer, which leaves published records alone.
    Ok(unsafe { MappedReader::open(data_place, cursor_place, Box::new((data, cursor))) }?)
}

/// A section's memory in this process.
///
/// # Invariants
/// `bytes` at `start` are mapped, and this value's alone to unmap.
struct View {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this value only hands out its address.
unsafe impl Send for View {}

impl View {
    fn open(name: &[u16], bytes: u64, access: FILE_MAP) -> io::Result<Self> {
        let name: Vec<u16> = "Global\\".encode_utf16().chain(name.iter().copied()).chain([0]).collect();
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: the name ends with a zero and is there as long as the call.
        let section = unsafe { OpenFileMappingW(access, FALSE, name.as_ptr()) };
        if section.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a handle that was just opened and is nobody else's. The view keeps the section without it.
        let section = unsafe { OwnedHandle::from_raw_handle(section) };
        // SAFETY: an open section; a view at an address of the system's choice takes nothing away from anybody.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, bytes) };
        let start = NonNull::new(view.Value.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, bytes })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.start.as_ptr().cast() };
        // SAFETY: mapped by `open`, and unmapped only here.
        let unmapped = unsafe { UnmapViewOfFile(view) };
        debug_assert!(unmapped != FALSE, "a view of our own could not be unmapped");
    }
}
