//! More threads and steps than loom gets through.

use std::vec::Vec;

use super::checker::sync::Arc;
use super::checker::sync::atomic::AtomicU32;
use super::checker::thread;
use super::{Exclusive, Heap, TAG, explore};
use crate::pool::{Pool, PoolConfig};
use crate::primitive::Ordering;
use crate::rundown::{Released, Rundown};

/// 4 shards with magazines of 2, capacity 6; each of 4 threads takes up to 3 slots in 4 rounds and puts them back, every
/// other time by the shared stack.
#[test]
fn four_shards_refill_flush_and_return_shared() {
    explore(None, || {
        let config = PoolConfig { capacity: 6, shards: 4, magazine: 2 };
        let pool = Arc::new(Pool::new(Heap, TAG, &config, |_| Exclusive::new()).unwrap());
        let threads: Vec<_> = (1..=4)
            .map(|nth| {
                let pool = pool.clone();
                thread::spawn(move || {
                    let mut magazine = pool.magazine().unwrap();
                    for round in 0..4 {
                        let count = (nth + round) % 3 + 1;
                        let slots: Vec<_> = (0..count).map_while(|_| pool.take(&mut magazine)).collect();
                        slots.iter().for_each(|slot| slot.touch());
                        for (index, slot) in slots.into_iter().enumerate() {
                            if (index + round) % 2 == 0 { drop(slot) } else { pool.put(slot, &mut magazine) }
                        }
                    }
                    pool.retire(magazine);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut pool = Arc::try_unwrap(pool).ok().unwrap();
        assert_eq!(pool.outstanding(), 0);
    });
}

/// 3 shards; 4 threads visit three times each, entering and leaving on different shards, while two close.
#[test]
fn exactly_one_of_many_is_last() {
    explore(None, || {
        let shared = Arc::new((Rundown::new(Heap, TAG, 3).unwrap(), Exclusive::new(), AtomicU32::new(0)));
        let drained = |(_, protected, lasts): &(Rundown<Heap>, Exclusive, AtomicU32)| {
            protected.touch();
            lasts.fetch_add(1, Ordering::SeqCst);
        };
        let mut threads: Vec<_> = (0..4)
            .map(|nth| {
                let shared = shared.clone();
                thread::spawn(move || {
                    for round in 0..3 {
                        let (rundown, protected, _) = &*shared;
                        if rundown.acquire((nth + round) % 3, 1) {
                            assert_eq!(protected.look(), 0, "inside after it was drained");
                            if rundown.release(nth % 3, 1) == Released::Last {
                                drained(&shared);
                            }
                        }
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let shared = shared.clone();
            threads.push(thread::spawn(move || {
                if shared.0.close() {
                    drained(&shared);
                }
            }));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(shared.0.is_drained());
        assert_eq!(shared.2.load(Ordering::SeqCst), 1);
    });
}
