//! Two threads at once, each with a processor of its own.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::thread_time;

/// What a chunk must take at least, so that starting it is a small part of it. Well below a scheduler's time slice.
const CHUNK: Duration = Duration::from_micros(300);

/// Disturbed chunks in a row before one is taken all the same.
const PATIENCE: u32 = 200;

/// Has both threads do `items` of their work at the same time, and says how long that takes.
///
/// Each thread is pinned to a processor: the first two that this process may use. The work is done in chunks, and a chunk
/// in which one of the threads lost its processor, or started late, is done again: otherwise the time would be that of
/// whatever else the machine does. Where it has only one processor, or the host tells no thread time, there are only such
/// chunks, and then they are what is measured.
pub fn side_by_side(
    items: u64,
    mut first: impl FnMut(u64) + Send,
    mut second: impl FnMut(u64) + Send,
) -> Duration {
    let (mut done, mut took) = (0, Duration::ZERO);
    let (mut chunk, mut disturbed) = (64, 0);
    while done < items {
        let span = at_once(|| first(chunk), || second(chunk));
        if span.wall < CHUNK {
            chunk *= 2;
        } else if span.undisturbed || disturbed == PATIENCE {
            done += chunk;
            took += span.wall;
            disturbed = 0;
        } else {
            disturbed += 1;
        }
    }
    took.mul_f64(items as f64 / done.max(1) as f64)
}

/// What a pair of threads took.
struct Span {
    wall: Duration,
    undisturbed: bool,
}

fn at_once(first: impl FnOnce() + Send, second: impl FnOnce() + Send) -> Span {
    let ready = AtomicU32::new(0);
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| Lap::run(0, &ready, first));
        let second = scope.spawn(|| Lap::run(1, &ready, second));
        (first.join(), second.join())
    });
    let (first, second) = (first.expect("a thread that ended"), second.expect("a thread that ended"));
    let begin = first.begin.min(second.begin);
    let wall = first.end.max(second.end) - begin;
    let late = first.begin.max(second.begin) - begin;
    let undisturbed = first.kept_processor() && second.kept_processor() && late < wall / 20;
    Span { wall, undisturbed }
}

/// What one thread took.
struct Lap {
    begin: Instant,
    end: Instant,
    on_processor: Duration,
}

impl Lap {
    /// Starts when both threads are there, so that neither pays for the other's creation.
    fn run(nth: usize, ready: &AtomicU32, work: impl FnOnce()) -> Self {
        pin(nth);
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < 2 {
            spin_loop();
        }
        let before = thread_time();
        let begin = Instant::now();
        work();
        let end = Instant::now();
        Self { begin, end, on_processor: thread_time().saturating_sub(before) }
    }

    /// Whether the thread ran all the while, but for interrupts.
    fn kept_processor(&self) -> bool {
        let wall = self.end - self.begin;
        wall.saturating_sub(self.on_processor) < wall / 50
    }
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
