//! Deferred procedure calls, run in order by one thread at DISPATCH_LEVEL.

// UNSAFETY: calls are reached by address; calls the driver's routines.
#![expect(unsafe_code, reason = "calls live in the driver's memory")]

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use skua_engine::abi::nt::{DISPATCH_LEVEL, KDPC, PASSIVE_LEVEL, PKDEFERRED_ROUTINE};
use skua_engine::abi::zeroed;

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::verifier::{Object, ObjectKind};

/// DpcObject of KOBJECTS, in the low byte of `TargetInfoAsUlong`.
const DPC_OBJECT: u32 = 19;

/// The calls of one kernel.
#[derive(Debug, Default)]
pub(crate) struct Dpcs {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// What is queued, by address.
    calls: VecDeque<usize>,
    /// Whether the thread is there.
    started: bool,
    running: bool,
}

impl Dpcs {
    fn wait<'q>(&self, queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deferred procedure calls.
impl HostKernel {
    /// KeInitializeDpc.
    ///
    /// # Safety
    /// `dpc` is writable and not queued.
    pub unsafe fn ke_initialize_dpc(
        &self,
        dpc: *mut KDPC,
        routine: PKDEFERRED_ROUTINE,
        context: *mut c_void,
    ) {
        let mut value: KDPC = zeroed();
        value.TargetInfoAsUlong = DPC_OBJECT;
        value.DeferredRoutine = routine;
        value.DeferredContext = context;
        // SAFETY: the caller's promise.
        unsafe { dpc.write(value) };
    }

    /// KeInsertQueueDpc: whether it was not queued yet.
    ///
    /// # Safety
    /// `dpc` is initialised and stays until its routine has begun or it is removed.
    pub unsafe fn ke_insert_queue_dpc(
        &self,
        dpc: *mut KDPC,
        first: *mut c_void,
        second: *mut c_void,
    ) -> bool {
        let dpcs = self.dpcs();
        let mut queue = hold(&dpcs.queue);
        // SAFETY: the caller's promise, and the queue is locked.
        let call = unsafe { &mut *dpc };
        if !call.DpcData.is_null() {
            return false;
        }
        if !queue.started {
            queue.started = true;
            self.start();
        }
        call.SystemArgument1 = first;
        call.SystemArgument2 = second;
        call.DpcData = Arc::as_ptr(dpcs).cast_mut().cast();
        queue.calls.push_back(dpc.expose_provenance());
        dpcs.changed.notify_all();
        true
    }

    /// KeRemoveQueueDpc: whether it was queued.
    ///
    /// # Safety
    /// `dpc` is initialised.
    pub unsafe fn ke_remove_queue_dpc(&self, dpc: *mut KDPC) -> bool {
        let mut queue = hold(&self.dpcs().queue);
        let Some(position) = queue.calls.iter().position(|call| *call == dpc.addr()) else { return false };
        queue.calls.remove(position);
        // SAFETY: the caller's promise, and the queue is locked.
        unsafe { (*dpc).DpcData = std::ptr::null_mut() };
        true
    }

    /// KeFlushQueuedDpcs: returns when what was queued has run.
    pub fn ke_flush_queued_dpcs(&self) {
        if !self.require_at_most("KeFlushQueuedDpcs", PASSIVE_LEVEL) {
            return;
        }
        let dpcs = self.dpcs();
        let mut queue = hold(&dpcs.queue);
        while queue.running || !queue.calls.is_empty() {
            queue = dpcs.wait(queue);
        }
    }

    /// The thread never ends, and keeps the kernel.
    fn start(&self) {
        let kernel = self.own();
        let thread = std::thread::Builder::new().name("dpc".into()).spawn(move || {
            let dpcs = kernel.dpcs();
            let mut queue = hold(&dpcs.queue);
            loop {
                let Some(call) = queue.calls.pop_front() else {
                    queue = dpcs.wait(queue);
                    continue;
                };
                queue.running = true;
                // SAFETY: a queued call stays until its routine has begun.
                let (call, taken) = unsafe { take(call) };
                drop(queue);
                if let Some(routine) = taken.DeferredRoutine {
                    let before = kernel.kf_raise_irql(DISPATCH_LEVEL);
                    let object = Object { kind: ObjectKind::Callback, address: routine as usize };
                    kernel.at_same_level("a deferred routine", (object, None), || {
                        // SAFETY: the driver's routine, with what it was initialised and queued with.
                        unsafe {
                            routine(call, taken.DeferredContext, taken.SystemArgument1, taken.SystemArgument2)
                        }
                    });
                    kernel.kf_lower_irql(before);
                }
                queue = hold(&dpcs.queue);
                queue.running = false;
                dpcs.changed.notify_all();
            }
        });
        assert!(thread.is_ok(), "no thread for deferred procedure calls");
    }
}

/// The call at an address, and what it holds. It may be queued again, or freed, from here on.
///
/// # Safety
/// A queued call is there.
unsafe fn take(call: usize) -> (*mut KDPC, KDPC) {
    let call: *mut KDPC = std::ptr::with_exposed_provenance_mut(call);
    // SAFETY: the caller's promise.
    let taken = unsafe { call.read() };
    // SAFETY: the caller's promise.
    unsafe { (*call).DpcData = std::ptr::null_mut() };
    (call, taken)
}
