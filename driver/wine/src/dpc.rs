//! Deferred procedure calls, run in order by one thread at DISPATCH_LEVEL. Wine takes them and never runs them.
//!
//! A timer's call is run by Wine, below DISPATCH_LEVEL.

// UNSAFETY: exports under NT's names; calls the driver's routines.
#![expect(unsafe_code, reason = "calls live in the driver's memory")]

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

use skua_engine::abi::nt::{BOOLEAN, DISPATCH_LEVEL, FALSE, KDPC, PASSIVE_LEVEL, PKDEFERRED_ROUTINE, TRUE};
use skua_engine::abi::zeroed;

use crate::{level, report};

/// DpcObject of KOBJECTS, in the low byte of `TargetInfoAsUlong`.
const DPC_OBJECT: u32 = 19;

/// What is queued, by address.
struct Queue {
    calls: VecDeque<usize>,
    running: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { calls: VecDeque::new(), running: false });
static CHANGED: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(queue: MutexGuard<'static, Queue>) -> MutexGuard<'static, Queue> {
    CHANGED.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let thread = std::thread::Builder::new().name("skua-dpc".into()).spawn(run);
        if let Err(error) = thread {
            report::fatal(format_args!("no thread for deferred procedure calls: {error}"));
        }
    });
}

/// Never ends: the image stays in the process.
fn run() {
    let mut queue = queue();
    loop {
        let Some(call) = queue.calls.pop_front() else {
            queue = wait(queue);
            continue;
        };
        queue.running = true;
        let call: *mut KDPC = std::ptr::with_exposed_provenance_mut(call);
        // SAFETY: a queued call stays until its routine has begun.
        let taken = unsafe { call.read() };
        // Before the routine, which may queue it again or free it.
        // SAFETY: as above.
        unsafe { (*call).DpcData = std::ptr::null_mut() };
        drop(queue);
        if let Some(routine) = taken.DeferredRoutine {
            let before = level::raise(DISPATCH_LEVEL);
            // SAFETY: the driver's routine, with what it was initialised and queued with.
            unsafe { routine(call, taken.DeferredContext, taken.SystemArgument1, taken.SystemArgument2) };
            level::lower(before);
        }
        queue = self::queue();
        queue.running = false;
        CHANGED.notify_all();
    }
}

/// KeInitializeDpc.
///
/// # Safety
/// `dpc` is writable and not queued.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeInitializeDpc(
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

/// KeInsertQueueDpc.
///
/// # Safety
/// `dpc` is initialised and stays until its routine has run or it is removed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeInsertQueueDpc(
    dpc: *mut KDPC,
    first: *mut c_void,
    second: *mut c_void,
) -> BOOLEAN {
    start();
    let mut queue = queue();
    // SAFETY: the caller's promise, and the queue is locked.
    let call = unsafe { &mut *dpc };
    if !call.DpcData.is_null() {
        return FALSE;
    }
    call.SystemArgument1 = first;
    call.SystemArgument2 = second;
    call.DpcData = (&raw const QUEUE).cast_mut().cast();
    queue.calls.push_back(dpc.expose_provenance());
    CHANGED.notify_all();
    TRUE
}

/// KeRemoveQueueDpc.
///
/// # Safety
/// `dpc` is initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN {
    let mut queue = queue();
    let Some(position) = queue.calls.iter().position(|call| *call == dpc.addr()) else { return FALSE };
    queue.calls.remove(position);
    // SAFETY: the caller's promise, and the queue is locked.
    unsafe { (*dpc).DpcData = std::ptr::null_mut() };
    TRUE
}

/// KeFlushQueuedDpcs: returns when what was queued has run.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeFlushQueuedDpcs() {
    if !level::require("KeFlushQueuedDpcs", PASSIVE_LEVEL) {
        return;
    }
    let mut queue = queue();
    while queue.running || !queue.calls.is_empty() {
        queue = wait(queue);
    }
}

/// KeSetImportanceDpc: order is kept whatever it is.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeSetImportanceDpc(_dpc: *mut KDPC, _importance: i32) {}
