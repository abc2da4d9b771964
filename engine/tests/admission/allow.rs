//! The allow-list: membership, hits of each rule, refusals.

use proptest::prelude::*;
use skua_engine::admission::{AdmissionConfig, Allow, Prefix, Source};
use skua_engine::{Address, DropReason};

use crate::{address, ipv4, ipv6, open, prefix};

/// Addresses of a small world, so that prefixes meet addresses: 10.0.0.0/28 and 2001:db8::/124, and both ends of each
/// family.
fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        (0_u32..16).prop_map(|low| ipv4(0x0a00_0000 + low)),
        (0_u128..16).prop_map(|low| ipv6((0x2001_0db8 << 96) + low)),
        Just(address("0.0.0.0")),
        Just(address("255.255.255.255")),
        Just(address("::")),
        Just(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
    ]
}

fn prefixes() -> impl Strategy<Value = Prefix> {
    (addresses(), any::<u8>(), 0_u8..8).prop_map(|(address, short, host_bits)| {
        let address = std::net::IpAddr::from(address);
        let max = if address.is_ipv4() { 32 } else { 128 };
        let length = if short < 40 { short % (max + 1) } else { max - host_bits };
        Prefix::containing(address, length).unwrap()
    })
}

proptest! {
    #[test]
    fn the_first_rule_that_holds_a_source_lets_it_in_and_counts_it(
        list in prop::collection::vec(prefixes(), 0..12),
        sources in prop::collection::vec(addresses(), 0..60),
    ) {
        let config =
            AdmissionConfig { allow: Allow::Only(&list), allow_capacity: 12, rows: 64, ..AdmissionConfig::default() };
        let (admission, mut shard) = open(&config);
        let mut gate = admission.begin(&mut shard, 0).unwrap();
        let mut hits = vec![0; list.len()];
        let mut refused = 0;
        for source in &sources {
            let first = list.iter().position(|prefix| prefix.contains(source));
            prop_assert_eq!(gate.admit(source, 1), first.map(|_| ()).ok_or(DropReason::NotAllowed));
            match first {
                Some(first) => hits[first] += 1,
                None => refused += 1,
            }
        }
        drop(gate);
        prop_assert_eq!(admission.not_allowed(), refused);
        let mut shown = 0;
        admission.rules(|rule| {
            shown += 1;
            // A duplicate is never first, so the rule's hits are those of the first of its kind.
            let first = list.iter().position(|prefix| *prefix == rule.prefix).unwrap();
            assert_eq!(rule.hits, hits[first], "{:?}", rule.prefix);
        }).unwrap();
        let mut distinct: Vec<_> = list.iter().map(Prefix::to_string).collect();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(shown, distinct.len());

        // Who was refused has no row and counts in none.
        let mut remembered = 0;
        admission.sources(|row| {
            remembered += row.datagrams;
            if let Source::Address(source) = row.source {
                assert!(list.iter().any(|prefix| prefix.contains(&source)));
            }
        });
        prop_assert_eq!(remembered, hits.iter().sum::<u64>());
    }
}

#[test]
fn strangers_do_not_fill_the_table() {
    let list = [prefix("10.0.0.0/8")];
    let config = AdmissionConfig { allow: Allow::Only(&list), rows: 16, ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    for number in 0..100_000 {
        assert_eq!(gate.admit(&ipv4(0xc000_0000 + number), 1), Err(DropReason::NotAllowed));
    }
    assert_eq!(gate.admit(&address("10.1.2.3"), 9), Ok(()));
    drop(gate);
    let mut rows = Vec::new();
    admission.sources(|row| rows.push((row.source, row.datagrams)));
    assert_eq!(rows, [(Source::Address(address("10.1.2.3")), 1), (Source::Other, 0)]);
    assert_eq!(admission.not_allowed(), 100_000);
}

#[test]
fn hits_are_added_up_over_the_shards() {
    use crate::FREQUENCY;
    use crate::pool::Pool;
    use skua_engine::admission::Admission;
    let list = [prefix("10.0.0.0/8"), prefix("2001:db8::/32")];
    let config = AdmissionConfig { allow: Allow::Only(&list), ..AdmissionConfig::default() };
    let admission = Admission::open(&Pool::default(), &config, 3, FREQUENCY).unwrap();
    for index in 0..3 {
        let mut shard = admission.shard(index).unwrap();
        let mut gate = admission.begin(&mut shard, 0).unwrap();
        for _ in 0..=index {
            gate.admit(&address("2001:db8::1"), 1).unwrap();
        }
    }
    let mut hits = Vec::new();
    admission.rules(|rule| hits.push(rule.hits)).unwrap();
    assert_eq!(hits, [0, 6]);
}
