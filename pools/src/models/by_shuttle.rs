//! Shuttle: random interleavings, many of them.

pub(super) use shuttle as checker;

use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use shuttle::sync::{Condvar, Mutex};

/// Interleavings of each model, by either way of choosing them.
const RANDOM: usize = 2000;
const PREEMPTIONS: usize = 3;

/// Explores `model` by random choices, and by schedules with few preemptions at random places, where rare bugs are.
pub(super) fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let model = std::sync::Arc::new(model);
    let again = model.clone();
    shuttle::check_random(move || again(), RANDOM);
    shuttle::check_pct(move || model(), RANDOM, preemptions.unwrap_or(PREEMPTIONS));
}

/// Something that one thread at a time may touch. A failed model is two threads in it at once.
pub(super) struct Exclusive {
    writers: AtomicBool,
    readers: AtomicU64,
    value: AtomicU64,
}

impl Exclusive {
    pub(super) fn new() -> Self {
        Self { writers: AtomicBool::new(false), readers: AtomicU64::new(0), value: AtomicU64::new(0) }
    }

    /// Writes, as the owner.
    pub(super) fn touch(&self) {
        self.change(|value| value + 1);
    }

    /// Reads, as one of several that share.
    pub(super) fn look(&self) -> u64 {
        self.readers.fetch_add(1, Ordering::SeqCst);
        assert!(!self.writers.load(Ordering::SeqCst), "somebody writes what is read");
        let value = self.value.load(Ordering::SeqCst);
        self.readers.fetch_sub(1, Ordering::SeqCst);
        value
    }

    pub(super) fn set(&self, new: u64) {
        self.change(|_| new);
    }

    /// Each step may be followed by another thread's.
    fn change(&self, new: impl FnOnce(u64) -> u64) {
        assert!(!self.writers.swap(true, Ordering::SeqCst), "two write at once");
        assert_eq!(self.readers.load(Ordering::SeqCst), 0, "somebody reads what is written");
        let value = self.value.load(Ordering::SeqCst);
        self.value.store(new(value), Ordering::SeqCst);
        self.writers.store(false, Ordering::SeqCst);
    }
}

/// Wakes the thread that waits, or the next that will.
pub(super) struct Notify {
    notified: Mutex<bool>,
    changed: Condvar,
}

impl Notify {
    pub(super) fn new() -> Self {
        Self { notified: Mutex::new(false), changed: Condvar::new() }
    }

    pub(super) fn notify(&self) {
        *self.notified.lock().unwrap() = true;
        self.changed.notify_one();
    }

    pub(super) fn wait(&self) {
        let mut notified = self.notified.lock().unwrap();
        while !*notified {
            notified = self.changed.wait(notified).unwrap();
        }
        *notified = false;
    }
}
