//! Sizes, refusals and memory at open.

use std::time::Duration;

use proptest::prelude::*;
use skua_engine::admission::{Admission, AdmissionConfig, AdmissionError, Allow, ReplaceError};

use crate::pool::Pool;
use crate::{FREQUENCY, count, ipv4, open, prefix, rate};

proptest! {
    #[test]
    fn open_asks_for_what_bytes_says_and_gives_it_back(rows in 0_u32..300, allow_capacity in 0_u32..100, shards in 0_u32..5) {
        let config = AdmissionConfig { rows, allow_capacity, ..AdmissionConfig::default() };
        let pool = Pool::default();
        let admission = Admission::open(&pool, &config, shards, FREQUENCY).unwrap();
        prop_assert_eq!(pool.asked(), Admission::<Pool>::bytes(&config, shards).unwrap());
        for index in 0..shards {
            prop_assert!(admission.shard(index).is_some());
            prop_assert!(admission.shard(index).is_none(), "a shard has one part");
        }
        prop_assert!(admission.shard(shards).is_none());
        drop(admission);
        prop_assert_eq!(pool.held(), 0);
    }
}

#[test]
fn refused_memory_is_an_error_and_holds_nothing() {
    let config = AdmissionConfig { rows: 64, ..AdmissionConfig::default() };
    let all = Pool::default();
    drop(Admission::open(&all, &config, 2, FREQUENCY).unwrap());
    assert!(all.requests() > 0);
    for index in 0..all.requests() {
        let pool = Pool::refusing(index);
        let error = Admission::open(&pool, &config, 2, FREQUENCY).err().unwrap();
        assert!(matches!(error, AdmissionError::OutOfMemory(_)), "{error}");
        assert_eq!(pool.held(), 0);
    }
}

#[test]
fn sizes_beyond_the_limits_are_errors_that_name_them() {
    let pool = Pool::default();
    let limits = [
        (AdmissionConfig { rows: (1 << 24) + 1, ..AdmissionConfig::default() }, "16777216"),
        (AdmissionConfig { allow_capacity: 4097, ..AdmissionConfig::default() }, "4096"),
    ];
    for (config, limit) in limits {
        let error = Admission::open(&pool, &config, 1, FREQUENCY).err().unwrap();
        assert!(error.to_string().contains(limit), "{error}");
        assert_eq!(Admission::<Pool>::bytes(&config, 1), Err(error));
    }
    let largest = AdmissionConfig { rows: 1 << 24, allow_capacity: 4096, ..AdmissionConfig::default() };
    assert!(Admission::<Pool>::bytes(&largest, 1).unwrap() > 640 << 21);
    assert!(Admission::<Pool>::bytes(&largest, u32::MAX).unwrap() > 1 << 62, "counted, if not to be had");
    assert_eq!(pool.requests(), 0);
}

#[test]
fn settings_that_contradict_each_other_are_errors() {
    let (pool, limit) = (Pool::default(), Some(rate(10, u32::MAX)));
    let refused =
        |config: &AdmissionConfig<'_>, frequency| Admission::open(&pool, config, 1, frequency).err().unwrap();

    let without_rows = AdmissionConfig { rate: limit, ..AdmissionConfig::default() };
    assert_eq!(refused(&without_rows, FREQUENCY), AdmissionError::RateWithoutRows);

    let limited = AdmissionConfig { rows: 8, ..without_rows };
    assert!(Admission::open(&pool, &limited, 1, 1 << 31).is_ok(), "the largest clock for the largest burst");
    let burst = AdmissionError::Burst { burst: count(u32::MAX), max: u64::MAX / 2 / (1 << 32) };
    assert_eq!(refused(&limited, 1 << 32), burst);
    let other = AdmissionConfig { rate: None, other_rate: limit, ..limited };
    assert_eq!(refused(&other, 1 << 32), burst);

    assert_eq!(refused(&AdmissionConfig::default(), 0), AdmissionError::Clock);
}

#[test]
fn a_list_beyond_its_capacity_is_an_error_and_duplicates_are_not() {
    let pool = Pool::default();
    let lists = [prefix("10.0.0.0/8"), prefix("10.0.0.0/8"), prefix("2001:db8::/32"), prefix("192.0.2.0/24")];
    let config =
        AdmissionConfig { allow: Allow::Only(&lists), allow_capacity: 2, ..AdmissionConfig::default() };
    let error = Admission::open(&pool, &config, 1, FREQUENCY).err();
    assert_eq!(error, Some(AdmissionError::TooManyRules { given: 4, capacity: 2 }));
    assert_eq!(pool.held(), 0);

    let config = AdmissionConfig { allow_capacity: 3, ..config };
    let admission = Admission::open(&pool, &config, 1, FREQUENCY).unwrap();
    let mut shown = Vec::new();
    admission.rules(|rule| shown.push(rule.prefix.to_string())).unwrap();
    assert_eq!(shown, ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]);
}

#[test]
fn without_capacity_there_is_everyone_or_nobody() {
    let nobody = Allow::Only(&[]);
    let config = AdmissionConfig { allow: nobody, allow_capacity: 0, ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    assert!(admission.begin(&mut shard, 0).unwrap().admit(&ipv4(1), 1).is_err());
    admission.replace(Allow::Everyone).unwrap();
    assert!(admission.begin(&mut shard, 0).unwrap().admit(&ipv4(1), 1).is_ok());
    let one = [prefix("10.0.0.0/8")];
    let error = admission.replace(Allow::Only(&one)).unwrap_err();
    assert_eq!(error, ReplaceError::TooManyRules { given: 1, capacity: 0 });
    assert!(admission.begin(&mut shard, 0).unwrap().admit(&ipv4(1), 1).is_ok());
}

#[test]
fn a_gate_is_superfluous_exactly_when_nothing_is_refused_or_counted() {
    let nothing = AdmissionConfig::default();
    assert!(open(&nothing).0.is_passthrough());
    let one = [prefix("10.0.0.0/8")];
    let something = [
        AdmissionConfig { allow: Allow::Only(&one), ..nothing },
        AdmissionConfig { rows: 1, ..nothing },
        AdmissionConfig { other_rate: Some(rate(1, 1)), ..nothing },
        AdmissionConfig { sample: count(2), ..nothing },
    ];
    for config in something {
        assert!(!open(&config).0.is_passthrough());
    }

    let (admission, _) = open(&nothing);
    admission.replace(Allow::Only(&one)).unwrap();
    assert!(!admission.is_passthrough());
    admission.replace(Allow::Everyone).unwrap();
    assert!(admission.is_passthrough());
}

#[test]
fn the_part_of_another_admission_is_not_taken() {
    let config = AdmissionConfig::default();
    let (admission, _) = open(&config);
    let larger = Admission::open(&Pool::default(), &config, 2, FREQUENCY).unwrap();
    let mut stranger = larger.shard(1).unwrap();
    assert!(admission.begin(&mut stranger, 0).is_none());
}

#[test]
fn durations_beyond_the_clock_are_the_longest_there_are() {
    let config = AdmissionConfig { rows: 8, idle: Duration::MAX, ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    for number in 0..1000 {
        let _ = admission.begin(&mut shard, u64::MAX - 1).unwrap().admit(&ipv4(number), 1);
    }
    assert_eq!(admission.aged_out(), 0);
}
