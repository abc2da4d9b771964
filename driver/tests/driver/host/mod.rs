//! [`Executive`] over the user-mode kernel, with what tests ask of it: its faults, its registry, its sections by name.

// UNSAFETY: implements `Memory`, `Kernel` and `Executive`, whose contracts are NT's.
#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

mod fault;
mod kernel;
mod limit;
mod registry;
mod section;
mod thread;

use std::ffi::c_void;
use std::hash::{BuildHasher as _, RandomState};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Barrier, Mutex};

use skua_driver::{Executive, PoolUse, RegistryValue, SectionAccess, StartRoutine};
use skua_engine::abi::nt::{KIRQL, PASSIVE_LEVEL, PEPROCESS};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_COLLISION,
};
use skua_engine::{Dispatch, Kernel as _};
use skua_hosted::{HostConfig, HostKernel};

use fault::Fault;
use limit::Limit;
use registry::Registry;
pub(crate) use section::{HostSection, OpenSection};
pub(crate) use thread::HostThread;

/// A kernel in user mode that a driver runs on. Clones are the same kernel.
#[derive(Clone)]
pub(crate) struct HostExecutive {
    kernel: HostKernel,
    shared: Arc<Shared>,
}

/// What the clones share.
#[derive(Default)]
struct Shared {
    registry: Registry,
    lines: Mutex<Vec<String>>,
    threads: Fault,
    sections: Fault,
    flush: Mutex<()>,
    limit: Limit,
}

impl HostExecutive {
    /// A kernel of its own; only section names are shared with others in the process.
    pub(crate) fn new(config: HostConfig) -> Self {
        Self::on(HostKernel::new(config))
    }

    /// On a kernel that is there.
    pub(crate) fn on(kernel: HostKernel) -> Self {
        Self { kernel, shared: Arc::default() }
    }

    /// The kernel below, for its accounts and its faults.
    pub(crate) fn kernel(&self) -> &HostKernel {
        &self.kernel
    }

    /// Writes a value of the registry. Keys and names are compared without regard to the case of ASCII letters.
    pub(crate) fn set_value(&self, key: &str, name: &str, kind: u32, data: &[u8]) {
        self.shared.registry.set(key, name, kind, data);
    }

    /// What was printed to the debugger so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.shared.lines.lock().unwrap().clone()
    }

    /// The `nth` PsCreateSystemThread from now fails, once; 0 calls it off.
    pub(crate) fn fail_thread(&self, nth: u64) {
        self.shared.threads.fail(nth);
    }

    /// The `nth` creation of a section from now fails, once; 0 calls it off.
    pub(crate) fn fail_section(&self, nth: u64) {
        self.shared.sections.fail(nth);
    }

    /// From now on there are never more than `bytes` to be had at once, neither of pool nor for a section.
    pub(crate) fn limit(&self, bytes: usize) {
        self.shared.limit.set(bytes);
    }

    /// Runs `work` as code of the system process does: DriverEntry, DriverUnload.
    pub(crate) fn in_system_process<R>(&self, work: impl FnOnce() -> R) -> R {
        thread::in_system_process(work)
    }

    #[track_caller]
    fn require_passive(&self, routine: &str) {
        assert_eq!(
            self.kernel.ke_get_current_irql(),
            PASSIVE_LEVEL,
            "{routine} may only be called at PASSIVE_LEVEL"
        );
    }
}

// SAFETY: threads, locks and memory are the host's; a section's memory is zeroed, never paged and has one address.
unsafe impl Executive for HostExecutive {
    type Thread = HostThread;
    type Section = HostSection;

    fn io_acquire_cancel_spin_lock(&self) -> KIRQL {
        self.kernel.io_acquire_cancel_spin_lock()
    }

    unsafe fn io_release_cancel_spin_lock(&self, irql: KIRQL) {
        self.kernel.io_release_cancel_spin_lock(irql);
    }

    fn ke_flush_queued_dpcs(&self) {
        self.require_passive("KeFlushQueuedDpcs");
        let processors = self.kernel.ke_query_maximum_processor_count();
        // One flush at a time: two would wait for each other's processors.
        let _one = self.shared.flush.lock().unwrap();
        // Whoever held a processor has left it when all of them are held here at once.
        let all = Barrier::new(processors as usize);
        std::thread::scope(|threads| {
            for _ in 0..processors {
                threads.spawn(|| {
                    Dispatch::with(&self.kernel, |_| {
                        all.wait();
                    });
                });
            }
        });
    }

    unsafe fn ps_create_system_thread(
        &self,
        start: StartRoutine,
        context: *mut c_void,
    ) -> Result<HostThread, NTSTATUS> {
        self.require_passive("PsCreateSystemThread");
        if self.shared.threads.is_now() {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        // SAFETY: the caller promises that the routine may run with this context on another thread.
        Ok(unsafe { HostThread::start(start, context) })
    }

    fn io_get_current_process(&self) -> PEPROCESS {
        thread::current_process()
    }

    fn create_section(
        &self,
        name: &[u16],
        bytes: usize,
        access: SectionAccess,
    ) -> Result<HostSection, NTSTATUS> {
        self.require_passive("ZwCreateSection");
        assert_eq!(thread::current_process(), thread::SYSTEM, "sections are created in the system process");
        if bytes == 0 || bytes > (u32::MAX as usize & !0xFFF) || name.len() > 0x7FFF {
            return Err(STATUS_INVALID_PARAMETER);
        }
        if self.shared.sections.is_now() || !self.shared.limit.allows(bytes) {
            return Err(STATUS_NO_MEMORY);
        }
        HostSection::create(name, bytes, access).ok_or(STATUS_OBJECT_NAME_COLLISION)
    }

    fn section_address(section: &HostSection) -> NonNull<u8> {
        section.address()
    }

    fn zw_query_value_key<'b>(
        &self,
        key: &[u16],
        name: &[u16],
        buffer: &'b mut [u32],
    ) -> Result<RegistryValue<'b>, NTSTATUS> {
        self.require_passive("ZwQueryValueKey");
        self.shared.registry.query(key, name, buffer)
    }

    fn unguessable_128(&self) -> u128 {
        let half = || u128::from(RandomState::new().hash_one(ptr::from_ref(self).addr()));
        half() << 64 | half()
    }

    fn dbg_print(&self, line: &str) {
        self.shared.lines.lock().unwrap().push(line.to_owned());
    }

    fn pool_use(&self, index: usize) -> Option<PoolUse> {
        let account = self.kernel.memory_by_tag().get(index).copied()?;
        Some(PoolUse { tag: account.tag, in_use: account.in_use, high_water: account.high_water })
    }

    fn raise_guarded(&self, status: NTSTATUS) -> NTSTATUS {
        status
    }
}
