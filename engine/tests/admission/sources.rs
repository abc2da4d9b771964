//! The source table: nothing is lost, nothing is counted twice, whatever the addresses.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use skua_engine::admission::{Admission, AdmissionConfig, Source, SourceRow};
use skua_engine::{Address, DropReason};

use crate::pool::Pool;
use crate::{FREQUENCY, address, count, ipv4, ipv6, open, rate};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    datagrams: u64,
    bytes: u64,
    rate_limited: u64,
    sampled: u64,
}

impl Sum {
    fn count(&mut self, bytes: u32, verdict: Result<(), DropReason>) {
        self.datagrams += 1;
        self.bytes += u64::from(bytes);
        self.rate_limited += u64::from(verdict == Err(DropReason::RateLimited));
        self.sampled += u64::from(verdict == Err(DropReason::Sampled));
    }

    fn of(row: &SourceRow) -> Self {
        Self {
            datagrams: row.datagrams,
            bytes: row.bytes,
            rate_limited: row.rate_limited,
            sampled: row.sampled,
        }
    }

    fn add(&mut self, row: &SourceRow) {
        let row = Self::of(row);
        self.datagrams += row.datagrams;
        self.bytes += row.bytes;
        self.rate_limited += row.rate_limited;
        self.sampled += row.sampled;
    }
}

fn rows(admission: &Admission<Pool>) -> (Vec<SourceRow>, SourceRow) {
    let mut rows = Vec::new();
    assert_eq!(admission.sources(|row| rows.push(row)), 0, "between batches every row can be read");
    let other = rows.pop().unwrap();
    assert_eq!(other.source, Source::Other);
    (rows, other)
}

/// IPv4, IPv6, and addresses of few bits, which are what unused memory looks like.
fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        (0_u32..60).prop_map(ipv4),
        (0_u128..30).prop_map(|low| ipv6((0x2001_0db8 << 96) + low)),
        (0_u128..4).prop_map(|high| ipv6(high << 120)),
        (0_u128..4).prop_map(ipv6),
        Just(ipv6(u128::MAX)),
    ]
}

#[derive(Clone, Debug)]
struct Settings {
    rows: u32,
    limited: bool,
    sample: u32,
    idle: u64,
    seed: u64,
}

fn settings() -> impl Strategy<Value = Settings> {
    (0_u32..50, any::<bool>(), 1_u32..4, 0_u64..5, any::<u64>()).prop_map(
        |(rows, limited, sample, idle, seed)| Settings {
            rows,
            limited: limited && rows > 0,
            sample,
            idle,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn rows_and_other_together_are_all_datagrams(
        settings in settings(),
        batches in prop::collection::vec((0_u64..2_000, prop::collection::vec((addresses(), 0_u32..2000), 0..40)), 0..25),
    ) {
        // Times in ms: rows become idle and buckets fill within a few batches.
        let frequency = 1000;
        let limit = Some(rate(3, 4));
        let config = AdmissionConfig {
            rows: settings.rows,
            rate: limit.filter(|_| settings.limited),
            other_rate: limit,
            sample: count(settings.sample),
            idle: Duration::from_secs(settings.idle),
            seed: settings.seed,
            ..AdmissionConfig::default()
        };
        let admission = Admission::open(&Pool::default(), &config, 1, frequency).unwrap();
        let mut shard = admission.shard(0).unwrap();
        let (mut all, mut each) = (Sum::default(), HashMap::<Address, (Sum, u64, u64)>::new());
        let mut now = 0;
        for (step, datagrams) in batches {
            now += step;
            let mut gate = admission.begin(&mut shard, now).unwrap();
            for (source, _) in &datagrams {
                gate.prefetch(source);
            }
            for (source, bytes) in datagrams {
                let verdict = gate.admit(&source, bytes);
                all.count(bytes, verdict);
                let (sum, _, last) = each.entry(source).or_insert((Sum::default(), now, now));
                sum.count(bytes, verdict);
                *last = now;
            }
            drop(gate);

            let (rows, other) = rows(&admission);
            let mut sum = Sum::of(&other);
            rows.iter().for_each(|row| sum.add(row));
            prop_assert_eq!(sum, all);

            for (index, row) in rows.iter().enumerate() {
                let Source::Address(source) = row.source else { panic!("other comes last") };
                prop_assert!(rows[..index].iter().all(|earlier| earlier.source != row.source), "one row a source");
                let (sum, first, last) = each[&source];
                prop_assert!(row.datagrams > 0 && row.datagrams <= sum.datagrams && row.bytes <= sum.bytes);
                prop_assert!(first <= row.first && row.first <= row.last && row.last <= last);
                if other.datagrams == 0 {
                    prop_assert_eq!(Sum::of(row), sum);
                    prop_assert_eq!((row.first, row.last), (first, last));
                }
            }
            if settings.rows == 0 {
                prop_assert!(rows.is_empty());
            }
            if other.datagrams > 0 {
                prop_assert!(other.first <= other.last && other.last <= now);
            }
            if other.datagrams == 0 {
                prop_assert_eq!(rows.len(), each.len());
            }
        }
    }
}

#[test]
fn a_silent_source_makes_room_and_leaves_its_counts_to_other() {
    let config = AdmissionConfig { rows: 16, idle: Duration::from_secs(10), ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    let mut hear = |source: u32, seconds: u64| {
        admission.begin(&mut shard, seconds * FREQUENCY).unwrap().admit(&ipv4(source), 100).unwrap();
    };
    (0..16).for_each(|source| hear(source, 0));
    (1..16).for_each(|source| hear(source, 5));

    hear(100, 9);
    let (kept, other) = rows(&admission);
    assert_eq!(
        (kept.len(), other.datagrams, admission.aged_out()),
        (16, 1, 0),
        "nobody was silent for 10 s yet"
    );

    hear(100, 10);
    let (kept, other) = rows(&admission);
    assert!(kept.iter().all(|row| row.source != Source::Address(ipv4(0))));
    let newcomer = kept.iter().find(|row| row.source == Source::Address(ipv4(100))).unwrap();
    assert_eq!((newcomer.datagrams, newcomer.first), (1, 10 * FREQUENCY));
    assert_eq!((other.datagrams, other.bytes, admission.aged_out()), (2, 200, 1));
    assert_eq!((other.first, other.last), (0, 9 * FREQUENCY));

    hear(0, 14);
    assert_eq!(rows(&admission).1.datagrams, 3, "all others spoke at 5 s or later");
}

#[test]
fn an_established_source_keeps_its_row_in_a_flood_of_others() {
    let config = AdmissionConfig {
        rows: 256,
        rate: Some(rate(1000, 1000)),
        other_rate: Some(rate(1, 1)),
        seed: 7,
        ..AdmissionConfig::default()
    };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    let friend = address("192.0.2.1");
    gate.admit(&friend, 1).unwrap();
    let passed = (0..50_000).filter(|&number| gate.admit(&ipv4(number), 1).is_ok()).count();
    assert!(
        passed <= 256,
        "{passed} of 50,000 strangers passed: one each for the rows they took, and one more"
    );
    assert_eq!(gate.admit(&friend, 1), Ok(()));
    drop(gate);
    let (rows, other) = rows(&admission);
    assert_eq!(rows.iter().find(|row| row.source == Source::Address(friend)).unwrap().datagrams, 2);
    assert_eq!(rows.len() as u64 - 1 + other.datagrams, 50_000);
}

#[test]
fn sources_share_a_row_by_64_bits_if_that_is_asked_for() {
    for fold_ipv6 in [false, true] {
        let config = AdmissionConfig { rows: 64, fold_ipv6, ..AdmissionConfig::default() };
        let (admission, mut shard) = open(&config);
        let mut gate = admission.begin(&mut shard, 0).unwrap();
        for text in ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2", "::1", "::2"]
        {
            gate.admit(&address(text), 1).unwrap();
        }
        drop(gate);
        let mut shown: Vec<_> = rows(&admission).0.iter().map(|row| (row.source, row.datagrams)).collect();
        shown.sort();
        let expected: &[(&str, u64)] = if fold_ipv6 {
            &[("::", 2), ("192.0.2.1", 1), ("192.0.2.2", 1), ("2001:db8::", 2), ("2001:db8:0:1::", 1)]
        } else {
            &[
                ("::1", 1),
                ("::2", 1),
                ("192.0.2.1", 1),
                ("192.0.2.2", 1),
                ("2001:db8::1", 1),
                ("2001:db8::2", 1),
                ("2001:db8:0:1::1", 1),
            ]
        };
        let expected: Vec<_> =
            expected.iter().map(|&(text, datagrams)| (Source::Address(address(text)), datagrams)).collect();
        assert_eq!(shown, expected);
    }
}

#[test]
fn rows_of_one_source_merge_over_the_shards() {
    let config = AdmissionConfig { rows: 8, ..AdmissionConfig::default() };
    let admission = Admission::open(&Pool::default(), &config, 3, FREQUENCY).unwrap();
    for index in 0..3_u32 {
        let mut shard = admission.shard(index).unwrap();
        for now in [10 - u64::from(index), 20 + u64::from(index)] {
            admission.begin(&mut shard, now).unwrap().admit(&ipv4(1), 100 + index).unwrap();
        }
    }
    let mut all: Vec<SourceRow> = Vec::new();
    admission.sources(|row| {
        if !all.iter_mut().any(|merged| merged.merge(&row)) {
            all.push(row);
        }
    });
    assert_eq!(all.len(), 2, "one source and other");
    let row = all[0];
    assert_eq!((row.source, row.datagrams, row.bytes), (Source::Address(ipv4(1)), 6, 606));
    assert_eq!((row.first, row.last), (8, 22));
    assert_eq!((all[1].source, all[1].datagrams), (Source::Other, 0));
}
