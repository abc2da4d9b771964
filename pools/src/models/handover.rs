//! Handover: the slot has one owner at a time, a waker is never lost, and exactly one frees.

use super::checker::sync::Arc;
use super::checker::sync::atomic::{AtomicBool, AtomicU32};
use super::checker::thread;

use super::{Exclusive, explore};
use crate::gate::Gate;
use crate::handover::{Cell, Finished, Handover};
use crate::primitive::Ordering;
use crate::rundown::Released;

/// A request's slot. `cell` is 0 without a waker; `result` stands for everything else in it.
struct Slot {
    word: Handover,
    cell: Exclusive,
    result: Exclusive,
    event: AtomicBool,
    woken: AtomicU32,
    freed: AtomicU32,
}

impl Slot {
    fn new() -> Arc<Self> {
        let slot = Self {
            word: Handover::new(),
            cell: Exclusive::new(),
            result: Exclusive::new(),
            event: AtomicBool::new(false),
            woken: AtomicU32::new(0),
            freed: AtomicU32::new(0),
        };
        slot.word.begin();
        Arc::new(slot)
    }

    /// Looks once; whether the result was there. `Err` asks to look again at once, as a task that wakes itself does.
    fn poll(&self, waker: u64) -> Result<bool, ()> {
        if self.word.is_done() {
            return Ok(true);
        }
        match self.word.reclaim() {
            Cell::Done => return Ok(true),
            Cell::Ending => return Err(()),
            Cell::Asker => self.cell.set(waker),
        }
        match self.word.offer() {
            Cell::Asker => Ok(false),
            Cell::Done => Ok(true),
            Cell::Ending => {
                self.cell.set(0);
                Err(())
            }
        }
    }

    fn complete(&self) {
        let Some(filled) = self.word.claim() else { return };
        let waker = if filled { self.cell.look() } else { 0 };
        if filled {
            self.cell.set(0);
        }
        self.result.set(7);
        match self.word.finish() {
            Finished::Handed => {}
            Finished::Watched => self.event.store(true, Ordering::Release),
            Finished::Detached => self.free(),
        }
        // The waker was moved out; the slot may be another request's by now.
        if waker != 0 {
            self.woken.fetch_add(1, Ordering::Release);
        }
    }

    fn detach(&self) {
        if self.word.reclaim() == Cell::Asker {
            self.cell.set(0);
        }
        if self.word.detach() {
            self.free();
        }
    }

    /// Touches everything, as the next user of the slot does.
    fn free(&self) {
        self.result.touch();
        self.cell.touch();
        self.freed.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) {
        assert_eq!(self.result.look(), 7);
        self.free();
    }
}

fn completer(slot: &Arc<Slot>) -> thread::JoinHandle<()> {
    let slot = slot.clone();
    thread::spawn(move || slot.complete())
}

/// The asker polls twice, with two wakers; the completer completes. Any number of preemptions.
#[test]
fn a_poll_finds_the_result_or_is_woken() {
    explore(None, || {
        let slot = Slot::new();
        let completer = completer(&slot);
        let mut pending = 0;
        let mut done = false;
        for waker in 1..=2 {
            match slot.poll(waker) {
                Ok(true) => {
                    done = true;
                    break;
                }
                Ok(false) => pending += 1,
                Err(()) => pending = 0,
            }
        }
        if done {
            slot.take();
        }
        completer.join().unwrap();
        if !done {
            let woken = slot.woken.load(Ordering::Acquire);
            assert!(pending == 0 || woken == 1, "a waker left in the cell was not woken");
            assert!(slot.word.is_done());
            slot.take();
        }
        assert_eq!(slot.freed.load(Ordering::Relaxed), 1);
    });
}

/// The asker polls once and drops; the completer completes. Any number of preemptions.
#[test]
fn a_dropped_request_is_freed_once() {
    explore(None, || {
        let slot = Slot::new();
        let completer = completer(&slot);
        match slot.poll(1) {
            Ok(true) => slot.take(),
            Ok(false) | Err(()) => slot.detach(),
        }
        completer.join().unwrap();
        assert_eq!(slot.freed.load(Ordering::Relaxed), 1);
    });
}

/// The asker watches, gives up as if its time were over, and drops or takes; the completer completes.
#[test]
fn a_wait_that_is_given_up_leaves_one_owner() {
    explore(None, || {
        let slot = Slot::new();
        let completer = completer(&slot);
        let done = slot.word.watch() || {
            let signalled = slot.event.load(Ordering::Acquire);
            if signalled || slot.word.unwatch() {
                // Signalled, or in a moment.
                while !slot.event.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                true
            } else {
                false
            }
        };
        if done {
            slot.take()
        } else {
            slot.detach()
        }
        completer.join().unwrap();
        assert_eq!(slot.freed.load(Ordering::Relaxed), 1);
    });
}

/// Two complete, as a routine and the caller of a provider that refused do.
#[test]
fn one_of_two_completes() {
    explore(None, || {
        let slot = Slot::new();
        let completer = completer(&slot);
        slot.complete();
        completer.join().unwrap();
        assert!(slot.word.is_done());
        slot.take();
    });
}

/// One enters twice, one closes: whoever is last is so once, and after the other's last touch.
#[test]
fn a_gate_has_one_last() {
    explore(None, || {
        let shared = Arc::new((Gate::new(), Exclusive::new(), AtomicU32::new(0)));
        let visitor = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (gate, inside, lasts) = &*shared;
                for _ in 0..2 {
                    if gate.enter() {
                        inside.look();
                        if gate.leave() == Released::Last {
                            inside.touch();
                            lasts.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            })
        };
        let (gate, inside, lasts) = &*shared;
        if gate.close() {
            inside.touch();
            lasts.fetch_add(1, Ordering::Relaxed);
        }
        visitor.join().unwrap();
        assert_eq!(lasts.load(Ordering::Relaxed), 1);
        assert!(!gate.enter());
    });
}
