//! System threads: std's, with the mark of the system process.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::thread::JoinHandle;

use skua_driver::StartRoutine;
use skua_engine::abi::nt::PEPROCESS;

/// What IoGetCurrentProcess answers on a system thread; only its address means anything.
pub(super) const SYSTEM: PEPROCESS = ptr::without_provenance_mut(4);
/// What it answers elsewhere.
const OTHER: PEPROCESS = ptr::without_provenance_mut(8);

thread_local! {
    static PROCESS: Cell<PEPROCESS> = const { Cell::new(OTHER) };
}

pub(super) fn current_process() -> PEPROCESS {
    PROCESS.get()
}

pub(super) fn in_system_process<R>(work: impl FnOnce() -> R) -> R {
    struct Return(PEPROCESS);
    impl Drop for Return {
        fn drop(&mut self) {
            PROCESS.set(self.0);
        }
    }
    let _return = Return(PROCESS.replace(SYSTEM));
    work()
}

/// A system thread; waits for its end when dropped.
pub(crate) struct HostThread {
    handle: Option<JoinHandle<()>>,
}

impl HostThread {
    /// # Safety
    /// `start` may be called with `context` on another thread, as long as this lives.
    pub(super) unsafe fn start(start: StartRoutine, context: *mut c_void) -> Self {
        let context = Context(context);
        let handle = std::thread::spawn(move || {
            let context = context;
            // SAFETY: the caller's promise; dropping this value waits for the thread.
            in_system_process(|| unsafe { start(context.get()) });
        });
        Self { handle: Some(handle) }
    }
}

impl Drop for HostThread {
    fn drop(&mut self) {
        let ended = self.handle.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || std::thread::panicking(), "a system thread panicked");
    }
}

struct Context(*mut c_void);

impl Context {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

// SAFETY: `HostThread::start`'s caller promises that another thread may have it.
unsafe impl Send for Context {}
