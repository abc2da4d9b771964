//! What the engine asks of the kernel around it, under NT's own names.
//!
//! In a driver the implementation is a zero-sized value whose methods are the ntoskrnl and netio exports; in user mode
//! it is an instance that emulates them, so that two kernels with different faults live in one test process. Macros of
//! wdm.h that touch nothing but their arguments are not here: they are functions of [`crate::abi::nt`].

// UNSAFETY: a trait of unsafe methods, which are calls into the kernel; nothing is dereferenced here.
#![expect(unsafe_code, reason = "kernel calls take raw pointers, their contracts are NT's")]

use core::ffi::c_void;

use skua_pools::Memory;

use crate::abi::nt::{IRP, KEVENT, KIRQL, MDL};
use crate::abi::status::NTSTATUS;
use crate::abi::wsk::{WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION};

/// The kernel services that the engine and a WSK provider need.
///
/// A value of this type is cheap to clone: zero-sized in a driver, a counted pointer in user mode. Its [`Memory`] is
/// nonpaged pool.
///
/// # Safety
///
/// Implementations behave as NT's documentation of the routine says, in particular: raising gives the calling thread a
/// processor that no other thread enters until it lowers again, [`ke_get_current_processor_index`] is stable and below
/// [`ke_query_maximum_processor_count`] in between, and an IRP's completion routine runs exactly once for each
/// completion.
///
/// [`ke_get_current_processor_index`]: Kernel::ke_get_current_processor_index
/// [`ke_query_maximum_processor_count`]: Kernel::ke_query_maximum_processor_count
pub unsafe trait Kernel: Memory + Clone + Send + Sync + 'static {
    /// Which kernel this is, where one process holds several: what belongs to one is not used with another.
    ///
    /// # IRQL
    /// Any.
    fn instance(&self) -> usize {
        0
    }

    /// KeGetCurrentIrql.
    ///
    /// # IRQL
    /// Any.
    fn ke_get_current_irql(&self) -> KIRQL;

    /// KeRaiseIrqlToDpcLevel: raises to DISPATCH_LEVEL and returns the level before.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    fn ke_raise_irql_to_dpc_level(&self) -> KIRQL;

    /// KeLowerIrql.
    ///
    /// # Safety
    /// `irql` is what the matching [`Kernel::ke_raise_irql_to_dpc_level`] returned, on this thread, and nothing that
    /// depends on the raised level is still held.
    ///
    /// # IRQL
    /// At least `irql`.
    unsafe fn ke_lower_irql(&self, irql: KIRQL);

    /// KeGetCurrentProcessorIndex: counted over all groups, below the maximum count.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL for an answer that stays true.
    fn ke_get_current_processor_index(&self) -> u32;

    /// KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS): processors that are there or may be hot-added.
    ///
    /// # IRQL
    /// Any.
    fn ke_query_maximum_processor_count(&self) -> u32;

    /// IoInitializeIrp on memory the caller owns; `packet_size` counts the IRP and its stack locations.
    ///
    /// # Safety
    /// `irp` points at `packet_size` writable, nonpaged, 16-aligned bytes that hold no IRP in use.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8);

    /// IoReuseIrp: resets stack position, status and completion routine.
    ///
    /// # Safety
    /// `irp` was initialised by [`Kernel::io_initialize_irp`] and no driver has it.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS);

    /// IoCancelIrp: sets the cancel bit and calls the cancel routine, if one is set. Returns whether it was called.
    ///
    /// # Safety
    /// `irp` stays allocated and is not reused until this returns.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn io_cancel_irp(&self, irp: *mut IRP) -> bool;

    /// IoCompleteRequest: walks the stack locations back and calls their completion routines. Providers call this.
    ///
    /// # Safety
    /// The caller owns `irp` and gives it up; its status block is filled in.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn io_complete_request(&self, irp: *mut IRP, priority_boost: i8);

    /// MmBuildMdlForNonPagedPool: fills the page array of an MDL over nonpaged memory and gives it its system address.
    ///
    /// # Safety
    /// `mdl` was initialised over a nonpaged buffer and is large enough for its page array.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL);

    /// MmMapLockedPagesSpecifyCache(KernelMode, MmCached, NULL, FALSE, NormalPagePriority | MdlMappingNoExecute): null
    /// when the system has no mapping to give. The mapping lasts as long as the MDL's owner keeps the MDL.
    ///
    /// # Safety
    /// `mdl` describes locked pages.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void;

    /// KeInitializeEvent(NotificationEvent).
    ///
    /// # Safety
    /// `event` is writable nonpaged memory that nobody waits on.
    ///
    /// # IRQL
    /// Any.
    unsafe fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool);

    /// KeSetEvent(IO_NO_INCREMENT, Wait = FALSE).
    ///
    /// # Safety
    /// `event` was initialised.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn ke_set_event(&self, event: *mut KEVENT);

    /// KeClearEvent.
    ///
    /// # Safety
    /// `event` was initialised.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn ke_clear_event(&self, event: *mut KEVENT);

    /// KeWaitForSingleObject(Executive, KernelMode, non-alertable). `timeout` is in units of 100 ns and at most
    /// `i64::MAX`, `None` waits without limit; STATUS_SUCCESS when signalled, STATUS_TIMEOUT when not.
    ///
    /// # Safety
    /// `event` was initialised and stays valid until this returns.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    unsafe fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS;

    /// KeQueryPerformanceCounter: monotonic ticks.
    ///
    /// # IRQL
    /// Any.
    fn ke_query_performance_counter(&self) -> u64;

    /// Ticks of [`Kernel::ke_query_performance_counter`] in one second; constant from boot on.
    ///
    /// # IRQL
    /// Any.
    fn performance_frequency(&self) -> u64;

    /// KeQueryInterruptTime: 100 ns units since boot, cheap and coarse.
    ///
    /// # IRQL
    /// Any.
    fn ke_query_interrupt_time(&self) -> u64;

    /// KeQuerySystemTimePrecise: 100 ns units since 1601-01-01 UTC.
    ///
    /// # IRQL
    /// Any.
    fn ke_query_system_time_precise(&self) -> u64;

    /// WskRegister.
    ///
    /// # Safety
    /// `registration` and the client dispatch behind `npi` stay at their address until [`Kernel::wsk_deregister`].
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    unsafe fn wsk_register(&self, npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS;

    /// WskDeregister: blocks until every capture is released, every call returned and every socket is closed.
    ///
    /// # Safety
    /// `registration` is registered.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    unsafe fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION);

    /// WskCaptureProviderNPI; `wait_timeout` in ms, or WSK_NO_WAIT or WSK_INFINITE_WAIT.
    ///
    /// # Safety
    /// `registration` is registered; each success owes one [`Kernel::wsk_release_provider_npi`].
    ///
    /// # IRQL
    /// PASSIVE_LEVEL; at most DISPATCH_LEVEL with WSK_NO_WAIT.
    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS;

    /// WskReleaseProviderNPI.
    ///
    /// # Safety
    /// Pays for one successful capture; no call through the client-level table follows.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION);

    /// WskQueryProviderCharacteristics.
    ///
    /// # Safety
    /// `registration` is registered, `characteristics` writable.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    unsafe fn wsk_query_provider_characteristics(
        &self,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS;
}
