//! The user-mode kernel: NT's routines over threads, the system allocator and the host's clocks.

// UNSAFETY: calls the routines of an executive that is somebody else's.
#![expect(unsafe_code, reason = "another kernel's routines are C functions")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL, PASSIVE_LEVEL};

use crate::addresses::Addresses;
use crate::config::{HostConfig, ProviderConfig};
use crate::fault::{Faults, Manner};
use crate::middleware::Layers;
use crate::names::AddressLists;
use crate::ntoskrnl::{Dpcs, Timers, Work};
use crate::os::{self, Stack};
use crate::socket::Sockets;
use crate::transports::Transports;
use crate::verifier::{Object, Rule, Verifier, Witness};

pub(crate) mod clock;
pub(crate) mod event;
mod executive;
pub(crate) mod irp;
pub(crate) mod lock;
pub(crate) mod mdl;
mod memory;
mod outstanding;
pub(crate) mod process;
mod processor;
pub(crate) mod registration;
mod routines;

pub use executive::Executive;
pub use memory::TagUse;
pub use outstanding::Outstanding;
pub use process::{Attached, Impersonating, Process};

use self::lock::Seat;
use self::mdl::Mappings;
use self::memory::Accounts;
use self::outstanding::Ledger;
use self::process::Processes;
use self::processor::Processors;
use self::registration::Registrations;

/// A kernel in user mode, with a WSK provider behind it. Clones are the same kernel.
///
/// It implements [`Kernel`](skua_engine::Kernel) and [`Memory`](skua_pools::Memory) for a client, and has besides what
/// tests and tools ask of a kernel: its accounts, its leaks, its faults. Calls that break a rule of NT or WSK are findings
/// of its verifier, see [`Rule`]; the first of them panics unless they are recorded, and inside a function of a WSK table,
/// which is C, that ends the process.
#[derive(Clone)]
pub struct HostKernel {
    host: Arc<Host>,
    /// Ends with the last clone that a client or a test has. `None` in the provider's own, and without a verifier.
    witness: Option<Arc<Witness>>,
}

/// What the clones share.
struct Host {
    provider: ProviderConfig,
    processors: Processors,
    memory: Accounts,
    mappings: Mappings,
    /// Where packets belong to; `None` for this kernel.
    executive: Option<Executive>,
    /// The cancel spin lock, unless the executive has one.
    cancel: Seat,
    ledger: Ledger,
    processes: Arc<Processes>,
    registrations: Registrations,
    /// What stands before the provider, by registration.
    layers: Layers,
    transports: Transports,
    addresses: Addresses,
    address_lists: AddressLists,
    sockets: Sockets,
    /// Whether every send finds the socket buffer full.
    congested: AtomicBool,
    /// What a wait's time-out is divided by; at least 1.
    haste: AtomicU32,
    stack: Box<dyn Stack>,
    verifier: Option<Box<Verifier>>,
    dpcs: Arc<Dpcs>,
    timers: Timers,
    work: Work,
    faults: Option<Arc<Faults>>,
}

/// The names that threads remember kernels by.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl HostKernel {
    /// A kernel of its own: nothing is shared with others in the process, except the host's network.
    #[must_use]
    pub fn new(config: HostConfig) -> Self {
        event::prepare_parking();
        let mut provider = config.provider.in_range();
        if let Some(faults) = &config.faults {
            // Nearest to the client, whose calls they are.
            provider.middleware.insert(0, faults.clone());
        }
        let host = Host {
            processors: Processors::new(config.processors, NEXT.fetch_add(1, Ordering::Relaxed)),
            memory: Accounts::default(),
            mappings: Mappings::default(),
            executive: config.executive,
            cancel: Seat::default(),
            ledger: Ledger::default(),
            processes: Processes::new(),
            registrations: Registrations::default(),
            layers: Layers::default(),
            transports: Transports::default(),
            addresses: Addresses::default(),
            address_lists: AddressLists::default(),
            sockets: Sockets::default(),
            congested: AtomicBool::new(false),
            haste: AtomicU32::new(1),
            stack: os::stack(&provider),
            provider,
            verifier: config.verifier.map(|config| Box::new(Verifier::new(config))),
            dpcs: Arc::default(),
            timers: Timers::default(),
            work: Work::default(),
            faults: config.faults,
        };
        let own = Self { host: Arc::new(host), witness: None };
        let witness = own.is_verified().then(|| Arc::new(Witness::new(own.clone())));
        Self { witness, ..own }
    }

    /// Bytes of nonpaged pool allocated through [`Memory`](skua_pools::Memory) and not freed.
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
            irps: self.host.ledger.irps.get().saturating_sub(self.host.ledger.passed.get()),
            sockets: self.host.ledger.sockets.get(),
            indications: self.host.ledger.indications.get(),
            captures: self.host.registrations.captures(),
            descriptors: self.host.ledger.descriptors.get(),
            address_lists: self.host.address_lists.count(),
            memory: self.memory_in_use(),
        }
    }

    /// Sockets whose memory is not freed. It is when a socket is closed and the last of its threads has left it, which may be
    /// after the close completes; with indications that the client has not released, never.
    #[must_use]
    pub fn sockets_in_memory(&self) -> usize {
        self.host.ledger.footprints.get()
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
        for socket in self.sockets().streams(None) {
            socket.wake();
        }
    }

    /// Lets waits with a time-out end `factor` times as soon, so that a test need not sit through what a client does when
    /// a wait was in vain. The clocks go on as they did.
    pub fn shorten_waits(&self, factor: u32) {
        self.host.haste.store(factor.max(1), Ordering::Relaxed);
    }

    /// IoAcquireCancelSpinLock.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; raises to it.
    #[must_use]
    pub fn io_acquire_cancel_spin_lock(&self) -> KIRQL {
        if let Some(executive) = self.host.executive {
            let mut irql = PASSIVE_LEVEL;
            // SAFETY: NT's contract: writable.
            unsafe { (executive.io_acquire_cancel_spin_lock)(&raw mut irql) };
            return irql;
        }
        let irql = self.host.processors.raise();
        self.host.cancel.enter();
        if let Some(verifier) = self.verifier() {
            verifier.levels.note_acquired();
            // Once more, so that lowering comes out of order while the lock is held.
            self.host.processors.raise();
        }
        irql
    }

    /// IoReleaseCancelSpinLock, which a cancel routine calls with `Irp->CancelIrql`.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL; lowers to `irql`.
    pub fn io_release_cancel_spin_lock(&self, irql: KIRQL) {
        if let Some(executive) = self.host.executive {
            // SAFETY: the lock is held, and `irql` is what acquiring it gave.
            return unsafe { (executive.io_release_cancel_spin_lock)(irql) };
        }
        if let Some(verifier) = self.verifier()
            && !verifier.levels.note_released()
        {
            let message =
                "IoReleaseCancelSpinLock: this thread does not hold the cancel spin lock".to_owned();
            return verifier.find(Rule::SpinLockNotHeld, Object::THREAD, None, message);
        }
        if self.is_verified() {
            // The raise of the acquisition that nobody but this undoes.
            self.lower(DISPATCH_LEVEL);
        }
        self.host.cancel.leave();
        self.lower(irql);
    }

    /// Whether this call of `routine` is to fail.
    #[inline]
    pub(crate) fn fails(&self, routine: &'static str) -> bool {
        self.host.faults.as_ref().is_some_and(|faults| faults.fails(routine, Manner::AtOnce))
    }

    pub(crate) fn haste(&self) -> u32 {
        self.host.haste.load(Ordering::Relaxed)
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.host.congested.load(Ordering::SeqCst)
    }

    /// The same kernel for the provider itself, which does not keep a client from being the last to know it.
    pub(crate) fn own(&self) -> Self {
        Self { host: Arc::clone(&self.host), witness: None }
    }

    #[inline]
    pub(crate) fn verifier(&self) -> Option<&Verifier> {
        self.host.verifier.as_deref()
    }

    pub(crate) fn witness(&self) -> Option<&Witness> {
        self.witness.as_deref()
    }

    pub(crate) fn dpcs(&self) -> &Arc<Dpcs> {
        &self.host.dpcs
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.host.timers
    }

    pub(crate) fn work(&self) -> &Work {
        &self.host.work
    }

    pub(crate) fn executive(&self) -> Option<&Executive> {
        self.host.executive.as_ref()
    }

    pub(crate) fn processors(&self) -> &Processors {
        &self.host.processors
    }

    pub(crate) fn layers(&self) -> &Layers {
        &self.host.layers
    }

    pub(crate) fn memory(&self) -> &Accounts {
        &self.host.memory
    }

    /// Whether packets are this kernel's own, and not an executive's.
    pub(crate) fn has_packets(&self) -> bool {
        self.host.executive.is_none()
    }

    #[inline]
    pub(crate) fn irql(&self) -> KIRQL {
        self.host.processors.irql()
    }

    pub(crate) fn provider(&self) -> &ProviderConfig {
        &self.host.provider
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.host.ledger
    }

    pub(crate) fn processes(&self) -> &Arc<Processes> {
        &self.host.processes
    }

    pub(crate) fn registrations(&self) -> &Registrations {
        &self.host.registrations
    }

    pub(crate) fn transports(&self) -> &Transports {
        &self.host.transports
    }

    pub(crate) fn address_lists(&self) -> &AddressLists {
        &self.host.address_lists
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.host.addresses
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
        self.kernel.lower(self.irql);
    }
}
