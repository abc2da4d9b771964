//! Coalesced buffers reach the handler as the datagrams they were joined of.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use proptest::prelude::*;
use skua_engine::admission::AdmissionConfig;
use skua_engine::{BeyondBudget, Config, DropReason, Info, Retention, SendOptions, SocketOptions, Wanted};
use skua_hosted::{Control, Facts, HostConfig, Indicated, Injected};
use skua_record::RecordFlags;

use crate::fixture::{Client, Ends, Policy, RecorderEngine, Socket, wait_for};

const SOURCE: &str = "192.0.2.7:4000";

/// A socket that asked for coalesced buffers, on the loopback transport.
struct Bench {
    client: Client,
    engine: RecorderEngine,
    ends: Ends<skua_hosted::HostKernel>,
    socket: Socket,
}

fn options() -> SocketOptions<'static> {
    let wanted = Wanted { coalesced: Info::Required, ..Wanted::default() };
    SocketOptions { wanted, ..SocketOptions::new("127.0.0.1:0".parse().unwrap()) }
}

impl Bench {
    fn new(policy: Policy, config: &Config<'_>) -> Self {
        let client = Client::new(HostConfig::loopback(2));
        let (engine, ends) = client.engine(policy, config);
        let socket = client.listen(&engine, &options());
        Self { client, engine, ends, socket }
    }

    fn inject(&self, datagrams: &[Injected]) -> Indicated {
        self.client.kernel.inject(&self.socket.local_address(), 1, datagrams)
    }

    fn finish(self) {
        let Self { client, engine, socket, ends } = self;
        assert!(engine.stats().balances());
        drop(ends);
        client.close(socket);
        drop(engine);
        client.finish();
    }
}

/// A buffer of datagrams of `size` bytes, laid over MDLs as given.
fn joined(parts: Vec<Vec<u8>>, size: u32) -> Injected {
    let facts = Facts {
        destination: Some(("192.0.2.1".parse().unwrap(), 3)),
        type_of_service: Some(0xb8),
        coalesced: Some(size),
        ..Facts::default()
    };
    let source: SocketAddr = SOURCE.parse().unwrap();
    Injected { parts, control: Control::Facts(facts), ..Injected::new(source, Vec::new()) }
}

fn alone(payload: &[u8]) -> Injected {
    Injected::new(SOURCE.parse::<SocketAddr>().unwrap(), payload)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..=250_u8).cycle().step_by(31).take(length).collect()
}

#[test]
fn each_part_is_a_datagram_of_its_own_where_it_lies() {
    let bench = Bench::new(Policy::Consume, &Config::default());
    let bytes = pattern(1050);
    assert_eq!(
        bench.inject(&[alone(b"before"), joined(vec![bytes.clone()], 100), alone(b"after")]),
        Indicated::Consumed
    );
    assert_eq!(bench.ends.next().payload, b"before");
    let mut address = None;
    for part in bytes.chunks(100) {
        let seen = bench.ends.next();
        assert_eq!(seen.payload, part);
        assert_eq!(seen.remote.to_string(), SOURCE);
        assert_eq!((seen.local.ip().to_string().as_str(), seen.interface), ("192.0.2.1", 3));
        assert_eq!((seen.type_of_service, seen.flags), (0xb8, RecordFlags::COALESCED));
        assert!(address.is_none_or(|before| seen.address == before + 100), "a copy");
        address = Some(seen.address);
    }
    let after = bench.ends.next();
    assert_eq!((after.payload.as_slice(), after.flags), (&b"after"[..], RecordFlags::empty()));
    let stats = bench.engine.stats();
    assert_eq!((stats.indicated, stats.accepted, stats.bytes), (13, 13, 1050 + 11));
    bench.finish();
}

#[test]
fn a_buffer_of_more_datagrams_than_a_batch_takes_is_handed_on_whole() {
    let bench = Bench::new(Policy::Consume, &Config::default());
    let bytes = pattern(65_000);
    let list = [joined(vec![bytes.clone()], 64), alone(b"between"), joined(vec![bytes.clone()], 999)];
    assert_eq!(bench.inject(&list), Indicated::Consumed);
    for part in bytes.chunks(64).chain([&b"between"[..]]).chain(bytes.chunks(999)) {
        assert_eq!(bench.ends.next().payload, part);
    }
    let stats = bench.engine.stats();
    assert_eq!(stats.accepted, (65_000_u64.div_ceil(64)) + 1 + 65_000_u64.div_ceil(999));
    bench.finish();
}

#[test]
fn a_buffer_that_holds_one_datagram_is_that_datagram() {
    let retention = Retention { datagrams: 9, bytes: 1 << 20, ..Retention::default() };
    let bench = Bench::new(Policy::Retain, &Config { retention, ..Config::default() });
    let list = [joined(vec![b"four".to_vec()], 4), joined(vec![b"four".to_vec()], 5), joined(Vec::new(), 7)];
    assert_eq!(bench.inject(&list), Indicated::Retained);
    for payload in [&b"four"[..], b"four", b""] {
        let seen = bench.ends.next();
        assert_eq!((seen.payload.as_slice(), seen.flags), (payload, RecordFlags::empty()));
        assert!(bench.ends.next_retained().is_lent());
    }
    bench.finish();
}

#[test]
fn a_size_of_zero_and_a_length_beyond_the_chain_are_malformed_and_spare_their_neighbours() {
    let bench = Bench::new(Policy::Consume, &Config::default());
    let beyond = Injected { length: Some(1001), ..joined(vec![pattern(1000)], 10) };
    bench.inject(&[joined(vec![pattern(1000)], 0), beyond, alone(b"good")]);
    assert_eq!(bench.ends.next().payload, b"good");
    let stats = bench.engine.stats();
    assert_eq!((stats.indicated, stats.dropped(DropReason::Malformed)), (3, 2));
    bench.finish();
}

#[test]
fn a_part_that_is_kept_is_copied_and_its_neighbours_stay_lent() {
    let retention = Retention {
        datagrams: 100,
        bytes: 1 << 20,
        beyond: BeyondBudget::Copy,
        copy_slots: 40,
        copy_bytes: 100,
    };
    let bench = Bench::new(Policy::Retain, &Config { retention, ..Config::default() });
    let bytes = pattern(40 * 100);
    // Its parts fill one round and begin the next.
    let list = [alone(b"before"), joined(vec![bytes.clone()], 100), alone(b"after")];
    assert_eq!(bench.inject(&list), Indicated::Retained);
    let first = bench.ends.next_retained();
    assert!(first.is_lent());
    for part in bytes.chunks(100) {
        let kept = bench.ends.next_retained();
        let mut copy = vec![0; kept.payload().len()];
        kept.payload().copy_to(&mut copy);
        assert_eq!((copy.as_slice(), kept.is_lent()), (part, false));
    }
    assert!(bench.ends.next_retained().is_lent());
    drop(first);
    let stats = bench.engine.stats();
    assert_eq!((stats.indicated, stats.kept, stats.released), (42, 42, 42));
    bench.finish();
}

#[test]
fn without_slots_a_part_that_is_to_be_kept_is_beyond_the_budget() {
    let retention = Retention { datagrams: 100, bytes: 1 << 20, ..Retention::default() };
    let bench = Bench::new(Policy::Retain, &Config { retention, ..Config::default() });
    assert_eq!(bench.inject(&[joined(vec![pattern(1000)], 100)]), Indicated::Consumed);
    assert_eq!(bench.engine.stats().dropped(DropReason::RetainBudget), 10);
    bench.finish();
}

#[test]
fn parts_are_sampled_and_refused_one_each() {
    let admission = AdmissionConfig { sample: NonZeroU32::new(3).unwrap(), ..AdmissionConfig::default() };
    let bench = Bench::new(Policy::Consume, &Config { admission, ..Config::default() });
    let bytes = pattern(1000);
    bench.inject(&[joined(vec![bytes.clone()], 10)]);
    for part in bytes.chunks(10).step_by(3) {
        assert_eq!(bench.ends.next().payload, part);
    }
    let stats = bench.engine.stats();
    assert_eq!((stats.indicated, stats.accepted, stats.dropped(DropReason::Sampled)), (100, 34, 66));
    bench.finish();
}

#[test]
fn parts_that_come_after_the_stop_are_counted_one_each() {
    let bench = Bench::new(Policy::Consume, &Config::default());
    let address = bench.socket.local_address();
    let list = [joined(vec![pattern(1000)], 300), alone(b"one")];
    let prepared = bench.client.kernel.prepare(&address, &list).unwrap();
    bench.socket.stop();
    prepared.indicate(1);
    assert_eq!(bench.engine.stats().dropped(DropReason::Closing), 5);
    drop(prepared);
    bench.finish();
}

#[test]
fn a_length_that_no_memory_has_is_one_datagram_also_after_the_stop() {
    let bench = Bench::new(Policy::Consume, &Config::default());
    let address = bench.socket.local_address();
    let endless = || Injected { length: Some(usize::MAX), ..joined(vec![pattern(1000)], 1) };
    bench.inject(&[endless(), endless()]);
    assert_eq!(bench.engine.stats().dropped(DropReason::Oversize), 2);
    let prepared = bench.client.kernel.prepare(&address, &[endless(), endless()]).unwrap();
    bench.socket.stop();
    prepared.indicate(1);
    assert_eq!(bench.engine.stats().dropped(DropReason::Closing), 2);
    drop(prepared);
    bench.finish();
}

#[test]
fn what_has_an_impossible_length_is_given_back_beside_what_is_kept() {
    let retention = Retention { datagrams: 9, bytes: 1 << 20, ..Retention::default() };
    let client = Client::new(HostConfig::loopback(1));
    let (engine, ends) = client.engine(Policy::Retain, &Config { retention, ..Config::default() });
    let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:0".parse().unwrap()));
    // Offset and length together are a number that the buffer has.
    let wrapping = Injected { offset: 1, length: Some(usize::MAX), ..alone(b"wraps") };
    let list = [wrapping, alone(b"kept")];
    let prepared = client.kernel.prepare(&socket.local_address(), &list).unwrap();
    for round in 1..=3 {
        assert_eq!(prepared.indicate(0), Indicated::Retained);
        assert_eq!(engine.stats().dropped(DropReason::Oversize), round);
        drop(ends.next_retained());
    }
    assert!(engine.stats().balances());
    drop(prepared);
    drop(ends);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn parts_that_lack_what_was_asked_for_are_counted_one_each() {
    let wanted = Wanted {
        coalesced: Info::Required,
        hop_limit: Info::Required,
        timestamp: Info::Wanted,
        ..Wanted::default()
    };
    let client = Client::new(HostConfig::loopback(1));
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &SocketOptions { wanted, ..options() });
    let facts = |hop_limit| Facts { coalesced: Some(100), hop_limit, ..Facts::default() };
    let list = [None, Some(9)]
        .map(|hop_limit| Injected { control: Control::Facts(facts(hop_limit)), ..alone(&pattern(950)) });
    assert_eq!(client.kernel.inject(&socket.local_address(), 0, &list), Indicated::Consumed);
    let stats = engine.stats();
    assert_eq!((stats.indicated, stats.accepted, stats.dropped(DropReason::MissingInfo)), (20, 10, 10));
    assert_eq!(stats.without_info, 10);
    assert!(stats.balances());
    drop(ends);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn what_a_stack_joined_arrives_as_it_was_sent() {
    let client = Client::new(HostConfig::loopback(1));
    let config = Config { send_slots: 4, send_bytes: 8000, ..Config::default() };
    let (engine, ends) = client.engine(Policy::Consume, &config);
    let receiver = client.listen(&engine, &options());
    let sender = client.listen(&engine, &SocketOptions::new("127.0.0.1:0".parse().unwrap()));
    let bytes = pattern(8000);
    let segment = SendOptions { segment: Some(500), ..SendOptions::default() };
    let sent = sender.send_batch(receiver.local_address(), &segment, |batch| batch.push(&bytes));
    assert!(matches!(sent, Ok((Ok(()), 1))), "{sent:?}");
    for part in bytes.chunks(500) {
        assert_eq!(ends.next().payload, part);
    }
    let stats = wait_for(&engine, |stats| stats.accepted == 16 && stats.sends_outstanding() == 0);
    assert_eq!(stats.indicated, 16);
    for socket in [receiver, sender] {
        client.close(socket);
    }
    drop(engine);
    client.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_are_whole_however_the_mdls_lie(
        spans in prop::collection::vec(0_usize..400, 1..12),
        size in 1_u32..700,
        offset in 0_u32..50,
        unmapped in any::<bool>(),
    ) {
        let bench = Bench::new(Policy::Consume, &Config::default());
        let whole = pattern(spans.iter().sum());
        let mut rest = whole.as_slice();
        let parts = spans.iter().map(|&length| {
            let (part, behind) = rest.split_at(length);
            rest = behind;
            part.to_vec()
        });
        let parts: Vec<_> = parts.collect();
        let offset = offset.min(u32::try_from(spans[0]).unwrap());
        let bytes = &whole[offset as usize..];
        bench.inject(&[Injected { offset, unmapped, ..joined(parts, size) }]);
        for part in bytes.chunks(size as usize) {
            prop_assert_eq!(&bench.ends.next().payload, part);
        }
        bench.finish();
    }
}
