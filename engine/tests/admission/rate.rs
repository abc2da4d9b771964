//! Token buckets against exact fractions.

use std::time::Duration;

use proptest::prelude::*;
use skua_engine::DropReason;
use skua_engine::admission::{Admission, AdmissionConfig, Rate};

use crate::pool::Pool;
use crate::{FREQUENCY, ipv4, open, rate};

/// A token bucket in exact fractions: tokens are `credits / frequency`.
struct Fractions {
    credits: u128,
    last: u128,
    rate: Rate,
    frequency: u128,
}

impl Fractions {
    fn new(rate: Rate, frequency: u64) -> Self {
        let frequency = u128::from(frequency);
        Self { credits: u128::from(rate.burst.get()) * frequency, last: 0, rate, frequency }
    }

    fn pass(&mut self, now: u64) -> bool {
        let now = u128::from(now).max(self.last);
        self.credits += (now - self.last) * u128::from(self.rate.per_second.get());
        self.credits = self.credits.min(u128::from(self.rate.burst.get()) * self.frequency);
        self.last = now;
        let passes = self.credits >= self.frequency;
        if passes {
            self.credits -= self.frequency;
        }
        passes
    }
}

/// Rates and clocks from slow to fast, with the ends of both ranges.
fn paces() -> impl Strategy<Value = (Rate, u64)> {
    let number = || prop_oneof![1_u32..5, 1_u32..2_000_000, Just(u32::MAX)];
    let frequency = prop_oneof![1_u64..4, Just(FREQUENCY), Just(1_000_000_000), Just(1 << 31)];
    (number(), number(), frequency)
        .prop_map(|(per_second, burst, frequency)| (rate(per_second, burst), frequency))
}

/// A step of the clock: none, about as long as a token takes, long, or backwards.
fn step(rate: Rate, frequency: u64) -> impl Strategy<Value = i64> {
    let token = i64::try_from(frequency / u64::from(rate.per_second.get()) + 1).unwrap();
    let fill = token.saturating_mul(rate.burst.get().into());
    prop_oneof![
        4 => Just(0),
        4 => 0..=token.saturating_mul(2),
        2 => 0..=fill.saturating_mul(2).min(i64::MAX / 1000),
        1 => -fill.min(i64::MAX / 1000)..=0,
    ]
}

fn arrivals() -> impl Strategy<Value = (Rate, u64, Vec<i64>)> {
    paces().prop_flat_map(|(rate, frequency)| {
        (Just(rate), Just(frequency), prop::collection::vec(step(rate, frequency), 0..300))
    })
}

proptest! {
    #[test]
    fn a_source_passes_exactly_what_its_bucket_pays_for((rate, frequency, steps) in arrivals(), start: u32) {
        let config = AdmissionConfig { rows: 8, rate: Some(rate), ..AdmissionConfig::default() };
        let admission = Admission::open(&Pool::default(), &config, 1, frequency).unwrap();
        let mut shard = admission.shard(0).unwrap();
        let mut model = Fractions::new(rate, frequency);
        let (mut now, mut latest) = (u64::from(start), 0);
        let mut passed: Vec<u64> = Vec::new();
        for step in steps {
            now = now.saturating_add_signed(step);
            latest = latest.max(now);
            let verdict = admission.begin(&mut shard, now).unwrap().admit(&ipv4(1), 100);
            prop_assert_eq!(verdict.is_ok(), model.pass(now));
            if verdict.is_ok() {
                passed.push(latest);
            } else {
                prop_assert_eq!(verdict, Err(DropReason::RateLimited));
            }
        }
        // The promise itself: in every span, no more than burst + rate * time.
        for (first, &begin) in passed.iter().enumerate() {
            for (last, &end) in passed.iter().enumerate().skip(first) {
                let beyond_burst = (last - first + 1).saturating_sub(rate.burst.get() as usize);
                prop_assert!(
                    beyond_burst as u128 * u128::from(frequency)
                        <= u128::from(end - begin) * u128::from(rate.per_second.get())
                );
            }
        }
    }
}

#[test]
fn coming_back_to_a_new_row_gains_nothing() {
    // Forty sources take turns at sixteen rows, which change hands as soon as they may.
    let (each, other) = (rate(1, 1), rate(1, 1));
    let config = AdmissionConfig {
        rows: 16,
        rate: Some(each),
        other_rate: Some(other),
        idle: Duration::ZERO,
        ..AdmissionConfig::default()
    };
    let (admission, mut shard) = open(&config);
    let mut passed = [0_u64; 40];
    let seconds = 20;
    for number in 0..seconds * 100 {
        let now = u64::from(number) * (FREQUENCY / 100);
        let source = number % 40;
        if admission.begin(&mut shard, now).unwrap().admit(&ipv4(source), 1).is_ok() {
            passed[source as usize] += 1;
        }
    }
    // Each sent 50: its own limit lets pass 21 of them, and so does the one that is shared.
    assert!(passed.iter().all(|&passed| passed <= 2 * (1 + u64::from(seconds))), "{passed:?}");
    // Those with a row pass with every third datagram, 1.2 s after the one before.
    assert!(passed.iter().filter(|&&passed| passed == 17).count() == 16, "{passed:?}");
}

#[test]
fn nothing_drifts_in_thirty_days() {
    // Neither the rate nor the steps divide the clock: rounding would add up.
    let (per_second, burst, frequency) = (3, 30, 10_000_019);
    let config =
        AdmissionConfig { rows: 8, rate: Some(rate(per_second, burst)), ..AdmissionConfig::default() };
    let admission = Admission::open(&Pool::default(), &config, 1, frequency).unwrap();
    let mut shard = admission.shard(0).unwrap();
    // The bucket is full at time 0 and emptied there, so that what comes later is what time earned.
    let mut passed = 0_u64;
    let mut now = 0_u64;
    while now < frequency * 86_400 * 30 {
        let mut gate = admission.begin(&mut shard, now).unwrap();
        while gate.admit(&ipv4(1), 1).is_ok() {
            passed += 1;
        }
        let earned = u128::from(now) * u128::from(per_second) / u128::from(frequency);
        assert_eq!(u128::from(passed), u128::from(burst) + earned);
        // Less than the 10 s in which the bucket fills, so that no token is forfeit.
        now += 5 * frequency + 12_345;
    }
}

#[test]
fn sources_without_a_row_share_one_limit() {
    let config = AdmissionConfig {
        rows: 16,
        rate: Some(rate(5, 2)),
        other_rate: Some(rate(5, 3)),
        ..AdmissionConfig::default()
    };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    let passed: Vec<_> = (0..1000).map(|source| gate.admit(&ipv4(source), 1).is_ok()).collect();
    drop(gate);
    // Sixteen get a row, three more pass, and the rest find the bucket empty.
    assert_eq!(passed.iter().filter(|&&passed| passed).count(), 16 + 3);
    let mut gate = admission.begin(&mut shard, FREQUENCY).unwrap();
    let again = (0..1000).filter(|&source| gate.admit(&ipv4(source), 1).is_ok()).count();
    assert_eq!(again, 16 + 3, "after a second all of these buckets have at least one token again");
}

#[test]
fn without_a_limit_of_their_own_sources_without_a_row_have_that_of_one_source() {
    let config = AdmissionConfig { rows: 16, rate: Some(rate(1, 2)), ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    assert_eq!((0..1000).filter(|&source| gate.admit(&ipv4(source), 1).is_ok()).count(), 16 + 2);
}

#[test]
fn without_rows_the_limit_is_over_all_sources() {
    let config = AdmissionConfig { other_rate: Some(rate(1, 10)), ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    assert_eq!((0..1000).filter(|&source| gate.admit(&ipv4(source), 1).is_ok()).count(), 10);
}

#[test]
fn every_shard_has_the_whole_limit() {
    let config = AdmissionConfig { rows: 8, rate: Some(rate(1, 4)), ..AdmissionConfig::default() };
    let admission = Admission::open(&Pool::default(), &config, 3, FREQUENCY).unwrap();
    for index in 0..3 {
        let mut shard = admission.shard(index).unwrap();
        let mut gate = admission.begin(&mut shard, 0).unwrap();
        assert_eq!((0..100).filter(|_| gate.admit(&ipv4(1), 1).is_ok()).count(), 4);
    }
}
