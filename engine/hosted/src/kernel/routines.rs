//! NT's routines, as the client calls them.

// UNSAFETY: implements `Kernel` and `Memory`, whose contracts are NT's.
#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    IRP, KEVENT, KIRQL, MDL, io_get_current_irp_stack_location, io_set_cancel_routine, io_size_of_irp,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES, STATUS_TIMEOUT, STATUS_UNSUCCESSFUL,
};
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
};
use skua_pools::{Memory, Tag};

use super::memory::Live;
use super::{HostKernel, clock, event, irp, mdl};
use crate::verifier::{Object, ObjectKind, Rule, Stack};

// SAFETY: `Accounts` hands out zeroed, 16-aligned memory of the system allocator, and clones share it.
unsafe impl Memory for HostKernel {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        self.require_passive("Memory::allocate");
        if self.fails("ExAllocatePool2") {
            return None;
        }
        let created = self.is_verified().then(Stack::capture);
        self.host.memory.allocate(bytes, tag, created)
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        self.require_passive("Memory::free");
        // SAFETY: the caller's contract is the same.
        unsafe { self.free_memory(address, bytes, tag, "ExFreePoolWithTag") };
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
        self.lower(irql);
    }

    #[inline]
    fn ke_get_current_processor_index(&self) -> u32 {
        self.host.processors.current()
    }

    fn ke_query_maximum_processor_count(&self) -> u32 {
        self.host.processors.count()
    }

    unsafe fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8) {
        let needed = io_size_of_irp(stack_size);
        if stack_size <= 0 || packet_size < needed {
            return self.packet_too_small(irp, packet_size, stack_size);
        }
        if let Some(verifier) = self.verifier()
            && !verifier.irp_initialized(irp)
        {
            return;
        }
        // SAFETY: the caller's contract is the same.
        unsafe { irp::initialize(irp, packet_size, stack_size) }
    }

    unsafe fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS) {
        match self.verifier() {
            Some(verifier) if self.has_packets() => {
                // SAFETY: the caller promises a packet.
                if !unsafe { verifier.irp_reused(irp) } {
                    return;
                }
            }
            _ => {
                // SAFETY: the caller promises a packet.
                let idle = unsafe { irp::is_idle(irp) };
                assert!(
                    idle,
                    "IoReuseIrp of the IRP at {irp:p}: it is not initialised, or a driver still has it"
                );
            }
        }
        // SAFETY: the caller's contract is the same.
        unsafe { irp::reuse(irp, status) }
    }

    unsafe fn io_cancel_irp(&self, irp: *mut IRP) -> bool {
        // SAFETY: the caller promises that the packet stays.
        if self.verifier().is_some_and(|verifier| !unsafe { verifier.irp_cancelled(irp) }) {
            return false;
        }
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
        if let Some(verifier) = self.verifier() {
            verifier.cancel_routine_returned(self, irql, routine as usize);
        }
        true
    }

    unsafe fn io_complete_request(&self, irp: *mut IRP, priority_boost: i8) {
        match self.host.executive {
            // SAFETY: the caller's contract is the same.
            Some(executive) => unsafe { (executive.iof_complete_request)(irp, priority_boost) },
            // SAFETY: the caller's contract is the same.
            None => unsafe { self.complete(irp) },
        }
    }

    unsafe fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL) {
        // SAFETY: the caller's contract is the same.
        unsafe { mdl::build_for_non_paged_pool(mdl) }
    }

    unsafe fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void {
        if let Some(verifier) = self.verifier() {
            // SAFETY: the caller promises an initialised descriptor.
            if let Some(mapped) = unsafe { verifier.mdl_mapped(mdl) } {
                return mapped;
            }
        }
        if self.fails("MmMapLockedPagesSpecifyCache") {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.mappings.map(mdl) }
    }

    unsafe fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool) {
        // SAFETY: the caller's contract is the same.
        unsafe { event::initialize(event, signalled) }
    }

    unsafe fn ke_set_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller's contract is the same.
        if unsafe { self.is_event(event, "KeSetEvent") } {
            // SAFETY: as above.
            unsafe { event::set(event) }
        }
    }

    unsafe fn ke_clear_event(&self, event: *mut KEVENT) {
        // SAFETY: the caller's contract is the same.
        if unsafe { self.is_event(event, "KeClearEvent") } {
            // SAFETY: as above.
            unsafe { event::clear(event) }
        }
    }

    unsafe fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS {
        // SAFETY: the caller promises an initialised event.
        let is_event = unsafe { self.is_event(event, "KeWaitForSingleObject") };
        if !is_event || (timeout != Some(0) && !self.may_wait("KeWaitForSingleObject")) {
            return STATUS_UNSUCCESSFUL;
        }
        if timeout.is_some() && self.fails("KeWaitForSingleObject") {
            return STATUS_TIMEOUT;
        }
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
        self.require_passive("WskRegister");
        if self.fails("WskRegister") {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.register(self, npi, registration) }
    }

    unsafe fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION) {
        self.require_passive("WskDeregister");
        // SAFETY: the caller's contract is the same.
        if unsafe { self.host.registrations.deregister(self, registration) } {
            self.host.layers.deregistered(self, registration);
        }
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        let mut wait_timeout = wait_timeout;
        if wait_timeout != WSK_NO_WAIT && !self.require_passive("WskCaptureProviderNPI with a wait") {
            wait_timeout = WSK_NO_WAIT;
        }
        if self.fails("WskCaptureProviderNPI") {
            return STATUS_DEVICE_NOT_READY;
        }
        if wait_timeout != WSK_INFINITE_WAIT {
            wait_timeout = wait_timeout.div_ceil(self.haste());
        }
        // SAFETY: the caller's contract is the same.
        let status = unsafe { self.host.registrations.capture(self, registration, wait_timeout, npi) };
        if status.is_success() {
            // SAFETY: the caller gave it to be filled, and a success filled it.
            unsafe { self.host.layers.interpose(self, registration, npi) };
            if let Some(verifier) = self.verifier() {
                // SAFETY: as above.
                verifier.npi_captured(registration, unsafe { (*npi).Client }.addr());
            }
        }
        status
    }

    unsafe fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.release(self, registration) };
        if let Some(verifier) = self.verifier() {
            verifier.npi_released(registration);
        }
    }

    unsafe fn wsk_query_provider_characteristics(
        &self,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        if self.fails("WskQueryProviderCharacteristics") {
            return STATUS_DEVICE_NOT_READY;
        }
        // SAFETY: the caller's contract is the same.
        unsafe { self.host.registrations.query(self, registration, characteristics) }
    }
}

impl HostKernel {
    /// What frees memory, `routine` by name, does at any level.
    ///
    /// # Safety
    /// Nobody uses the memory any more.
    pub(crate) unsafe fn free_memory(&self, address: NonNull<u8>, bytes: usize, tag: Tag, routine: &str) {
        if let Some(verifier) = self.verifier() {
            let start = address.as_ptr().addr();
            let memory = start..start.saturating_add(bytes);
            if !verifier.buffers_freed(memory.clone(), routine) || !verifier.irps_freed(memory, routine) {
                return;
            }
        }
        // SAFETY: the caller promises that nobody uses the memory any more.
        if let Err(live) = unsafe { self.host.memory.free(address, bytes, tag) } {
            self.freed_wrongly(address, bytes, tag, live);
        }
    }

    /// IoCompleteRequest of a packet that is this kernel's.
    ///
    /// # Safety
    /// As for IoCompleteRequest.
    unsafe fn complete(&self, irp: *mut IRP) {
        let Some(verifier) = self.verifier() else {
            // SAFETY: the caller promises a packet.
            let in_use = unsafe { irp::is_in_use(irp) };
            assert!(
                in_use,
                "IoCompleteRequest of the IRP at {irp:p}, which no driver has: it is completed already, or was never \
                 handed over"
            );
            // SAFETY: the caller's contract is the same. A packet that nobody keeps stays where its owner put it.
            unsafe { irp::complete(irp) };
            return;
        };
        // SAFETY: the caller promises a packet.
        if !unsafe { verifier.irp_completing(irp) } {
            return;
        }
        let kept = self.at_same_level("a completion routine", verifier.irp_of(irp), || {
            // SAFETY: the caller's contract is the same, and a driver has it.
            unsafe { irp::complete(irp) }
        });
        if !kept {
            verifier.irp_given_back(irp);
        }
    }

    #[cold]
    fn freed_wrongly(&self, address: NonNull<u8>, bytes: usize, tag: Tag, live: Option<Live>) {
        let there = match &live {
            Some(live) => format!("{} bytes under {} are allocated there", live.bytes, live.tag),
            None => "nothing is allocated there".to_owned(),
        };
        let message =
            format!("ExFreePoolWithTag: free of {bytes} bytes under {tag} at {address:p}, but {there}");
        let object = Object::at(ObjectKind::Memory, address.as_ptr());
        match self.verifier() {
            Some(verifier) => {
                verifier.find(Rule::MemoryFreedWrongly, object, live.and_then(|live| live.created), message);
            }
            None => self.breach(Rule::MemoryFreedWrongly, object, message),
        }
    }

    /// Where the verifier is on, whether `routine` was given an event that was initialised; true where it is off.
    ///
    /// # Safety
    /// `event` is readable.
    #[inline]
    unsafe fn is_event(&self, event: *mut KEVENT, routine: &str) -> bool {
        // SAFETY: the caller's promise.
        self.verifier().is_none_or(|verifier| unsafe { verifier.event_used(event, routine) })
    }

    #[cold]
    fn packet_too_small(&self, irp: *const IRP, packet_size: u16, stack_size: i8) {
        let message = format!(
            "IoInitializeIrp of {packet_size} bytes for {stack_size} stack locations: {} are needed, and the locations \
             behind a shorter IRP overwrite what follows it",
            io_size_of_irp(stack_size)
        );
        self.breach(Rule::IrpTooSmall, Object::at(ObjectKind::Irp, irp), message);
    }
}
