//! Replacing the allow-list.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use skua_engine::admission::{Admission, AdmissionConfig, AdmissionShard, Allow, Prefix, ReplaceError};

use crate::pool::Pool;
use crate::{FREQUENCY, address, ipv4, open, prefix};

fn hits(admission: &Admission<Pool>) -> HashMap<String, u64> {
    let mut hits = HashMap::new();
    admission.rules(|rule| assert!(hits.insert(rule.prefix.to_string(), rule.hits).is_none())).unwrap();
    hits
}

fn hear(admission: &Admission<Pool>, shard: &mut AdmissionShard, texts: &[&str]) -> Vec<bool> {
    let mut gate = admission.begin(shard, 0).unwrap();
    texts.iter().map(|text| gate.admit(&address(text), 1).is_ok()).collect()
}

fn expect(pairs: &[(&str, u64)]) -> HashMap<String, u64> {
    pairs.iter().map(|&(prefix, hits)| (prefix.to_owned(), hits)).collect()
}

#[test]
fn a_rule_keeps_its_hits_while_it_stays_on_the_list() {
    let [a, b, c, d] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "2001:db8::/32"].map(prefix);
    let (list_1, list_2, list_3) = ([a, b], [c, b, d], [a, d, c]);
    let config =
        AdmissionConfig { allow: Allow::Only(&list_1), allow_capacity: 3, ..AdmissionConfig::default() };
    let admission = Admission::open(&Pool::default(), &config, 2, FREQUENCY).unwrap();
    let (mut busy, mut idle) = (admission.shard(0).unwrap(), admission.shard(1).unwrap());
    let all = ["10.0.0.1", "172.16.0.1", "192.168.0.1", "2001:db8::1"];

    assert_eq!(hear(&admission, &mut busy, &all), [true, true, false, false]);
    assert_eq!(hear(&admission, &mut idle, &all), [true, true, false, false]);
    assert_eq!(hits(&admission), expect(&[("10.0.0.0/8", 2), ("172.16.0.0/12", 2)]));

    admission.replace(Allow::Only(&list_2)).unwrap();
    assert_eq!(
        hits(&admission),
        expect(&[("192.168.0.0/16", 0), ("172.16.0.0/12", 2), ("2001:db8::/32", 0)]),
        "before any shard has seen the list"
    );
    assert_eq!(hear(&admission, &mut busy, &all), [false, true, true, true]);
    assert_eq!(
        hits(&admission),
        expect(&[("192.168.0.0/16", 1), ("172.16.0.0/12", 3), ("2001:db8::/32", 1)])
    );

    // One shard slept through the second list: its hits of the first are not those of the rules that came after.
    admission.replace(Allow::Only(&list_3)).unwrap();
    assert_eq!(hits(&admission), expect(&[("10.0.0.0/8", 0), ("2001:db8::/32", 1), ("192.168.0.0/16", 1)]));
    assert_eq!(hear(&admission, &mut idle, &all), [true, false, true, true]);
    assert_eq!(hear(&admission, &mut busy, &all), [true, false, true, true]);
    assert_eq!(hits(&admission), expect(&[("10.0.0.0/8", 2), ("2001:db8::/32", 3), ("192.168.0.0/16", 3)]));
}

#[test]
fn a_batch_ends_under_the_list_that_it_began_with() {
    let (before, after) = ([prefix("10.0.0.0/8")], [prefix("192.168.0.0/16")]);
    let config = AdmissionConfig { allow: Allow::Only(&before), ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    for _ in 0..3 {
        // Three replacements: the table that this batch's list was copied from is written over meanwhile.
        admission.replace(Allow::Only(&after)).unwrap();
        assert!(gate.admit(&address("10.0.0.1"), 1).is_ok());
        assert!(gate.admit(&address("192.168.0.1"), 1).is_err());
    }
    drop(gate);
    assert_eq!(hear(&admission, &mut shard, &["10.0.0.1", "192.168.0.1"]), [false, true]);
}

#[test]
fn a_list_that_does_not_fit_changes_nothing() {
    let before = [prefix("10.0.0.0/8")];
    let config =
        AdmissionConfig { allow: Allow::Only(&before), allow_capacity: 2, ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    hear(&admission, &mut shard, &["10.0.0.1"]);
    let longer = ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"].map(prefix);
    let error = admission.replace(Allow::Only(&longer)).unwrap_err();
    assert_eq!(error, ReplaceError::TooManyRules { given: 3, capacity: 2 });
    assert_eq!(hear(&admission, &mut shard, &["10.0.0.1", "11.0.0.1", "12.0.0.1"]), [true, false, false]);
    assert_eq!(hits(&admission), expect(&[("10.0.0.0/8", 2)]));
    admission.replace(Allow::Only(&longer[1..])).unwrap();
    assert_eq!(hear(&admission, &mut shard, &["10.0.0.1", "11.0.0.1", "12.0.0.1"]), [false, true, true]);
}

/// How many different lists there are: list number k lets in 10.k.0.0/16 and nothing else.
const LISTS: u32 = 16;

fn list(number: u64) -> [Prefix; 3] {
    let network = |low: u32| {
        let number = u32::try_from(number % u64::from(LISTS)).unwrap();
        Prefix::new(std::net::Ipv4Addr::from(0x0a00_0000 + (number << 16) + low).into(), 17).unwrap()
    };
    // More than one rule, so that a list can be torn.
    [network(0), network(1 << 15), prefix("2001:db8::/32")]
}

/// Two shards that work, a reader and a replacer.
struct World {
    admission: Admission<Pool>,
    /// Replacements that were begun, and that returned.
    begun: AtomicU64,
    returned: AtomicU64,
    /// Lists that each shard saw, and that the reader did.
    seen: [AtomicU64; 3],
    over: AtomicBool,
}

impl World {
    /// One batch: which list it ran under.
    fn batch(&self, shard: &mut AdmissionShard) -> u64 {
        let at_least = self.returned.load(Ordering::SeqCst);
        let mut gate = self.admission.begin(shard, 0).unwrap();
        let mut let_in = |low: u32| -> Vec<u32> {
            (0..LISTS).filter(|k| gate.admit(&ipv4(0x0a00_0000 + (k << 16) + low), 1).is_ok()).collect()
        };
        let (lower, upper) = (let_in(1), let_in(1 + (1 << 15)));
        assert!(gate.admit(&address("2001:db8::1"), 1).is_ok(), "on every list");
        drop(gate);
        let at_most = self.begun.load(Ordering::SeqCst);
        assert_eq!(lower.len(), 1, "one list at a time");
        assert_eq!(lower, upper, "and the whole of it");
        // Which one it is, is known up to a multiple of LISTS.
        let list = u64::from(lower[0]);
        let fits = (at_least..=at_most).any(|number| number % u64::from(LISTS) == list);
        assert!(fits, "list {list} is none of {at_least}..={at_most}");
        list
    }

    fn work(&self, index: u32, seen: &AtomicU64) {
        let mut shard = self.admission.shard(index).unwrap();
        let mut latest = None;
        while !self.over.load(Ordering::SeqCst) {
            let list = Some(self.batch(&mut shard));
            if list != latest {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            latest = list;
        }
    }

    fn read(&self, seen: &AtomicU64) {
        while !self.over.load(Ordering::SeqCst) {
            let mut prefixes = Vec::new();
            if self.admission.rules(|rule| prefixes.push(rule.prefix)).is_ok() {
                let whole = (0..u64::from(LISTS)).any(|number| list(number)[..] == prefixes[..]);
                assert!(whole, "{prefixes:?} is not a list");
                seen.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

#[test]
fn shards_at_work_see_whole_lists_and_none_older_than_the_last_replaced() {
    let first = list(0);
    let config =
        AdmissionConfig { allow: Allow::Only(&first), allow_capacity: 3, ..AdmissionConfig::default() };
    let world = World {
        admission: Admission::open(&Pool::default(), &config, 2, FREQUENCY).unwrap(),
        begun: AtomicU64::new(0),
        returned: AtomicU64::new(0),
        seen: Default::default(),
        over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let [first, second, reader] = &world.seen;
        let threads = [
            scope.spawn(|| world.work(0, first)),
            scope.spawn(|| world.work(1, second)),
            scope.spawn(|| world.read(reader)),
        ];
        let enough =
            |number| number >= 2_000 && world.seen.iter().all(|seen| seen.load(Ordering::SeqCst) >= 20);
        // Until everybody saw enough, or failed.
        let mut number = 0;
        while !enough(number) && !threads.iter().any(|thread| thread.is_finished()) {
            number += 1;
            world.begun.store(number, Ordering::SeqCst);
            world.admission.replace(Allow::Only(&list(number))).unwrap();
            world.returned.store(number, Ordering::SeqCst);
            if number % 16 == 0 {
                thread::yield_now();
            }
        }
        world.over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn of_several_replacers_one_at_a_time_succeeds() {
    let config = AdmissionConfig { allow_capacity: 3, ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    thread::scope(|scope| {
        for offset in 0..3 {
            let admission = &admission;
            scope.spawn(move || {
                for number in 0..1_000 {
                    while let Err(error) = admission.replace(Allow::Only(&list(offset + number))) {
                        assert_eq!(error, ReplaceError::Busy);
                        thread::yield_now();
                    }
                }
            });
        }
    });
    // Whichever was last, it is whole.
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    let let_in = |number: &u32| gate.admit(&ipv4(0x0a00_0001 + (number << 16)), 1).is_ok();
    let last: Vec<_> = (0..LISTS).filter(let_in).collect();
    drop(gate);
    assert!((999..=1001).any(|number| last == [number % LISTS]), "{last:?}");
    assert_eq!(hits(&admission).len(), 3);
}
