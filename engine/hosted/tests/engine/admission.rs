//! Who is let in, changed while datagrams arrive.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use skua_engine::admission::{AdmissionConfig, Allow, Limits, Prefix, Rate, SourceRow};
use skua_engine::{Config, DropReason, SocketOptions};
use skua_hosted::{HostConfig, Indicated, Injected};

use crate::fixture::{Client, Policy, RecorderEngine};

/// Datagrams of one list.
const LIST: usize = 50;

fn source(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 5000))
}

/// A list in which `sources` take turns.
fn list(sources: &[u8]) -> Vec<Injected> {
    sources.iter().cycle().take(LIST).map(|&number| Injected::new(source(number), *b"eight by")).collect()
}

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second: NonZeroU32::new(per_second).unwrap(), burst: NonZeroU32::new(burst).unwrap() }
}

fn one_in(number: u32) -> Limits {
    Limits { sample: NonZeroU32::new(number).unwrap(), ..Limits::default() }
}

/// The rows of all sources and shards, added up.
fn rows(engine: &RecorderEngine) -> [u64; 4] {
    let mut sum = [0; 4];
    engine.admission().sources(|row: SourceRow| {
        let counts = [row.datagrams, row.bytes, row.rate_limited, row.sampled];
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    });
    sum
}

#[test]
fn every_datagram_is_accounted_for_while_rules_and_limits_change() {
    let client = Client::new(HostConfig::loopback(3));
    let config =
        Config { admission: AdmissionConfig { rows: 32, ..AdmissionConfig::default() }, ..Config::default() };
    let (engine, ends) = client.engine(Policy::Consume, &config);
    let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:9".parse().unwrap()));
    let local = socket.local_address();
    let over = AtomicBool::new(false);
    let lists = [const { AtomicU64::new(0) }; 2];
    let changes = 200_u32;
    thread::scope(|scope| {
        for (processor, lists) in (0..).zip(&lists) {
            let (kernel, over) = (&client.kernel, &over);
            let prepared = kernel.prepare(&local, &list(&[1, 2, 3, 4, 5])).unwrap();
            scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    assert_eq!(prepared.indicate(processor), Indicated::Consumed);
                    lists.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        let two = [1, 2].map(|number| Prefix::new(source(number).ip(), 32).unwrap());
        for change in 0..changes {
            let before: Vec<u64> = lists.iter().map(|lists| lists.load(Ordering::Acquire)).collect();
            let limited = Limits { rate: Some(rate(1000, 1 + change % 7)), ..one_in(1 + change % 3) };
            let limits = if change % 5 == 0 { Limits::default() } else { limited };
            engine.admission().set_limits(&limits).unwrap();
            let allow = if change % 4 == 0 { Allow::Only(&two) } else { Allow::Everyone };
            engine.admission().replace(allow).unwrap();
            // Each comes to be in force on both processors.
            while lists.iter().zip(&before).any(|(lists, before)| lists.load(Ordering::Acquire) < before + 2)
            {
                thread::yield_now();
            }
        }
        over.store(true, Ordering::Release);
    });

    let stats = engine.stats();
    let indicated: u64 = lists.iter().map(|lists| lists.load(Ordering::Acquire) * LIST as u64).sum();
    assert_eq!(stats.indicated, indicated);
    assert!(stats.balances() && stats.exact, "{stats:?}");
    let [not_allowed, rate_limited, sampled] =
        [DropReason::NotAllowed, DropReason::RateLimited, DropReason::Sampled]
            .map(|reason| stats.dropped(reason));
    assert_eq!(stats.accepted + not_allowed + rate_limited + sampled, indicated);
    assert!(stats.accepted > 0 && not_allowed > 0 && rate_limited > 0 && sampled > 0, "{stats:?}");
    assert_eq!(engine.admission().not_allowed(), not_allowed);
    let counted = indicated - not_allowed;
    assert_eq!(rows(&engine), [counted, 8 * counted, rate_limited, sampled]);
    assert_eq!(ends.seen.try_iter().count() as u64, stats.accepted);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn limits_come_and_go_while_a_socket_is_open() {
    let client = Client::new(HostConfig::loopback(1));
    let admission = AdmissionConfig { rows: 16, ..AdmissionConfig::default() };
    let (engine, ends) = client.engine(Policy::Consume, &Config { admission, ..Config::default() });
    let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:9".parse().unwrap()));
    // One list is one moment, so that what passes of it is what its bucket holds.
    let passed = |number: u8| {
        let list = list(&[number]);
        assert_eq!(client.kernel.inject(&socket.local_address(), 0, &list), Indicated::Consumed);
        ends.seen.try_iter().count()
    };
    assert_eq!(passed(1), LIST);
    let seven = Limits { rate: Some(rate(1, 7)), ..Limits::default() };
    engine.admission().set_limits(&seven).unwrap();
    assert_eq!(passed(1), 7, "heard before there was a rate");
    assert_eq!(passed(2), 7, "not heard before");
    engine.admission().set_limits(&one_in(5)).unwrap();
    assert_eq!(passed(1), LIST / 5);
    engine.admission().set_limits(&one_in(2)).unwrap();
    assert_eq!(passed(1), LIST / 2);
    engine.admission().set_limits(&Limits::default()).unwrap();
    assert_eq!(passed(1), LIST);
    let stats = engine.stats();
    assert_eq!(stats.dropped(DropReason::RateLimited), 2 * (LIST as u64 - 7));
    assert_eq!(stats.dropped(DropReason::Sampled), (LIST - LIST / 5 + LIST / 2) as u64);
    assert!(stats.balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn without_rows_the_gate_comes_and_goes_with_the_limits() {
    let client = Client::new(HostConfig::loopback(1));
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:9".parse().unwrap()));
    let passed = || {
        client.kernel.inject(&socket.local_address(), 0, &list(&[1, 2]));
        ends.seen.try_iter().count()
    };
    let together = Limits { other_rate: Some(rate(1, 9)), ..Limits::default() };
    for (limits, expected, counted) in
        [(Limits::default(), LIST, 0), (together, 9, LIST as u64), (Limits::default(), LIST, LIST as u64)]
    {
        engine.admission().set_limits(&limits).unwrap();
        assert_eq!(engine.admission().is_passthrough(), limits == Limits::default());
        assert_eq!(passed(), expected);
        assert_eq!(rows(&engine)[0], counted, "counted where there is a limit");
    }
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn the_first_rule_counts_a_sender_whichever_let_the_one_before_in() {
    let prefix = |text: &str| {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    };
    let lists = [
        ["10.1.2.0/24", "10.1.0.0/16", "10.2.0.0/16"].map(prefix),
        ["10.1.2.0/24", "10.1.3.0/24", "10.2.0.0/16"].map(prefix),
    ];
    let sources: Vec<std::net::IpAddr> =
        ["10.1.3.1", "10.1.2.1", "10.9.0.1", "10.2.0.1", "10.1.3.2", "10.1.3.3"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
    for list in lists {
        let client = Client::new(HostConfig::loopback(1));
        let allow = Allow::Only(&list);
        let admission = AdmissionConfig { allow, ..Default::default() };
        let (engine, _ends) = client.engine(Policy::Consume, &Config { admission, ..Config::default() });
        let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:0".parse().unwrap()));
        let datagrams: Vec<_> =
            sources.iter().map(|&source| Injected::new((source, 9).into(), b"x")).collect();
        client.kernel.inject(&socket.local_address(), 0, &datagrams);
        let first =
            |source| list.iter().position(|prefix| prefix.contains(&skua_engine::Address::from(source)));
        engine
            .admission()
            .rules(|rule| {
                let position = list.iter().position(|prefix| *prefix == rule.prefix);
                let hits = sources.iter().filter(|&&source| first(source) == position).count();
                assert_eq!(rule.hits, hits as u64, "{}", rule.prefix);
            })
            .unwrap();
        assert_eq!((engine.stats().accepted, engine.admission().not_allowed()), (5, 1));
        client.close(socket);
        drop(engine);
        client.finish();
    }
}

#[test]
fn whole_lists_that_one_rule_holds_are_counted_and_meet_every_change() {
    let client = Client::new(HostConfig::loopback(1));
    let prefixes = [1, 2].map(|number| Prefix::new(source(number).ip(), 32).unwrap());
    let [one, two] = prefixes;
    let admission = AdmissionConfig { allow: Allow::Only(&prefixes), ..AdmissionConfig::default() };
    let (engine, ends) = client.engine(Policy::Consume, &Config { admission, ..Config::default() });
    let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:9".parse().unwrap()));
    let passed = |sources: &[u8]| {
        client.kernel.inject(&socket.local_address(), 0, &list(sources));
        ends.seen.try_iter().count()
    };
    let hits = |prefix: Prefix| {
        let mut hits = None;
        engine
            .admission()
            .rules(|rule| hits = hits.or((rule.prefix == prefix).then_some(rule.hits)))
            .unwrap();
        hits
    };
    let lists = |count: usize| Some((count * LIST) as u64);
    assert_eq!([passed(&[1]), passed(&[1]), passed(&[2])], [LIST; 3]);
    assert_eq!([hits(one), hits(two)], [lists(2), lists(1)]);
    engine.admission().replace(Allow::Only(&[two])).unwrap();
    assert_eq!([passed(&[1]), passed(&[2]), passed(&[2])], [0, LIST, LIST]);
    assert_eq!([hits(one), hits(two)], [None, lists(3)]);
    engine.admission().replace(Allow::Only(&[two, one])).unwrap();
    assert_eq!([passed(&[2]), passed(&[1]), passed(&[1])], [LIST; 3]);
    assert_eq!([hits(one), hits(two)], [lists(2), lists(4)]);
    engine.admission().set_limits(&one_in(5)).unwrap();
    assert_eq!([passed(&[1]), passed(&[1])], [LIST / 5; 2]);
    engine.admission().set_limits(&Limits::default()).unwrap();
    assert_eq!([passed(&[1]), passed(&[1, 3]), passed(&[1])], [LIST, LIST / 2, LIST]);
    assert_eq!(hits(one), Some((6 * LIST + LIST / 2) as u64));
    engine.admission().replace(Allow::Everyone).unwrap();
    assert_eq!(passed(&[3]), LIST);
    assert!(engine.stats().balances());
    client.close(socket);
    drop(engine);
    client.finish();
}
