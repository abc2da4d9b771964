//! Rundown: who is turned away, who is last, and that it is said once.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use skua_pools::{OutOfMemory, Released, Rundown, RundownError, Tag};

use crate::heap::Heap;

const TAG: Tag = Tag::new(b"SkTs");

fn rundown(heap: &Heap, shards: u32) -> Rundown<&Heap> {
    Rundown::new(heap, TAG, shards).unwrap()
}

#[test]
fn an_empty_rundown_is_drained_by_close_and_only_once() {
    let heap = Heap::new();
    let rundown = rundown(&heap, 4);
    assert!(!rundown.is_drained());
    assert!(rundown.close());
    assert!(!rundown.close(), "said once");
    assert!(rundown.is_drained());
    assert!(!rundown.acquire(0, 1));
    assert_eq!(rundown.outstanding(), 0);
}

#[test]
fn the_last_to_leave_is_told_and_nobody_else() {
    let heap = Heap::new();
    let rundown = rundown(&heap, 2);
    assert!(rundown.acquire(0, 3) && rundown.acquire(1, 2));
    assert_eq!(rundown.release(0, 1), Released::Inside);
    assert_eq!(rundown.outstanding(), 4);
    assert!(!rundown.close());
    assert!(!rundown.is_drained() && !rundown.acquire(1, 1));
    assert_eq!(rundown.outstanding(), 4);
    assert_eq!(rundown.release(1, 3), Released::Inside, "leaving elsewhere than entered");
    assert_eq!(rundown.release(0, 0), Released::Inside);
    assert_eq!(rundown.release(0, 1), Released::Last);
    assert_eq!(rundown.release(0, 0), Released::Inside, "leaving with nothing is never last");
    assert!(rundown.is_drained() && !rundown.close());
}

#[test]
fn a_shard_that_does_not_exist_counts_all_the_same() {
    let heap = Heap::new();
    let rundown = rundown(&heap, 1);
    assert!(rundown.acquire(1024, 5));
    assert_eq!(rundown.outstanding(), 5);
    assert!(!rundown.close());
    assert_eq!(rundown.release(u32::MAX, 5), Released::Last);
}

#[test]
fn memory_is_a_cache_line_pair_a_shard_and_is_given_back() {
    let heap = Heap::new();
    assert_eq!(Rundown::new(&heap, TAG, 0).err(), Some(RundownError::NoShards));
    let many = rundown(&heap, 1024);
    assert_eq!(Rundown::<&Heap>::bytes(1024), Some(heap.asked()));
    assert!(many.acquire(1023, 1));
    drop(many);
    assert_eq!(heap.live(), 0);
    let refusing = Heap::refusing(0);
    let bytes = Rundown::<&Heap>::bytes(2).unwrap();
    let error = RundownError::OutOfMemory(OutOfMemory { bytes, tag: TAG });
    assert_eq!(Rundown::new(&refusing, TAG, 2).err(), Some(error));
}

#[derive(Clone, Debug)]
enum Operation {
    Acquire { shard: u32, n: u32 },
    Release { shard: u32, n: u32 },
    Close,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        10 => (0..5_u32, 0..4_u32).prop_map(|(shard, n)| Operation::Acquire { shard, n }),
        10 => (0..5_u32, 0..4_u32).prop_map(|(shard, n)| Operation::Release { shard, n }),
        1 => Just(Operation::Close),
    ]
}

proptest! {
    #[test]
    fn a_rundown_is_one_number_and_one_flag(
        shards in 1..4_u32,
        mut operations in vec(operation(), 0..100),
    ) {
        let heap = Heap::new();
        let rundown = rundown(&heap, shards);
        let (mut inside, mut closed, mut lasts) = (0_u64, false, 0);
        operations.push(Operation::Close);
        operations.extend((0..400).map(|shard| Operation::Release { shard: shard % 5, n: 1 }));
        for operation in operations {
            match operation {
                Operation::Acquire { shard, n } => {
                    prop_assert_eq!(rundown.acquire(shard, n), !closed);
                    inside += if closed { 0 } else { u64::from(n) };
                }
                Operation::Release { shard, n } => {
                    // Only those inside can leave.
                    let n = u64::from(n).min(inside);
                    inside -= n;
                    let last = closed && inside == 0 && n > 0;
                    let released = rundown.release(shard, u32::try_from(n).unwrap());
                    prop_assert_eq!(released, if last { Released::Last } else { Released::Inside });
                    lasts += u32::from(last);
                }
                Operation::Close => {
                    let last = !closed && inside == 0;
                    prop_assert_eq!(rundown.close(), last);
                    closed = true;
                    lasts += u32::from(last);
                }
            }
            prop_assert_eq!(rundown.outstanding(), inside);
            prop_assert_eq!(rundown.is_drained(), closed && inside == 0);
        }
        prop_assert_eq!((inside, lasts), (0, 1));
    }
}

#[test]
fn one_of_many_threads_is_last_and_nobody_is_inside_then() {
    const THREADS: u32 = 4;
    for round in 0..200 {
        let heap = Heap::new();
        let rundown = rundown(&heap, 2);
        let (drained, lasts, visits) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU64::new(0));
        let last = || {
            drained.store(true, Ordering::Relaxed);
            lasts.fetch_add(1, Ordering::Relaxed);
        };
        thread::scope(|scope| {
            for me in 0..THREADS {
                let (rundown, drained, visits, last) = (&rundown, &drained, &visits, &last);
                scope.spawn(move || {
                    while rundown.acquire(me % 2, 2) {
                        visits.fetch_add(1, Ordering::Relaxed);
                        assert!(!drained.load(Ordering::Relaxed), "inside after the last one left");
                        for n in [0, 1] {
                            if rundown.release((me + n) % 2, 1) == Released::Last {
                                last();
                            }
                        }
                    }
                });
            }
            // Closes at a different count each time, most often with somebody inside.
            while visits.load(Ordering::Relaxed) < round * 20 {
                thread::yield_now();
            }
            if rundown.close() {
                last();
            }
        });
        assert_eq!(lasts.into_inner(), 1);
        assert!(rundown.is_drained());
    }
}
