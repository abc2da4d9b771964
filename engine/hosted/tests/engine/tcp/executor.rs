//! Two small executors: one of std's wakers, which only PASSIVE_LEVEL may call, and one whose wakers are words.

// UNSAFETY: wakers by hand.
#![expect(unsafe_code, reason = "a raw waker points at a word that is never freed")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::{Duration, Instant};

use skua_engine::{Kernel, Passive, Requests, WakeAtDispatch};
use skua_hosted::HostKernel;

use crate::fixture::PATIENCE;

/// A waker that says at which level it was called.
pub(crate) struct Bell {
    kernel: HostKernel,
    rung: AtomicBool,
    above_passive: AtomicU64,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if self.kernel.ke_get_current_irql() != 0 {
            self.above_passive.fetch_add(1, Ordering::SeqCst);
        }
        self.rung.store(true, Ordering::SeqCst);
    }
}

impl Bell {
    pub(crate) fn new(kernel: &HostKernel) -> Arc<Self> {
        let (rung, above_passive) = (AtomicBool::new(false), AtomicU64::new(0));
        Arc::new(Self { kernel: kernel.clone(), rung, above_passive })
    }

    pub(crate) fn take(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn above_passive(&self) -> u64 {
        self.above_passive.load(Ordering::SeqCst)
    }
}

/// Runs a future to its end. Its wakers are called by [`Requests::serve`], on this thread.
pub(crate) fn block_on<F: Future>(requests: &Requests<HostKernel>, future: F) -> F::Output {
    let kernel = requests.kernel().clone();
    let passive = Passive::acquire(&kernel).unwrap();
    let bell = Bell::new(&kernel);
    let waker = Waker::from(bell.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let until = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            assert_eq!(bell.above_passive(), 0);
            return output;
        }
        while !bell.take() {
            assert!(Instant::now() < until, "the future is not woken");
            requests.serve(Duration::from_millis(100), &passive);
        }
    }
}

/// An executor whose wakers set a word.
pub(crate) struct Words;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, forget);

// SAFETY: waking is a store to a static, dropping nothing.
unsafe impl WakeAtDispatch for Words {
    fn vtable() -> &'static RawWakerVTable {
        &VTABLE
    }
}

impl Words {
    /// A waker of `word`.
    pub(crate) fn waker(word: &'static AtomicBool) -> Waker {
        // SAFETY: the functions of the table take a pointer to a static AtomicBool.
        unsafe { Waker::from_raw(raw(word)) }
    }

    /// Runs a future to its end, with nobody to serve.
    pub(crate) fn block_on<F: Future>(word: &'static AtomicBool, future: F) -> F::Output {
        let waker = Self::waker(word);
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let until = Instant::now() + PATIENCE;
        loop {
            word.store(false, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            while !word.load(Ordering::SeqCst) {
                assert!(Instant::now() < until, "the future is not woken");
                std::thread::yield_now();
            }
        }
    }
}

fn raw(word: &'static AtomicBool) -> RawWaker {
    RawWaker::new(std::ptr::from_ref(word).cast(), &VTABLE)
}

unsafe fn word(data: *const ()) -> &'static AtomicBool {
    // SAFETY: every waker of the table is made from a static word.
    unsafe { &*data.cast() }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: as above.
    raw(unsafe { word(data) })
}

unsafe fn wake(data: *const ()) {
    // SAFETY: as above.
    unsafe { word(data) }.store(true, Ordering::SeqCst);
}

unsafe fn forget(_data: *const ()) {}
