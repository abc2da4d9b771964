//! Rundown: exactly one is last, and only after everybody's last touch.

use super::checker::sync::Arc;
use super::checker::sync::atomic::AtomicU32;
use super::checker::thread;

use super::{Exclusive, Heap, TAG, explore};
use crate::primitive::Ordering;
use crate::rundown::{Released, Rundown};

struct Shared {
    rundown: Rundown<Heap>,
    /// Read by those inside, written by the one who learns that nobody is.
    protected: Exclusive,
    lasts: AtomicU32,
}

impl Shared {
    fn new(shards: u32) -> Arc<Self> {
        let rundown = Rundown::new(Heap, TAG, shards).unwrap();
        Arc::new(Self { rundown, protected: Exclusive::new(), lasts: AtomicU32::new(0) })
    }

    /// Enters on one shard, looks at what is protected, leaves on another.
    fn visit(&self, enter: u32, leave: u32, n: u32) {
        if self.rundown.acquire(enter, n) {
            assert_eq!(self.protected.look(), 0, "inside after it was drained");
            if self.rundown.release(leave, n) == Released::Last {
                self.drained();
            }
        }
    }

    fn close(&self) {
        if self.rundown.close() {
            self.drained();
        }
    }

    fn drained(&self) {
        // First of all: asking the rundown anything would order this after the leavers by itself.
        self.protected.touch();
        assert!(self.rundown.is_drained());
        self.lasts.fetch_add(1, Ordering::Relaxed);
    }

    fn assert_drained_once(&self) {
        assert!(self.rundown.is_drained());
        assert_eq!(self.lasts.load(Ordering::Relaxed), 1);
        assert_eq!(self.rundown.outstanding(), 0);
        assert!(!self.rundown.acquire(0, 1), "closed for good");
    }
}

/// 2 shards; one thread enters and leaves shard 0 with 2, one enters shard 1 and leaves on shard 0, the main thread
/// closes. Any number of preemptions.
#[test]
fn exactly_one_is_last() {
    explore(None, || {
        let shared = Shared::new(2);
        let threads = [(0, 0, 2), (1, 0, 1)].map(|(enter, leave, n)| {
            let shared = shared.clone();
            thread::spawn(move || shared.visit(enter, leave, n))
        });
        shared.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        shared.assert_drained_once();
    });
}

/// 2 shards; two threads close while one visits twice. Any number of preemptions.
#[test]
fn two_that_close_still_have_one_last() {
    explore(None, || {
        let shared = Shared::new(2);
        let closer = {
            let shared = shared.clone();
            thread::spawn(move || shared.close())
        };
        let visitor = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.visit(0, 1, 1);
                shared.visit(1, 1, 1);
            })
        };
        shared.close();
        closer.join().unwrap();
        visitor.join().unwrap();
        shared.assert_drained_once();
    });
}
