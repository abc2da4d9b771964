//! Counters under a version: a whole reading is of one batch end.

use std::sync::Mutex;
use std::vec::Vec;

use super::checker::sync::Arc;
use super::checker::thread;

use super::explore;
use crate::counters::{Counters, Reading};

/// Two counters that every batch raises alike, `batches` batches, a reader that looks twice with `attempts` attempts. Says
/// which readings there were in all executions.
fn readings(preemptions: usize, batches: u64, attempts: u32) -> Vec<Reading<2>> {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    explore(Some(preemptions), move || {
        let counters = Arc::new(Counters::<2>::new());
        let writer = {
            let counters = counters.clone();
            thread::spawn(move || (1..=batches).for_each(|batch| counters.publish(&[batch, batch])))
        };
        let mut last = [0, 0];
        for _ in 0..2 {
            let reading = counters.read(attempts);
            let now = reading.totals();
            assert!(now[0] >= last[0] && now[1] >= last[1], "{now:?} after {last:?}");
            last = now;
            let mut seen = into.lock().unwrap();
            if !seen.contains(&reading) {
                seen.push(reading);
            }
        }
        writer.join().unwrap();
        let all = batches * (batches + 1) / 2;
        assert_eq!(counters.read(1), Reading::Whole([all, all]));
    });
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// 2 batches, 1 attempt, at most 3 preemptions.
#[test]
fn a_whole_reading_is_of_one_batch_end() {
    let seen = readings(3, 2, 1);
    for reading in &seen {
        let Reading::Whole([one, other]) = *reading else { continue };
        assert!(one == other && [0, 1, 3].contains(&one), "{reading:?} is no batch end");
    }
    assert!(seen.contains(&Reading::Whole([1, 1])), "a reading between the batches was tried: {seen:?}");
    assert!(seen.contains(&Reading::Torn([1, 0])), "a reading inside of a batch was tried: {seen:?}");
}

/// 1 batch, 2 attempts, at most 3 preemptions: the second attempt begins after the first met the batch.
#[test]
fn a_second_attempt_is_no_less_whole() {
    for reading in readings(3, 1, 2) {
        let Reading::Whole([one, other]) = reading else { continue };
        assert!(one == other && [0, 1].contains(&one), "{reading:?} is no batch end");
    }
}
