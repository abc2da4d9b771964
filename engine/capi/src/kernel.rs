//! The table as the engine's kernel.

// UNSAFETY: calls functions in C with what the callers of an unsafe trait vouch for.
#![expect(unsafe_code, reason = "functions in C, whose contracts are NT's")]

use core::ffi::c_void;
use core::ptr::{NonNull, null, null_mut};

use skua_engine::Kernel;
use skua_engine::abi::nt::{IRP, KEVENT, KIRQL, MDL, PASSIVE_LEVEL};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
};
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_pools::{Memory, Tag};

use crate::config::has_size;
use crate::services::SKUA_KERNEL;

/// A [`SKUA_KERNEL`] as a [`Kernel`]: the address of a copy of the table, beside the tag under which all memory is taken.
///
/// # Invariants
/// The copy is complete, and lives until `TableKernel::end`.
#[derive(Clone, Copy, Debug)]
pub struct TableKernel(NonNull<Services>);

/// What a [`TableKernel`] points at, in memory of the kernel that it describes.
struct Services {
    table: SKUA_KERNEL,
    tag: u32,
}

// SAFETY: the copy is constant, and the functions of a kernel may be called on any thread.
unsafe impl Send for TableKernel {}
// SAFETY: as for Send.
unsafe impl Sync for TableKernel {}

impl TableKernel {
    /// What [`TableKernel::begin`] takes, in bytes.
    pub(crate) const BYTES: usize = size_of::<Services>();

    /// Copies the table into memory that it gives.
    ///
    /// # Errors
    /// STATUS_INFO_LENGTH_MISMATCH for a size that no table has, STATUS_INVALID_PARAMETER for none and for one in which a function is
    /// missing, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL, STATUS_INSUFFICIENT_RESOURCES.
    ///
    /// # Safety
    /// `table` is null, or a table's first field at least can be read, and the rest of it where that is its size. Its functions do what
    /// their names say.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) unsafe fn begin(table: *const SKUA_KERNEL, tag: u32) -> Result<Self, NTSTATUS> {
        // SAFETY: the caller's promise.
        unsafe { has_size(table) }?;
        // SAFETY: the caller's promise.
        let table = unsafe { table.read() };
        if !table.is_complete() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let Some(allocate) = table.ExAllocatePool2 else { return Err(STATUS_INVALID_PARAMETER) };
        let Some(level) = table.KeGetCurrentIrql else { return Err(STATUS_INVALID_PARAMETER) };
        // SAFETY: the table's own context.
        if unsafe { level(table.Context) } != PASSIVE_LEVEL {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        // SAFETY: at PASSIVE_LEVEL.
        let place = unsafe { allocate(table.Context, Self::BYTES, tag) };
        let place = NonNull::new(place.cast::<Services>()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: as many bytes, aligned to 16, and nobody else's.
        unsafe { place.write(Services { table, tag }) };
        Ok(Self(place))
    }

    /// Gives the copy's memory back.
    ///
    /// # Safety
    /// Nothing uses any copy of this value again.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) unsafe fn end(self) {
        // SAFETY: alive until now.
        let Services { table, tag } = unsafe { self.0.read() };
        if let Some(free) = table.ExFreePoolWithTag {
            // SAFETY: taken by `begin` with these numbers.
            unsafe { free(table.Context, self.0.as_ptr().cast(), Self::BYTES, tag) };
        }
    }

    #[inline]
    fn services(&self) -> &Services {
        // SAFETY: alive until `end`, after which nothing uses it.
        unsafe { self.0.as_ref() }
    }
}

/// Calls one function of the table. The other value is never seen: a table in use is complete.
macro_rules! call {
    ($kernel:expr, $function:ident($($argument:expr),*), $other:expr) => {{
        let table = &$kernel.services().table;
        match table.$function {
            // SAFETY: the caller's contract is that of the routine.
            Some(function) => unsafe { function(table.Context $(, $argument)*) },
            None => $other,
        }
    }};
}

// SAFETY: the table's function promises it.
unsafe impl Memory for TableKernel {
    fn allocate(&self, bytes: usize, _tag: Tag) -> Option<NonNull<u8>> {
        let tag = self.services().tag;
        NonNull::new(call!(self, ExAllocatePool2(bytes, tag), null_mut()).cast())
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, _tag: Tag) {
        let tag = self.services().tag;
        call!(self, ExFreePoolWithTag(address.as_ptr().cast(), bytes, tag), ());
    }
}

// SAFETY: whoever gave the table promised that its functions are these routines.
unsafe impl Kernel for TableKernel {
    fn instance(&self) -> usize {
        self.services().table.Context.addr()
    }

    #[inline]
    fn ke_get_current_irql(&self) -> KIRQL {
        call!(self, KeGetCurrentIrql(), PASSIVE_LEVEL)
    }

    #[inline]
    fn ke_raise_irql_to_dpc_level(&self) -> KIRQL {
        call!(self, KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL)
    }

    #[inline]
    unsafe fn ke_lower_irql(&self, irql: KIRQL) {
        call!(self, KeLowerIrql(irql), ());
    }

    #[inline]
    fn ke_get_current_processor_index(&self) -> u32 {
        call!(self, KeGetCurrentProcessorIndex(), 0)
    }

    fn ke_query_maximum_processor_count(&self) -> u32 {
        call!(self, KeQueryMaximumProcessorCount(), 1)
    }

    unsafe fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8) {
        call!(self, IoInitializeIrp(irp, packet_size, stack_size), ());
    }

    unsafe fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS) {
        call!(self, IoReuseIrp(irp, status), ());
    }

    unsafe fn io_cancel_irp(&self, irp: *mut IRP) -> bool {
        call!(self, IoCancelIrp(irp), 0) != 0
    }

    /// Only providers call it, and no provider runs on a table.
    unsafe fn io_complete_request(&self, _irp: *mut IRP, _priority_boost: i8) {}

    unsafe fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL) {
        call!(self, MmBuildMdlForNonPagedPool(mdl), ());
    }

    unsafe fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void {
        call!(self, MmMapLockedPagesSpecifyCache(mdl), null_mut())
    }

    unsafe fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool) {
        call!(self, KeInitializeEvent(event, u8::from(signalled)), ());
    }

    unsafe fn ke_set_event(&self, event: *mut KEVENT) {
        call!(self, KeSetEvent(event), ());
    }

    unsafe fn ke_clear_event(&self, event: *mut KEVENT) {
        call!(self, KeClearEvent(event), ());
    }

    unsafe fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS {
        // Below zero is from now on.
        let due = timeout.map_or(0, |units| i64::try_from(units).map_or(i64::MIN, i64::wrapping_neg));
        let timeout = if timeout.is_some() { &raw const due } else { null() };
        call!(self, KeWaitForSingleObject(event, timeout), STATUS_NOT_IMPLEMENTED)
    }

    #[inline]
    fn ke_query_performance_counter(&self) -> u64 {
        call!(self, KeQueryPerformanceCounter(null_mut()), 0).cast_unsigned()
    }

    fn performance_frequency(&self) -> u64 {
        let mut frequency = 0_i64;
        let _now = call!(self, KeQueryPerformanceCounter(&raw mut frequency), 0);
        u64::try_from(frequency).unwrap_or_default()
    }

    fn ke_query_interrupt_time(&self) -> u64 {
        call!(self, KeQueryInterruptTime(), 0)
    }

    /// Sinks alone ask for it, and none is opened here.
    fn ke_query_system_time_precise(&self) -> u64 {
        0
    }

    unsafe fn wsk_register(&self, npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS {
        call!(self, WskRegister(npi, registration), STATUS_NOT_IMPLEMENTED)
    }

    unsafe fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION) {
        call!(self, WskDeregister(registration), ());
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        call!(self, WskCaptureProviderNPI(registration, wait_timeout, npi), STATUS_NOT_IMPLEMENTED)
    }

    unsafe fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION) {
        call!(self, WskReleaseProviderNPI(registration), ());
    }

    unsafe fn wsk_query_provider_characteristics(
        &self,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        call!(self, WskQueryProviderCharacteristics(registration, characteristics), STATUS_NOT_IMPLEMENTED)
    }
}
