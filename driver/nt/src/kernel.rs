//! What the engine asks of the kernel: ntoskrnl's and netio's exports.

// UNSAFETY: calls the kernel with what the callers of an unsafe trait vouch for.
#![expect(unsafe_code, reason = "kernel calls take raw pointers, their contracts are NT's")]

use core::ffi::c_void;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    Executive, IRP, KEVENT, KIRQL, KernelMode, LARGE_INTEGER, MDL, MdlMappingNoExecute, MmCached,
    NormalPagePriority, NotificationEvent,
};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_pools::Tag;

use crate::bindings::{self as sys, imports};
use crate::memory::{self, PoolUse};
use crate::routines;

/// Every group of processors (ntdef.h).
const ALL_PROCESSOR_GROUPS: u16 = 0xFFFF;

/// The kernel that the driver is loaded into.
///
/// Its routines work once [`NtKernel::load`] has looked up those that not every system has: before, there is no memory to be
/// had and the clocks stand at 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct NtKernel;

impl NtKernel {
    /// Looks up the routines that not every system has. Called first of all, once.
    ///
    /// `tag`, if there is one, is the tag under which the driver's memory is taken, whatever the engine calls it: tools that
    /// list pool by tag then show the product's. Without it the engine's own tags show what each part takes.
    ///
    /// # Errors
    /// STATUS_NOT_FOUND if the system has no clock.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn load(tag: Option<Tag>) -> Result<Self, NTSTATUS> {
        routines::resolve()?;
        memory::open(tag);
        Ok(Self)
    }

    /// What is charged to the `index`th tag, in the order of first use; `None` behind the last.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn pool_use(&self, index: usize) -> Option<PoolUse> {
        memory::pool_use(index)
    }

    /// A tag whose memory has not all been given back. At the end of `DriverUnload` there is none.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn owing(&self) -> Option<PoolUse> {
        memory::owing()
    }
}

// SAFETY: these are the routines themselves.
unsafe impl Kernel for NtKernel {
    #[inline]
    fn ke_get_current_irql(&self) -> KIRQL {
        // SAFETY: it takes nothing.
        unsafe { imports::KeGetCurrentIrql() }
    }

    #[inline]
    fn ke_raise_irql_to_dpc_level(&self) -> KIRQL {
        // SAFETY: it takes nothing.
        unsafe { imports::KeRaiseIrqlToDpcLevel() }
    }

    #[inline]
    unsafe fn ke_lower_irql(&self, irql: KIRQL) {
        // SAFETY: the caller returns to the level that it raised from.
        unsafe { imports::KeLowerIrql(irql) }
    }

    #[inline]
    fn ke_get_current_processor_index(&self) -> u32 {
        // SAFETY: without a place for group and number it returns the index over all groups alone.
        unsafe { sys::KeGetCurrentProcessorNumberEx(ptr::null_mut()) }
    }

    fn ke_query_maximum_processor_count(&self) -> u32 {
        // SAFETY: it takes a number.
        unsafe { sys::KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS) }
    }

    unsafe fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8) {
        // SAFETY: the caller promises as many bytes.
        unsafe { sys::IoInitializeIrp(irp.cast(), packet_size, stack_size) }
    }

    unsafe fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS) {
        // SAFETY: the caller promises an initialised packet that is its own.
        unsafe { sys::IoReuseIrp(irp.cast(), status.0) }
    }

    unsafe fn io_cancel_irp(&self, irp: *mut IRP) -> bool {
        // SAFETY: the caller promises that the packet stays.
        sys::is_true(unsafe { sys::IoCancelIrp(irp.cast()) })
    }

    unsafe fn io_complete_request(&self, irp: *mut IRP, priority_boost: i8) {
        // SAFETY: the caller gives the packet up.
        unsafe { sys::IofCompleteRequest(irp.cast(), priority_boost) }
    }

    unsafe fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL) {
        // SAFETY: the caller promises a descriptor of nonpaged memory with room for its pages.
        unsafe { sys::MmBuildMdlForNonPagedPool(mdl.cast()) }
    }

    unsafe fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void {
        // SAFETY: the caller promises locked pages. Null is the answer to a failure, as BugCheckOnFailure is false.
        unsafe {
            imports::MmMapLockedPagesSpecifyCache(
                mdl,
                KernelMode,
                MmCached,
                ptr::null_mut(),
                0,
                NormalPagePriority | MdlMappingNoExecute,
            )
        }
    }

    unsafe fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool) {
        // SAFETY: the caller promises memory for an event.
        unsafe { sys::KeInitializeEvent(event.cast(), NotificationEvent, sys::boolean(signalled)) }
    }

    unsafe fn ke_set_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller promises an event.
        let _before = unsafe { sys::KeSetEvent(event.cast(), 0, sys::boolean(false)) };
    }

    unsafe fn ke_clear_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller promises an event.
        unsafe { sys::KeClearEvent(event.cast()) }
    }

    unsafe fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS {
        // Below zero is from now on.
        let mut due = LARGE_INTEGER {
            QuadPart: timeout.map_or(0, |units| i64::try_from(units).map_or(i64::MIN, i64::wrapping_neg)),
        };
        let timeout = if timeout.is_some() { &raw mut due } else { ptr::null_mut() };
        // SAFETY: the caller promises an event that stays; `due` lives until the wait is over.
        let status = unsafe {
            sys::KeWaitForSingleObject(
                event.cast(),
                Executive,
                KernelMode,
                sys::boolean(false),
                timeout.cast(),
            )
        };
        NTSTATUS(status)
    }

    fn ke_query_performance_counter(&self) -> u64 {
        routines::performance_counter()
    }

    fn performance_frequency(&self) -> u64 {
        routines::frequency()
    }

    fn ke_query_interrupt_time(&self) -> u64 {
        routines::interrupt_time()
    }

    fn ke_query_system_time_precise(&self) -> u64 {
        routines::system_time()
    }

    unsafe fn wsk_register(&self, npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { imports::WskRegister(npi, registration) }
    }

    unsafe fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller's contract is the same.
        unsafe { imports::WskDeregister(registration) }
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { imports::WskCaptureProviderNPI(registration, wait_timeout, npi) }
    }

    unsafe fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller's contract is the same.
        unsafe { imports::WskReleaseProviderNPI(registration) }
    }

    unsafe fn wsk_query_provider_characteristics(
        &self,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { imports::WskQueryProviderCharacteristics(registration, characteristics) }
    }
}
