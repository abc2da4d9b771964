//! Work items, run by threads at PASSIVE_LEVEL: as many as there is work, up to a limit.

// UNSAFETY: items are reached by address; calls the driver's routines.
#![expect(unsafe_code, reason = "items live in the driver's memory")]

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Condvar, Mutex, PoisonError};

use skua_engine::abi::nt::{DISPATCH_LEVEL, LIST_ENTRY, PASSIVE_LEVEL};

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::verifier::{Object, ObjectKind, Rule};

/// Most threads at once: an item may wait for another.
const THREADS: usize = 64;

/// WORK_QUEUE_ITEM.
#[repr(C)]
#[derive(Debug)]
pub struct WORK_QUEUE_ITEM {
    /// `Flink` is null unless it is queued.
    pub list: LIST_ENTRY,
    /// What is called.
    pub routine: Option<unsafe extern "C" fn(*mut c_void)>,
    /// What it is called with.
    pub parameter: *mut c_void,
}

/// The work of one kernel.
#[derive(Debug, Default)]
pub(crate) struct Work {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Items by address.
    items: VecDeque<usize>,
    threads: usize,
    /// Threads that wait for an item.
    idle: usize,
}

/// Work items.
impl HostKernel {
    /// ExQueueWorkItem.
    ///
    /// # Safety
    /// `item` is initialised and stays until its routine has begun.
    pub unsafe fn ex_queue_work_item(&self, item: *mut WORK_QUEUE_ITEM) {
        self.require_at_most("ExQueueWorkItem", DISPATCH_LEVEL);
        let work = self.work();
        let mut queue = hold(&work.queue);
        // SAFETY: the caller's promise, and the queue is locked.
        let link = unsafe { &mut (*item).list.Flink };
        if !link.is_null() {
            drop(queue);
            let what = format!("ExQueueWorkItem of {item:p}, which is queued");
            return self.breach(Rule::WorkItemQueued, Object::at(ObjectKind::WorkItem, item), what);
        }
        *link = item.cast();
        queue.items.push_back(item.expose_provenance());
        if queue.idle < queue.items.len() && queue.threads < THREADS {
            queue.threads += 1;
            self.start_worker();
        }
        work.changed.notify_one();
    }

    /// The thread never ends, and keeps the kernel.
    fn start_worker(&self) {
        let kernel = self.own();
        let thread = std::thread::Builder::new().name("work".into()).spawn(move || {
            let work = kernel.work();
            let mut queue = hold(&work.queue);
            loop {
                let Some(item) = queue.items.pop_front() else {
                    queue.idle += 1;
                    queue = work.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                    continue;
                };
                let item: *mut WORK_QUEUE_ITEM = std::ptr::with_exposed_provenance_mut(item);
                // SAFETY: a queued item stays until its routine has begun.
                let WORK_QUEUE_ITEM { routine, parameter, .. } = unsafe { item.read() };
                // SAFETY: as above.
                unsafe { (*item).list.Flink = std::ptr::null_mut() };
                drop(queue);
                if let Some(routine) = routine {
                    // SAFETY: the driver's routine with its parameter.
                    unsafe { routine(parameter) };
                }
                let level = kernel.ke_get_current_irql_of_any_height();
                if level != PASSIVE_LEVEL {
                    let what = format!("a work item returned at level {level}");
                    kernel.breach(Rule::IrqlNotRestored, Object::THREAD, what);
                    kernel.kf_lower_irql(PASSIVE_LEVEL);
                }
                queue = hold(&work.queue);
            }
        });
        assert!(thread.is_ok(), "no thread for work items");
    }
}
