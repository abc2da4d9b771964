//! Sections: memory that a reader opens by name, and that is written at any level.

// UNSAFETY: creates, maps and locks memory, and undoes it in reverse.
#![expect(unsafe_code, reason = "views and MDLs are raw addresses")]

use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    HANDLE, IoModifyAccess, LARGE_INTEGER, MDL, PAGE_SIZE, PEPROCESS, mm_get_mapped_system_address,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use skua_nt::bindings::{self as sys, imports};
use skua_nt::{Handle, NtKernel, attributes, unicode};

use super::descriptor::Descriptor;
use super::guarded;
use crate::executive::SectionAccess;

/// NtCurrentProcess(): the process whose thread calls (wdm.h).
const CURRENT_PROCESS: HANDLE = ptr::without_provenance_mut(usize::MAX);
/// Rights to a section and protection of its pages (winnt.h).
const SECTION_MAP_READ_AND_WRITE: u32 = 0x0006;
const PAGE_READWRITE: u32 = 0x04;
const SEC_COMMIT: u32 = 0x0800_0000;
/// A child process does not get the view (wdm.h, SECTION_INHERIT).
const VIEW_UNMAP: c_int = 2;
/// What one MDL describes at most (IoAllocateMdl docs): 4 GiB less a page.
const MOST_BYTES: usize = u32::MAX as usize - PAGE_SIZE + 1;

/// A pagefile-backed section, locked and mapped into system space.
///
/// The view in the creating process stays until the section is dropped, though the pages need no view once they are locked:
/// where locking does nothing, as in Wine, the view is what keeps the address valid.
///
/// # Invariants
/// Fields are dropped in their order: the pages are unlocked before the view goes, and the view before the section.
pub struct NtSection {
    locked: Locked,
    _view: View,
    _section: Handle,
}

impl NtSection {
    /// Creates, maps and locks. What was done is undone when a later step fails.
    pub(super) fn create(name: &[u16], bytes: usize, access: SectionAccess) -> Result<Self, NTSTATUS> {
        let bytes =
            bytes.checked_next_multiple_of(PAGE_SIZE).filter(|bytes| (1..=MOST_BYTES).contains(bytes));
        let bytes = bytes.ok_or(STATUS_INVALID_PARAMETER)?;
        let section = create(name, bytes, access)?;
        let view = View::map(&section, bytes)?;
        let locked = Locked::new(view.base, bytes)?;
        Ok(Self { locked, _view: view, _section: section })
    }

    /// First byte in system space.
    pub(super) fn address(&self) -> NonNull<u8> {
        self.locked.address
    }
}

fn create(name: &[u16], bytes: usize, access: SectionAccess) -> Result<Handle, NTSTATUS> {
    let mut name = unicode::borrowed(name)?;
    let descriptor = Descriptor::section(access);
    let mut attributes = attributes(&raw mut name);
    attributes.SecurityDescriptor = descriptor.as_ptr().cast();
    let size = LARGE_INTEGER { QuadPart: i64::try_from(bytes).map_err(|_long| STATUS_INVALID_PARAMETER)? };
    let mut handle = ptr::null_mut();
    // SAFETY: name and descriptor live until the call returns; without a file the pages are the paging file's. Without
    // OBJ_OPENIF a name that is taken is an error.
    let status = unsafe {
        imports::ZwCreateSection(
            &raw mut handle,
            SECTION_MAP_READ_AND_WRITE,
            &raw const attributes,
            &raw const size,
            PAGE_READWRITE,
            SEC_COMMIT,
            ptr::null_mut(),
        )
    };
    // SAFETY: a kernel handle, as the attributes say.
    unsafe { Handle::opened(status, handle) }
}

/// A view in the process that made it.
struct View {
    base: *mut c_void,
    process: PEPROCESS,
}

impl View {
    fn map(section: &Handle, bytes: usize) -> Result<Self, NTSTATUS> {
        let mut base = ptr::null_mut();
        let mut size = bytes;
        // SAFETY: an open section; NT chooses the address.
        let status = unsafe {
            imports::ZwMapViewOfSection(
                section.get(),
                CURRENT_PROCESS,
                &raw mut base,
                0,
                bytes,
                ptr::null_mut(),
                &raw mut size,
                VIEW_UNMAP,
                0,
                PAGE_READWRITE,
            )
        };
        if status.is_success() { Ok(Self { base, process: current_process() }) } else { Err(status) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // In another process something else may be there: the view is left to its own rather.
        if current_process() == self.process {
            // SAFETY: mapped by `map` in this process, and not used after.
            let _mapped = unsafe { imports::ZwUnmapViewOfSection(CURRENT_PROCESS, self.base) };
        }
    }
}

/// A view's pages, locked and mapped.
struct Locked {
    mdl: NonNull<MDL>,
    address: NonNull<u8>,
}

impl Locked {
    fn new(view: *mut c_void, bytes: usize) -> Result<Self, NTSTATUS> {
        let length = u32::try_from(bytes).map_err(|_long| STATUS_INVALID_PARAMETER)?;
        let no = sys::boolean(false);
        // SAFETY: describes a range, and reads nothing of it.
        let mdl = unsafe { sys::IoAllocateMdl(view, length, no, no, ptr::null_mut()) };
        let mdl: NonNull<MDL> = NonNull::new(mdl.cast()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: the range is a view of this process, and the descriptor new.
        if let Err(status) = unsafe { guarded::mm_probe_and_lock_pages(mdl.as_ptr(), IoModifyAccess) } {
            free(mdl);
            return Err(status);
        }
        // SAFETY: locked above; not mapped yet, except where there is one address space only.
        let address = unsafe { system_address(mdl.as_ptr()) };
        let Some(address) = NonNull::new(address.cast()) else {
            unlock(mdl);
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        };
        Ok(Self { mdl, address })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        unlock(self.mdl);
    }
}

// SAFETY: a view and a descriptor belong to no thread; what the memory holds is the ring's affair.
unsafe impl Send for NtSection {}
// SAFETY: through a shared reference only the address can be read.
unsafe impl Sync for NtSection {}

/// # Safety
/// `mdl` describes locked pages, and nobody else maps it.
unsafe fn system_address(mdl: *mut MDL) -> *mut c_void {
    // SAFETY: the caller's promise.
    let mapped = unsafe { mm_get_mapped_system_address(mdl) };
    if mapped.is_null() {
        // SAFETY: the caller's promise.
        unsafe { NtKernel.mm_map_locked_pages_specify_cache(mdl) }
    } else {
        mapped
    }
}

/// Gives back a descriptor that `Locked::new` locked; the mapping in system space goes with the lock.
fn unlock(mdl: NonNull<MDL>) {
    // SAFETY: locked once, and nobody uses the address any more.
    unsafe { sys::MmUnlockPages(mdl.as_ptr().cast()) };
    free(mdl);
}

fn free(mdl: NonNull<MDL>) {
    // SAFETY: allocated by IoAllocateMdl, not locked, and not used after.
    unsafe { sys::IoFreeMdl(mdl.as_ptr().cast()) };
}

fn current_process() -> PEPROCESS {
    // SAFETY: it takes nothing.
    sys::process(unsafe { sys::IoGetCurrentProcess() })
}
