//! What an engine is made of behind the caller's memory.

// UNSAFETY: a cell that one call at a time may touch, and the block's own memory.
#![expect(unsafe_code, reason = "the busy mark admits one configuration call at a time")]

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_DEVICE_BUSY, STATUS_INVALID_DEVICE_STATE,
};
use skua_engine::{DatagramSocket, Engine, Passive, Provider, Registration, Retained};
use skua_pools::Region;

use crate::handler::CallbackHandler;
use crate::kernel::TableKernel;
use crate::nbl::Source;
use crate::table::Table;

pub(crate) type CEngine = Engine<TableKernel, CallbackHandler>;
pub(crate) type CSocket = DatagramSocket<TableKernel, CallbackHandler>;

/// The engine and what its numbers name.
///
/// # Invariants
/// It lies in `region`, and `kernel` outlives it.
pub(crate) struct Instance {
    pub(crate) kernel: TableKernel,
    pub(crate) retained: Option<Table<Retained<TableKernel>>>,
    pub(crate) sockets: Option<Table<CSocket>>,
    pub(crate) sources: Option<Table<Source>>,
    pub(crate) engine: CEngine,
    /// Set by the close: nothing new is let in from then on.
    pub(crate) closing: AtomicBool,
    /// One call configures at a time.
    busy: AtomicBool,
    client: UnsafeCell<Client>,
    /// What handlers keep for each processor; after the engine, whose handler has its address.
    pub(crate) _memory: Region<TableKernel>,
    /// The memory this block lies in; moved out before it is freed.
    pub(crate) region: Region<TableKernel>,
}

/// Being a client of WSK.
pub(crate) struct Client {
    pub(crate) provider: Option<Provider<TableKernel>>,
    pub(crate) registration: Option<Registration<TableKernel>>,
}

// SAFETY: `client` is touched by the one call that has the busy mark; the rest is Sync.
unsafe impl Sync for Instance {}

impl Instance {
    #[expect(clippy::too_many_arguments, reason = "each part is opened by a step of its own")]
    pub(crate) fn new(
        kernel: TableKernel,
        registration: Registration<TableKernel>,
        engine: CEngine,
        retained: Option<Table<Retained<TableKernel>>>,
        sockets: Option<Table<CSocket>>,
        sources: Option<Table<Source>>,
        memory: Region<TableKernel>,
        region: Region<TableKernel>,
    ) -> Self {
        let client = Client { provider: None, registration: Some(registration) };
        Self {
            kernel,
            retained,
            sockets,
            sources,
            engine,
            closing: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            client: UnsafeCell::new(client),
            _memory: memory,
            region,
        }
    }

    /// The thread is at PASSIVE_LEVEL.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE where it is not: inside a handler, say.
    pub(crate) fn passive(&self) -> Result<Passive<'_>, NTSTATUS> {
        Passive::acquire(&self.kernel).ok_or(STATUS_INVALID_DEVICE_STATE)
    }

    /// The engine is not closing.
    ///
    /// # Errors
    /// STATUS_DELETE_PENDING.
    pub(crate) fn is_open(&self) -> Result<(), NTSTATUS> {
        if self.closing.load(Ordering::Acquire) { Err(STATUS_DELETE_PENDING) } else { Ok(()) }
    }

    /// The right to configure, until it is dropped.
    ///
    /// # Errors
    /// STATUS_DEVICE_BUSY while another call has it.
    pub(crate) fn configure(&self) -> Result<Configuring<'_>, NTSTATUS> {
        if self.busy.swap(true, Ordering::Acquire) {
            return Err(STATUS_DEVICE_BUSY);
        }
        Ok(Configuring { instance: self })
    }

    /// Takes back what [`Configuring::keep`] did.
    pub(crate) fn may_configure(&self) {
        self.busy.store(false, Ordering::Release);
    }

    /// Frees an engine that nobody uses.
    ///
    /// # Safety
    /// `block` is an instance that nothing refers to any more.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) unsafe fn free(block: NonNull<Self>) {
        // SAFETY: the caller's promise.
        let kernel = unsafe { block.as_ref() }.kernel;
        // SAFETY: a field of the block.
        let region = unsafe { &raw const (*block.as_ptr()).region };
        // SAFETY: read once: nothing uses the block's copy again.
        let region = unsafe { region.read() };
        // SAFETY: the other fields are dropped once, here; the region, which was moved out, is not.
        unsafe { drop_but_region(block) };
        drop(region);
        // SAFETY: the last memory of this kernel's but its own went just now.
        unsafe { kernel.end() };
    }
}

/// Drops every field of the block but its region, in the order in which they depend on each other.
///
/// # Safety
/// As for [`Instance::free`].
unsafe fn drop_but_region(block: NonNull<Instance>) {
    let block = block.as_ptr();
    macro_rules! end {
        ($($field:ident),*) => {$(
            // SAFETY: a field of the block.
            let field = unsafe { &raw mut (*block).$field };
            // SAFETY: dropped once.
            unsafe { field.drop_in_place() };
        )*};
    }
    end!(client, sources, sockets, retained, engine, _memory);
}

/// One call that configures.
pub(crate) struct Configuring<'i> {
    instance: &'i Instance,
}

impl Configuring<'_> {
    /// Keeps every other call from configuring after this value is gone, until [`Instance::may_configure`].
    pub(crate) fn keep(self) {
        core::mem::forget(self);
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        // SAFETY: this value has the busy mark, and is borrowed exclusively.
        unsafe { &mut *self.instance.client.get() }
    }
}

impl Drop for Configuring<'_> {
    fn drop(&mut self) {
        self.instance.busy.store(false, Ordering::Release);
    }
}
