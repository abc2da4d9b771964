//! Threads as objects: waited for, and the owners of mutexes.

// UNSAFETY: thread objects are counted by hand, as drivers hold references to them.
#![expect(unsafe_code, reason = "thread objects are reached by address")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use skua_engine::abi::nt::{DISPATCHER_HEADER, PASSIVE_LEVEL};
use skua_engine::abi::zeroed;

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::ntoskrnl::dispatcher;
use crate::verifier::{Object, Rule};

/// A thread: a dispatcher object that is signalled when the thread has ended.
///
/// # Invariants
/// `references` counts the thread itself while it runs, and whoever was handed the object; the last frees it.
#[repr(C)]
#[derive(Debug)]
pub struct KernelThread {
    header: DISPATCHER_HEADER,
    references: AtomicUsize,
}

thread_local! {
    static CURRENT: Held = const { Held(Cell::new(ptr::null_mut())) };
}

/// The thread's own reference.
struct Held(Cell<*mut KernelThread>);

impl Drop for Held {
    fn drop(&mut self) {
        let thread = self.0.get();
        if !thread.is_null() {
            // SAFETY: the reference that is held here.
            unsafe { end(thread) };
        }
    }
}

/// The object of the calling thread. Null while the thread is being torn down.
pub(super) fn current() -> *mut KernelThread {
    CURRENT
        .try_with(|held| {
            if held.0.get().is_null() {
                held.0.set(new());
            }
            held.0.get()
        })
        .unwrap_or(ptr::null_mut())
}

/// The objects that are threads, by address.
static THREADS: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

fn is_thread(object: *mut c_void) -> bool {
    hold(&THREADS).contains(&object.addr())
}

fn new() -> *mut KernelThread {
    let thread = Box::into_raw(Box::new(KernelThread { header: zeroed(), references: AtomicUsize::new(1) }));
    // SAFETY: just made.
    unsafe { dispatcher::initialize::<KernelThread>(thread.cast(), dispatcher::THREAD, 0) };
    hold(&THREADS).insert(thread.addr());
    thread
}

/// Signals the end, and gives the thread's own reference back.
///
/// # Safety
/// As for [`release`].
unsafe fn end(thread: *mut KernelThread) {
    // SAFETY: referenced.
    unsafe { dispatcher::signal(thread.cast()) };
    // SAFETY: the caller's promise.
    unsafe { release(thread) };
}

/// # Safety
/// The caller has a reference, which is gone then.
unsafe fn release(thread: *mut KernelThread) {
    // SAFETY: referenced.
    if unsafe { &(*thread).references }.fetch_sub(1, Ordering::AcqRel) == 1 {
        hold(&THREADS).remove(&thread.addr());
        // SAFETY: the last reference; it came from a box.
        drop(unsafe { Box::from_raw(thread) });
    }
}

/// What ends a thread from the inside, by unwinding.
struct Terminated;

/// Threads.
impl HostKernel {
    /// PsCreateSystemThread: the object of the new thread, with one reference for the caller; `None` when the host has no
    /// thread to give.
    #[must_use]
    pub fn ps_create_system_thread(&self, routine: Box<dyn FnOnce() + Send>) -> Option<*mut KernelThread> {
        let thread = new();
        // SAFETY: just made. One reference more, for the caller.
        unsafe { &(*thread).references }.fetch_add(1, Ordering::Relaxed);
        let address = thread.expose_provenance();
        let kernel = self.own();
        let spawned = std::thread::Builder::new().name("system thread".into()).spawn(move || {
            CURRENT.with(|held| held.0.set(ptr::with_exposed_provenance_mut(address)));
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(routine));
            if let Err(panic) = ended
                && !panic.is::<Terminated>()
            {
                std::panic::resume_unwind(panic);
            }
            let level = kernel.ke_get_current_irql_of_any_height();
            if level != PASSIVE_LEVEL {
                let what = format!("a system thread ended at level {level}");
                kernel.breach(Rule::IrqlNotRestored, Object::THREAD, what);
                kernel.kf_lower_irql(PASSIVE_LEVEL);
            }
        });
        if spawned.is_err() {
            // SAFETY: the references of the thread that is not there, and of the caller.
            unsafe { release(thread) };
            // SAFETY: as above.
            unsafe { release(thread) };
            return None;
        }
        Some(thread)
    }

    /// PsTerminateSystemThread, of a thread made by [`HostKernel::ps_create_system_thread`].
    pub fn ps_terminate_system_thread(&self) -> ! {
        std::panic::resume_unwind(Box::new(Terminated))
    }

    /// The object of the calling thread, without a reference.
    #[must_use]
    pub fn current_thread(&self) -> *mut KernelThread {
        current()
    }

    /// ObReferenceObject. Objects that are no threads are not counted: they live as long as the kernel, or the driver.
    ///
    /// # Safety
    /// The caller has a reference, or is the thread.
    pub unsafe fn ob_reference_object(&self, object: *mut c_void) {
        if is_thread(object) {
            let thread: *mut KernelThread = object.cast();
            // SAFETY: the caller's promise.
            unsafe { &(*thread).references }.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// ObDereferenceObject.
    ///
    /// # Safety
    /// The caller has a reference, which is gone then.
    pub unsafe fn ob_dereference_object(&self, object: *mut c_void) {
        if is_thread(object) {
            // SAFETY: the caller's promise.
            unsafe { release(object.cast()) };
        }
    }
}
