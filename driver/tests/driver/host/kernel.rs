//! What the engine asks: all of it is the user-mode kernel's.

// UNSAFETY: forwards `Memory` and `Kernel`.
#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

use std::ffi::c_void;
use std::ptr::NonNull;

use skua_engine::Kernel;
use skua_engine::abi::nt::{IRP, KEVENT, KIRQL, MDL};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_pools::{Memory, Tag};

use super::HostExecutive;

// SAFETY: forwards to a `Memory`.
unsafe impl Memory for HostExecutive {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        if self.shared.limit.allows(bytes) { self.kernel.allocate(bytes, tag) } else { None }
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.free(address, bytes, tag) }
    }
}

// SAFETY: forwards to a `Kernel`.
unsafe impl Kernel for HostExecutive {
    fn instance(&self) -> usize {
        self.kernel.instance()
    }

    fn ke_get_current_irql(&self) -> KIRQL {
        self.kernel.ke_get_current_irql()
    }

    fn ke_raise_irql_to_dpc_level(&self) -> KIRQL {
        self.kernel.ke_raise_irql_to_dpc_level()
    }

    unsafe fn ke_lower_irql(&self, irql: KIRQL) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.ke_lower_irql(irql) }
    }

    fn ke_get_current_processor_index(&self) -> u32 {
        self.kernel.ke_get_current_processor_index()
    }

    fn ke_query_maximum_processor_count(&self) -> u32 {
        self.kernel.ke_query_maximum_processor_count()
    }

    unsafe fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.io_initialize_irp(irp, packet_size, stack_size) }
    }

    unsafe fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.io_reuse_irp(irp, status) }
    }

    unsafe fn io_cancel_irp(&self, irp: *mut IRP) -> bool {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.io_cancel_irp(irp) }
    }

    unsafe fn io_complete_request(&self, irp: *mut IRP, priority_boost: i8) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.io_complete_request(irp, priority_boost) }
    }

    unsafe fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.mm_build_mdl_for_non_paged_pool(mdl) }
    }

    unsafe fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.mm_map_locked_pages_specify_cache(mdl) }
    }

    unsafe fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.ke_initialize_event(event, signalled) }
    }

    unsafe fn ke_set_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.ke_set_event(event) }
    }

    unsafe fn ke_clear_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.ke_clear_event(event) }
    }

    unsafe fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.ke_wait_for_single_object(event, timeout) }
    }

    fn ke_query_performance_counter(&self) -> u64 {
        self.kernel.ke_query_performance_counter()
    }

    fn performance_frequency(&self) -> u64 {
        self.kernel.performance_frequency()
    }

    fn ke_query_interrupt_time(&self) -> u64 {
        self.kernel.ke_query_interrupt_time()
    }

    fn ke_query_system_time_precise(&self) -> u64 {
        self.kernel.ke_query_system_time_precise()
    }

    unsafe fn wsk_register(&self, npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.wsk_register(npi, registration) }
    }

    unsafe fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.wsk_deregister(registration) }
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.wsk_capture_provider_npi(registration, wait_timeout, npi) }
    }

    unsafe fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.wsk_release_provider_npi(registration) }
    }

    unsafe fn wsk_query_provider_characteristics(
        &self,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { self.kernel.wsk_query_provider_characteristics(registration, characteristics) }
    }
}
