//! Parking: a request is completed once, nobody touches it afterwards, and no wake is lost.

use core::ptr::NonNull;

use super::checker::sync::atomic::{AtomicBool, AtomicU32};
use super::checker::sync::{Arc, Mutex};
use super::checker::thread;

use super::{Exclusive, explore};
use crate::parking::{Cancellable, Parking};
use crate::primitive::Ordering;

/// A request as the system has it.
struct Packet {
    /// The cancel mark.
    armed: AtomicBool,
    meeting: AtomicBool,
    /// Looked at by everybody who touches the packet, written by the one who completes it: after that it may be gone.
    memory: Exclusive,
    /// How it was completed: 1 woken, 16 cancelled.
    completions: AtomicU32,
}

// SAFETY: the words are exchanged by these and by the model's `cancel` only.
unsafe impl Cancellable for Packet {
    unsafe fn disarm(request: NonNull<Self>) -> bool {
        // SAFETY: the model keeps its packets to the end.
        let packet = unsafe { request.as_ref() };
        packet.memory.look();
        packet.armed.swap(false, Ordering::AcqRel)
    }

    unsafe fn meet(request: NonNull<Self>) -> bool {
        // SAFETY: as above.
        let packet = unsafe { request.as_ref() };
        packet.memory.look();
        packet.meeting.swap(true, Ordering::AcqRel)
    }
}

struct Shared {
    place: Parking<Packet>,
    packet: Packet,
    /// The cancel spin lock, and whether the packet was cancelled.
    lock: Mutex<bool>,
}

impl Shared {
    fn new() -> Arc<Self> {
        let packet = Packet {
            armed: AtomicBool::new(false),
            meeting: AtomicBool::new(false),
            memory: Exclusive::new(),
            completions: AtomicU32::new(0),
        };
        Arc::new(Self { place: Parking::new(), packet, lock: Mutex::new(false) })
    }

    fn packet(&self) -> NonNull<Packet> {
        NonNull::from(&self.packet)
    }

    fn complete(&self, how: u32) {
        self.packet.memory.touch();
        self.packet.completions.fetch_add(how, Ordering::Relaxed);
    }

    /// The thread that parks.
    fn park(&self) {
        let cancelled = self.lock.lock().unwrap();
        if *cancelled {
            drop(cancelled);
            return self.complete(16);
        }
        self.packet.armed.swap(true, Ordering::AcqRel);
        // SAFETY: not cancelled, and the lock keeps that so; parked once.
        unsafe { self.place.park(self.packet()) };
        drop(cancelled);
        if self.place.use_wake().is_some() {
            self.complete(1);
        }
    }

    fn wake(&self) {
        if self.place.wake().is_some() {
            self.complete(1);
        }
    }

    /// IoCancelIrp, and the cancel routine if it is called.
    fn cancel(&self) {
        let mut cancelled = self.lock.lock().unwrap();
        *cancelled = true;
        let called = self.packet.armed.swap(false, Ordering::AcqRel);
        if called {
            self.packet.memory.look();
        }
        drop(cancelled);
        // SAFETY: armed, so it was parked; called once.
        if called && unsafe { self.place.cancelled(self.packet()) } {
            self.complete(16);
        }
    }

    fn completions(&self) -> u32 {
        self.packet.completions.load(Ordering::Relaxed)
    }
}

/// One thread parks, one wakes. Any number of preemptions.
#[test]
fn no_wake_is_lost() {
    explore(None, || {
        let shared = Shared::new();
        let waker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.wake())
        };
        shared.park();
        waker.join().unwrap();
        assert_eq!(shared.completions(), 1);
    });
}

/// One thread parks, one cancels. Any number of preemptions.
#[test]
fn a_cancelled_request_is_completed_once() {
    explore(None, || {
        let shared = Shared::new();
        let canceller = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.cancel())
        };
        shared.park();
        canceller.join().unwrap();
        assert_eq!(shared.completions(), 16);
    });
}

/// One thread parks, one wakes, one cancels. At most 3 preemptions.
#[test]
fn waking_and_cancelling_complete_it_once() {
    explore(Some(3), || {
        let shared = Shared::new();
        let [waker, canceller] = [Shared::wake, Shared::cancel].map(|role| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || role(&shared))
        });
        shared.park();
        waker.join().unwrap();
        canceller.join().unwrap();
        assert!(matches!(shared.completions(), 1 | 16), "{}", shared.completions());
    });
}

/// It is parked; two threads wake and one cancels. At most 3 preemptions.
#[test]
fn two_wakes_and_a_cancellation_complete_it_once() {
    explore(Some(3), || {
        let shared = Shared::new();
        shared.park();
        let threads = [Shared::wake, Shared::wake, Shared::cancel].map(|role| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || role(&shared))
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(matches!(shared.completions(), 1 | 16), "{}", shared.completions());
    });
}
