//! Two threads at once, each with a processor of its own.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs both at the same time and says how long the pair took, from the first start to the last end.
///
/// Each gets a thread pinned to a processor: the first two that this process may use. Where there is only one, or the
/// host cannot pin, the scheduler places them, and what is measured is mostly the scheduler.
pub fn side_by_side(first: impl FnOnce() + Send, second: impl FnOnce() + Send) -> Duration {
    let ready = AtomicU32::new(0);
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| timed(0, &ready, first));
        let second = scope.spawn(|| timed(1, &ready, second));
        (first.join(), second.join())
    });
    let (first, second) = (first.expect("a thread that ended"), second.expect("a thread that ended"));
    first.1.max(second.1) - first.0.min(second.0)
}

/// Starts when both threads are there, so that neither pays for the other's creation.
fn timed(nth: usize, ready: &AtomicU32, work: impl FnOnce()) -> (Instant, Instant) {
    pin(nth);
    ready.fetch_add(1, Ordering::AcqRel);
    while ready.load(Ordering::Acquire) < 2 {
        spin_loop();
    }
    let start = Instant::now();
    work();
    (start, Instant::now())
}

/// Keeps the calling thread on the `nth` processor that it may use, if there is one.
#[cfg(target_os = "linux")]
fn pin(nth: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    let Some(processor) = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).nth(nth) else {
        return;
    };
    let mut one = CpuSet::new();
    one.set(processor);
    // Refused only where the set changed meanwhile; the thread then stays where it is.
    let _ = sched_setaffinity(None, &one);
}

#[cfg(not(target_os = "linux"))]
fn pin(_nth: usize) {}
