//! Counters: sums over shards, and readings of one batch end beside a writer that never stops.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::array::uniform4;
use proptest::collection::vec;
use proptest::prelude::*;
use skua_pools::{Counters, Reading};

proptest! {
    #[test]
    fn folding_is_adding_up_every_batch_of_every_shard(
        batches in vec((0..4_usize, uniform4(prop_oneof![Just(0), 0..1_000_u64, 0..1_u64 << 48])), 0..200),
    ) {
        let shards: Vec<_> = (0..4).map(|_| Counters::<4>::new()).collect();
        let mut totals = [[0_u64; 4]; 4];
        for (shard, batch) in &batches {
            shards[*shard].publish(batch);
            totals[*shard].iter_mut().zip(batch).for_each(|(total, count)| *total += count);
            prop_assert_eq!(shards[*shard].read(1), Reading::Whole(totals[*shard]));
        }
        let sum = std::array::from_fn(|key| totals.iter().map(|shard| shard[key]).sum());
        prop_assert_eq!(Counters::fold(&shards, 1), Reading::Whole(sum));
    }
}

#[test]
fn folding_nothing_is_zero() {
    assert_eq!(Counters::<3>::fold([], 1), Reading::Whole([0; 3]));
    assert_eq!(Counters::<3>::default().read(0), Reading::Whole([0; 3]), "0 attempts are one");
}

#[test]
fn a_shard_has_cache_lines_of_its_own() {
    assert_eq!(align_of::<Counters<1>>() % 64, 0);
    assert_eq!(size_of::<Counters<1>>() % align_of::<Counters<1>>(), 0);
}

#[test]
fn readings_beside_a_writer_balance_and_never_run_backwards() {
    const BATCHES: u64 = 300_000;
    // Key 0 is always the sum of the others at a batch end.
    let shards = [Counters::<5>::new(), Counters::new()];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 1..=BATCHES {
                let counts = [10 + batch % 7, batch % 7, 1, 2, 7];
                shards.iter().for_each(|shard| shard.publish(&counts));
            }
            done.store(true, Ordering::Release);
        });
        let (mut last, mut whole) = ([0; 5], 0_u64);
        while !done.load(Ordering::Acquire) {
            let reading = Counters::fold(&shards, 100);
            let now = reading.totals();
            if let Reading::Whole([all, parts @ ..]) = reading {
                assert_eq!(all, parts.iter().sum::<u64>(), "{now:?}");
                whole += 1;
            }
            assert!(now.iter().zip(&last).all(|(now, last)| now >= last), "{now:?} after {last:?}");
            last = now;
        }
        assert_ne!(whole, 0);
    });
    assert_eq!(Counters::fold(&shards, 1).totals()[2], 2 * BATCHES);
}
