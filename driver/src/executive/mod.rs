//! What the driver asks of NT beyond what the engine's [`Kernel`] asks, under NT's own names.
//!
//! In the driver the implementation is a zero-sized value whose methods are ntoskrnl's exports; in tests it is an instance
//! over the user-mode kernel. [`Section`](Executive::Section) and [`Thread`](Executive::Thread) are owned: dropping one
//! undoes what made it.

// UNSAFETY: a trait of unsafe methods, which are calls into the kernel, and the one provided method that follows them.
#![expect(unsafe_code, reason = "kernel calls take raw pointers, their contracts are NT's")]

mod registry;

use core::ffi::c_void;
use core::ptr::NonNull;

use skua_engine::Kernel;
use skua_engine::abi::nt::{KIRQL, MDL, PEPROCESS, mm_get_mapped_system_address};
use skua_engine::abi::status::NTSTATUS;
pub use skua_nt::{PoolUse, StartRoutine};

pub use registry::{REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD, REG_SZ, RegistryValue};

/// What those who open a section by its name may do with it. Its creator writes to it in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionAccess {
    /// Administrators and the system map it for reading: a ring's data.
    MapRead,
    /// They map it for reading and writing: a reader's cursor. Nothing in it is to be believed.
    MapWrite,
}

/// The kernel services that the driver needs besides [`Kernel`].
///
/// # Safety
///
/// As for [`Kernel`]: implementations behave as NT's documentation of the routine says. What a
/// [`Section`](Executive::Section)'s address points at is zeroed at creation, resident, and valid in every context until
/// the section is dropped.
pub unsafe trait Executive: Kernel {
    /// A running system thread. Dropping it waits, without limit, for the thread's end: the thread runs the driver's
    /// code, which must not go away before. Whoever drops it has told the thread to end, is not that thread, and is at
    /// PASSIVE_LEVEL.
    type Thread: Send + Sync;

    /// A named section, locked and mapped. Dropping it ends this side's use at PASSIVE_LEVEL, in a thread of the process
    /// that created it; who has it open or mapped keeps the memory.
    type Section: Send + Sync;

    /// IoAcquireCancelSpinLock: takes the system's one cancel spin lock and returns the level before. To be held for a
    /// few instructions only.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; raises to it.
    #[must_use]
    fn io_acquire_cancel_spin_lock(&self) -> KIRQL;

    /// IoReleaseCancelSpinLock. A cancel routine is called with the lock held and releases it with `Irp->CancelIrql`.
    ///
    /// # Safety
    /// The caller holds the lock, and `irql` is the level from before it was taken.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL; lowers to `irql`.
    unsafe fn io_release_cancel_spin_lock(&self, irql: KIRQL);

    /// KeFlushQueuedDpcs: returns when every DPC that was queued on any processor has run, so that a routine which
    /// signalled its own end from DISPATCH_LEVEL has left the driver's code.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    fn ke_flush_queued_dpcs(&self);

    /// PsCreateSystemThread, in the system process, and a reference to the thread.
    ///
    /// # Errors
    /// NT's status; no thread runs then.
    ///
    /// # Safety
    /// `start` may be called with `context` on another thread, for as long as the returned value lives.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    unsafe fn ps_create_system_thread(
        &self,
        start: StartRoutine,
        context: *mut c_void,
    ) -> Result<Self::Thread, NTSTATUS>;

    /// IoGetCurrentProcess: on a system thread the system process, which sockets are opened for.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    fn io_get_current_process(&self) -> PEPROCESS;

    /// Creates a section backed by the paging file, under `name` and with a descriptor that gives Administrators and the
    /// system `access` and nobody else anything; maps it into the calling process, locks its pages and maps them into
    /// system space: ZwCreateSection, ZwMapViewOfSection, IoAllocateMdl, MmProbeAndLockPages,
    /// MmGetSystemAddressForMdlSafe.
    ///
    /// `name` is the whole path of the object, `\BaseNamedObjects\X` for what a program opens as `Global\X`, without a
    /// terminator. `bytes` is rounded up to pages.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_COLLISION if the name is taken, STATUS_INVALID_PARAMETER if it is longer than an object's name
    /// can be or `bytes` is 0 or does not fit into an MDL (4 GiB less a page), else NT's status. Nothing is left behind.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL, in a thread of the system process.
    fn create_section(
        &self,
        name: &[u16],
        bytes: usize,
        access: SectionAccess,
    ) -> Result<Self::Section, NTSTATUS>;

    /// First byte of the section in system space, aligned to a page. Written in any context, at any level, while the
    /// section lives.
    ///
    /// # IRQL
    /// Any.
    fn section_address(section: &Self::Section) -> NonNull<u8>;

    /// MmGetSystemAddressForMdlSafe(NormalPagePriority | MdlMappingNoExecute): where the buffer of a direct I/O request
    /// is in system space, or null when the system has no mapping to give.
    ///
    /// # Safety
    /// `mdl` describes locked pages, and nobody else maps it at the same time.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn mm_get_system_address_for_mdl_safe(&self, mdl: *mut MDL) -> *mut c_void {
        // SAFETY: the caller promises an initialised descriptor.
        let mapped = unsafe { mm_get_mapped_system_address(mdl) };
        if !mapped.is_null() {
            return mapped;
        }
        // SAFETY: the caller promises locked pages; they are not mapped yet.
        unsafe { self.mm_map_locked_pages_specify_cache(mdl) }
    }

    /// ZwOpenKey and ZwQueryValueKey: reads the value `name` of the key `key`, both without terminator, into `buffer`,
    /// which takes 12 bytes more than the data.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_NOT_FOUND if there is no such key or value, STATUS_BUFFER_OVERFLOW if the data do not fit,
    /// else NT's status.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    fn zw_query_value_key<'b>(
        &self,
        key: &[u16],
        name: &[u16],
        buffer: &'b mut [u32],
    ) -> Result<RegistryValue<'b>, NTSTATUS>;

    /// 128 bits that do not repeat and that nobody without a view into the kernel foresees, for the names of objects.
    /// Not for keys: who may open an object is its descriptor's affair.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    fn unguessable_128(&self) -> u128;

    /// DbgPrintEx, one line of at most 250 bytes; what is beyond is cut off. A new line is added.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    fn dbg_print(&self, line: &str);

    /// The account of the `index`th tag under which nonpaged pool was taken, `None` behind the last.
    ///
    /// # IRQL
    /// Any.
    fn pool_use(&self, index: usize) -> Option<PoolUse>;

    /// Raises `status` (ExRaiseStatus) inside the thunk that guards calls which raise, and returns what the thunk made of
    /// it: `status` again. For self-tests: a thunk that does not work ends the system.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    fn raise_guarded(&self, status: NTSTATUS) -> NTSTATUS;
}
