//! Counters under a version: a whole reading is of one batch end.

use loom::sync::Arc;
use loom::thread;

use super::explore;
use crate::counters::{Counters, Reading};

/// Two counters that every batch raises alike, 2 batches, a reader with 2 attempts twice. Any number of
/// preemptions.
#[test]
fn a_whole_reading_is_of_one_batch_end() {
    explore(None, || {
        let counters = Arc::new(Counters::<2>::new());
        let writer = {
            let counters = counters.clone();
            thread::spawn(move || {
                counters.publish(&[1, 1]);
                counters.publish(&[2, 2]);
            })
        };
        let mut last = [0, 0];
        for _ in 0..2 {
            let reading = counters.read(2);
            let now = reading.totals();
            if matches!(reading, Reading::Whole(_)) {
                assert!(now[0] == now[1] && [0, 1, 3].contains(&now[0]), "{now:?} is no batch end");
            }
            assert!(now[0] >= last[0] && now[1] >= last[1], "{now:?} after {last:?}");
            last = now;
        }
        writer.join().unwrap();
        assert_eq!(counters.read(1), Reading::Whole([3, 3]));
    });
}
