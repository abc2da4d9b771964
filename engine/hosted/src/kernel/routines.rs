//! NT's routines, as the client calls them.

// UNSAFETY: implements `Kernel` and `Memory`, whose contracts are NT's.
#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    IRP, KEVENT, KIRQL, MDL, io_get_current_irp_stack_location, io_set_cancel_routine,
};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
};
use skua_pools::{Memory, Tag};

use super::{HostKernel, clock, event, irp, mdl};

// SAFETY: `Accounts` hands out zeroed, 16-aligned memory of the system allocator, and clones share it.
unsafe impl Memory for HostKernel {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        self.host.processors.require_passive("Memory::allocate");
        self.host.memory.allocate(bytes, tag)
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        self.host.processors.require_passive("Memory::free");
        // SAFETY: the caller promises that nobody uses the memory any more.
        unsafe { self.host.memory.free(address, bytes, tag) }
    }
}

// SAFETY: a raised thread occupies its virtual processor until it lowers, indices are below the count, which is
// constant, and `irp::complete` calls each location's routine once.
unsafe impl Kernel for HostKernel {
    fn instance(&self) -> usize {
        Arc::as_ptr(&self.host).addr()
    }

    #[inline]
    fn ke_get_current_irql(&self) -> KIRQL {
        self.host.processors.irql()
    }

    #[inline]
    fn ke_raise_irql_to_dpc_level(&self) -> KIRQL {
        self.host.processors.raise()
    }

    #[inline]
    unsafe fn ke_lower_irql(&self, irql: KIRQL) {
        self.host.processors.lower(irql);
    }

    #[inline]
    fn ke_get_current_processor_index(&self) -> u32 {
        self.host.processors.current()
    }

    fn ke_query_maximum_processor_count(&self) -> u32 {
        self.host.processors.count()
    }

    unsafe fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8) {
        // SAFETY: the caller's contract is the same.
        unsafe { irp::initialize(irp, packet_size, stack_size) }
    }

    unsafe fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS) {
        // SAFETY: the caller's contract is the same.
        unsafe { irp::reuse(irp, status) }
    }

    unsafe fn io_cancel_irp(&self, irp: *mut IRP) -> bool {
        let irql = self.io_acquire_cancel_spin_lock();
        // SAFETY: the caller promises that the packet stays.
        unsafe { irp::mark_cancelled(irp) };
        // SAFETY: as above.
        let Some(routine) = (unsafe { io_set_cancel_routine(irp, None) }) else {
            self.io_release_cancel_spin_lock(irql);
            return false;
        };
        // SAFETY: whoever takes the routine out owns the packet's cancel fields.
        unsafe { (*irp).CancelIrql = irql };
        // SAFETY: the packet is with the driver that set the routine, so it has a location.
        let location = unsafe { io_get_current_irp_stack_location(irp) };
        // SAFETY: as above.
        let device = unsafe { (*location).DeviceObject };
        // SAFETY: the routine releases the cancel spin lock, as every one must.
        unsafe { routine(device, irp) };
        true
    }

    unsafe fn io_complete_request(&self, irp: *mut IRP, priority_boost: i8) {
        match self.host.executive {
            // SAFETY: the caller's contract is the same.
            Some(executive) => unsafe { (executive.iof_complete_request)(irp, priority_boost) },
            // SAFETY: the caller's contract is the same.
            None => unsafe { irp::complete(irp) },
        }
    }

    unsafe fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL) {
        // SAFETY: the caller's contract is the same.
        unsafe { mdl::build_for_non_paged_pool(mdl) }
    }

    unsafe fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void {
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.mappings.map(mdl) }
    }

    unsafe fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool) {
        // SAFETY: the caller's contract is the same.
        unsafe { event::initialize(event, signalled) }
    }

    unsafe fn ke_set_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller's contract is the same.
        unsafe { event::set(event) }
    }

    unsafe fn ke_clear_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller's contract is the same.
        unsafe { event::clear(event) }
    }

    unsafe fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS {
        self.host.processors.require_passive("KeWaitForSingleObject");
        let haste = u64::from(self.haste());
        // SAFETY: the caller's contract is the same.
        unsafe { event::wait(event, timeout.map(|timeout| timeout / haste)) }
    }

    fn ke_query_performance_counter(&self) -> u64 {
        clock::performance_counter()
    }

    fn performance_frequency(&self) -> u64 {
        clock::FREQUENCY
    }

    fn ke_query_interrupt_time(&self) -> u64 {
        clock::interrupt_time()
    }

    fn ke_query_system_time_precise(&self) -> u64 {
        clock::system_time()
    }

    unsafe fn wsk_register(&self, npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS {
        self.host.processors.require_passive("WskRegister");
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.register(self, npi, registration) }
    }

    unsafe fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION) {
        self.host.processors.require_passive("WskDeregister");
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.deregister(registration) };
        self.host.layers.deregistered(registration);
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        let mut wait_timeout = wait_timeout;
        if wait_timeout != WSK_NO_WAIT {
            self.host.processors.require_passive("WskCaptureProviderNPI with a wait");
        }
        if wait_timeout != WSK_INFINITE_WAIT {
            wait_timeout = wait_timeout.div_ceil(self.haste());
        }
        // SAFETY: the caller's contract is the same.
        let status = unsafe { self.host.registrations.capture(registration, wait_timeout, npi) };
        if status.is_success() {
            // SAFETY: the caller gave it to be filled, and a success filled it.
            unsafe { self.host.layers.interpose(self, registration, npi) };
        }
        status
    }

    unsafe fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.release(registration) }
    }

    unsafe fn wsk_query_provider_characteristics(
        &self,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.query(registration, characteristics) }
    }
}
