//! The user-mode kernel: NT's routines over threads, the system allocator and the host's clocks.

// UNSAFETY: implements `Kernel` and `Memory`, whose contracts are NT's.
#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::nt::{DISPATCH_LEVEL, IRP, KEVENT, KIRQL, MDL, io_get_current_irp_stack_location};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_pools::{Memory, Tag};

use crate::config::{HostConfig, ProviderConfig};
use crate::os::{self, Stack};
use crate::socket::Sockets;

pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod irp;
pub(crate) mod lock;
mod mdl;
mod memory;
mod outstanding;
mod processor;
pub(crate) mod registration;

pub use memory::TagUse;
pub use outstanding::Outstanding;

use self::lock::Seat;
use self::mdl::Mappings;
use self::memory::Accounts;
use self::outstanding::Ledger;
use self::processor::Processors;
use self::registration::Registrations;

/// A kernel in user mode, with a WSK provider behind it. Clones are the same kernel.
///
/// It implements [`Kernel`] and [`Memory`] for a client, and has besides what tests and tools ask of a kernel: its
/// accounts, its leaks, its faults. Calls that break a rule of NT panic with a message that names the routine; inside a
/// function of a WSK table, which is C, that ends the process.
#[derive(Clone)]
pub struct HostKernel {
    host: Arc<Host>,
}

/// What the clones share.
struct Host {
    provider: ProviderConfig,
    processors: Processors,
    memory: Accounts,
    mappings: Mappings,
    /// The cancel spin lock.
    cancel: Seat,
    ledger: Ledger,
    registrations: Registrations,
    sockets: Sockets,
    /// Whether every send finds the socket buffer full.
    congested: AtomicBool,
    stack: Box<dyn Stack>,
}

/// The names that threads remember kernels by.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl HostKernel {
    /// A kernel of its own: nothing is shared with others in the process, except the host's network.
    #[must_use]
    pub fn new(config: HostConfig) -> Self {
        event::prepare_parking();
        let provider = config.provider.in_range();
        let host = Host {
            processors: Processors::new(config.processors, NEXT.fetch_add(1, Ordering::Relaxed)),
            memory: Accounts::default(),
            mappings: Mappings::default(),
            cancel: Seat::default(),
            ledger: Ledger::default(),
            registrations: Registrations::default(),
            sockets: Sockets::default(),
            congested: AtomicBool::new(false),
            stack: os::stack(&provider),
            provider,
        };
        Self { host: Arc::new(host) }
    }

    /// Bytes of nonpaged pool allocated through [`Memory`] and not freed.
    #[must_use]
    pub fn memory_in_use(&self) -> usize {
        self.host.memory.in_use()
    }

    /// The same by tag, with the high water and the number of allocations.
    #[must_use]
    pub fn memory_by_tag(&self) -> Vec<TagUse> {
        self.host.memory.by_tag()
    }

    /// The `nth` allocation from now fails, once; 0 calls it off.
    pub fn fail_allocation(&self, nth: u64) {
        self.host.memory.fail(nth);
    }

    /// The `nth` MmMapLockedPagesSpecifyCache from now fails, once; 0 calls it off.
    pub fn fail_mapping(&self, nth: u64) {
        self.host.mappings.fail(nth);
    }

    /// How many MDLs were mapped.
    #[must_use]
    pub fn mappings(&self) -> u64 {
        self.host.mappings.made()
    }

    /// What is under way between the client and the provider.
    #[must_use]
    pub fn outstanding(&self) -> Outstanding {
        Outstanding {
            irps: self.host.ledger.irps.get(),
            sockets: self.host.ledger.sockets.get(),
            indications: self.host.ledger.indications.get(),
            captures: self.host.registrations.captures(),
            memory: self.memory_in_use(),
        }
    }

    /// Takes the provider away, as it is early in boot, or brings it back. While it is away captures wait or answer
    /// STATUS_DEVICE_NOT_READY; what was captured before goes on.
    pub fn set_provider_away(&self, away: bool) {
        self.host.registrations.set_away(away);
    }

    /// Lets every send find the socket buffer full, so that it waits, until this is called off. The buffers of real sockets
    /// on a fast path are hard to fill.
    pub fn set_congested(&self, congested: bool) {
        self.host.congested.store(congested, Ordering::SeqCst);
        for socket in self.sockets().bound(None) {
            socket.transmit_bell().ring();
        }
    }

    /// IoAcquireCancelSpinLock.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; raises to it.
    #[must_use]
    pub fn io_acquire_cancel_spin_lock(&self) -> KIRQL {
        let irql = self.host.processors.raise();
        self.host.cancel.enter();
        irql
    }

    /// IoReleaseCancelSpinLock, which a cancel routine calls with `Irp->CancelIrql`.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL; lowers to `irql`.
    pub fn io_release_cancel_spin_lock(&self, irql: KIRQL) {
        self.host.cancel.leave();
        self.host.processors.lower(irql);
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.host.congested.load(Ordering::SeqCst)
    }

    pub(crate) fn provider(&self) -> &ProviderConfig {
        &self.host.provider
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.host.ledger
    }

    pub(crate) fn sockets(&self) -> &Sockets {
        &self.host.sockets
    }

    pub(crate) fn stack(&self) -> &dyn Stack {
        &*self.host.stack
    }

    /// The calling thread runs on `processor` whenever it raises.
    pub(crate) fn bind_thread(&self, processor: u32) {
        self.host.processors.bind(processor);
    }

    /// Raises until the guard is dropped.
    pub(crate) fn raise(&self) -> Raised<'_> {
        Raised { kernel: self, irql: self.host.processors.raise() }
    }

    /// Raises on `processor`, unless the thread holds one already.
    pub(crate) fn raise_on(&self, processor: u32) -> Raised<'_> {
        Raised { kernel: self, irql: self.host.processors.raise_on(processor) }
    }
}

impl fmt::Debug for HostKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKernel")
            .field("processors", &self.host.processors.count())
            .field("provider", &self.host.provider)
            .field("outstanding", &self.outstanding())
            .finish()
    }
}

/// The thread is at DISPATCH_LEVEL until this is dropped.
#[must_use]
pub(crate) struct Raised<'k> {
    kernel: &'k HostKernel,
    irql: KIRQL,
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.kernel.host.processors.lower(self.irql);
    }
}

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
        let Some(routine) = (unsafe { irp::set_cancel_routine(irp, None) }) else {
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

    unsafe fn io_complete_request(&self, irp: *mut IRP, _priority_boost: i8) {
        // SAFETY: the caller's contract is the same.
        unsafe { irp::complete(irp) }
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
        // SAFETY: the caller's contract is the same.
        unsafe { event::wait(event, timeout) }
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
        unsafe { self.host.registrations.deregister(registration) }
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        if wait_timeout != WSK_NO_WAIT {
            self.host.processors.require_passive("WskCaptureProviderNPI with a wait");
        }
        // SAFETY: the caller's contract is the same.
        let status = unsafe { self.host.registrations.capture(registration, wait_timeout, npi) };
        if let (true, Some(interpose)) = (status.is_success(), self.host.provider.interpose) {
            // SAFETY: the caller gave it to be filled, and a success filled it.
            interpose(unsafe { &mut *npi });
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

const _: () = assert!(DISPATCH_LEVEL == 2);
