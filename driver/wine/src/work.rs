//! ExQueueWorkItem, which Wine has no more than the name of: one thread at PASSIVE_LEVEL, in order.

// UNSAFETY: exports under NT's names; calls the driver's routines.
#![expect(unsafe_code, reason = "items live in the driver's memory")]

use std::ffi::c_void;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use skua_engine::abi::nt::{DISPATCH_LEVEL, LIST_ENTRY, PASSIVE_LEVEL};

use crate::{level, report};

/// WORK_QUEUE_ITEM.
#[repr(C)]
pub(crate) struct WORK_QUEUE_ITEM {
    /// Not null while it is queued.
    pub(crate) list: LIST_ENTRY,
    /// What is called.
    pub(crate) routine: Option<unsafe extern "C" fn(*mut c_void)>,
    /// What it is called with.
    pub(crate) parameter: *mut c_void,
}

static WORK: Mutex<Option<Sender<usize>>> = Mutex::new(None);

/// ExQueueWorkItem.
///
/// # Safety
/// `item` is initialised and stays until its routine has begun.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExQueueWorkItem(item: *mut WORK_QUEUE_ITEM, _queue: i32) {
    level::require("ExQueueWorkItem", DISPATCH_LEVEL);
    let mut work = WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let queue = work.get_or_insert_with(start);
    if queue.send(item.expose_provenance()).is_err() {
        report::fatal(format_args!("the thread for work items has ended"));
    }
}

fn start() -> Sender<usize> {
    let (sender, receiver) = channel::<usize>();
    let run = move || {
        for item in receiver {
            let item: *mut WORK_QUEUE_ITEM = std::ptr::with_exposed_provenance_mut(item);
            // SAFETY: a queued item stays until its routine has begun.
            let routine = unsafe { (*item).routine };
            // SAFETY: as above.
            let parameter = unsafe { (*item).parameter };
            // SAFETY: as above.
            unsafe { (*item).list.Flink = std::ptr::null_mut() };
            if let Some(routine) = routine {
                // SAFETY: the driver's routine with its parameter.
                unsafe { routine(parameter) };
            }
            let level = level::current();
            if level != PASSIVE_LEVEL {
                report::violation(format_args!("a work item returned at level {level}"));
                level::lower(PASSIVE_LEVEL);
            }
        }
    };
    match std::thread::Builder::new().name("skua-work".into()).spawn(run) {
        Ok(_) => sender,
        Err(error) => report::fatal(format_args!("no thread for work items: {error}")),
    }
}
