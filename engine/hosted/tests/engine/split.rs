//! MDL chains of every shape, and what contradicts itself: indications made by hand.

use std::net::SocketAddr;

use proptest::prelude::*;
use skua_engine::{Config, DropReason, Info, Retention, SocketOptions, Wanted};
use skua_hosted::{Control, Facts, HostConfig, Indicated, Injected};

use crate::fixture::{Client, Ends, Policy, RecorderEngine, Socket, told};

const SOURCE: &str = "192.0.2.7:4000";

/// A socket on the loopback transport, which only hears what is injected.
struct Bench {
    client: Client,
    engine: RecorderEngine,
    ends: Ends<skua_hosted::HostKernel>,
    socket: Socket,
}

impl Bench {
    fn new(policy: Policy, options: &SocketOptions<'_>) -> Self {
        let client = Client::new(HostConfig::loopback(2));
        let retention = Retention { datagrams: 100, bytes: 1 << 20, ..Retention::default() };
        let (engine, ends) = client.engine(policy, &Config { retention, ..Config::default() });
        let socket = client.listen(&engine, options);
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

fn plain() -> SocketOptions<'static> {
    SocketOptions::new("127.0.0.1:0".parse().unwrap())
}

fn injected(parts: Vec<Vec<u8>>) -> Injected {
    Injected { parts, ..Injected::new(SOURCE.parse::<SocketAddr>().unwrap(), Vec::new()) }
}

#[test]
fn a_datagram_without_mdl_is_an_empty_one() {
    let bench = Bench::new(Policy::Consume, &plain());
    assert_eq!(bench.inject(&[injected(Vec::new())]), Indicated::Consumed);
    assert!(bench.ends.next().payload.is_empty());
    bench.finish();
}

#[test]
fn empty_mdls_between_full_ones_are_passed_over() {
    let bench = Bench::new(Policy::Consume, &plain());
    let parts = [&b"abc"[..], b"", b"def", b"", b"g"].map(<[u8]>::to_vec).to_vec();
    for unmapped in [false, true] {
        bench.inject(&[Injected { unmapped, ..injected(parts.clone()) }]);
        let seen = bench.ends.next();
        assert_eq!(seen.payload, b"abcdefg");
        assert!(!seen.contiguous);
    }
    bench.finish();
}

#[test]
fn unmapped_mdls_are_mapped_and_a_failing_mapping_is_counted() {
    let bench = Bench::new(Policy::Consume, &plain());
    let datagram = Injected { unmapped: true, ..injected(vec![b"one".to_vec(), b"two".to_vec()]) };
    bench.inject(std::slice::from_ref(&datagram));
    assert_eq!(bench.ends.next().payload, b"onetwo");
    for nth in [1, 2] {
        bench.client.kernel.fail_mapping(nth);
        bench.inject(&[datagram.clone(), injected(vec![b"neighbour".to_vec()])]);
        assert_eq!(bench.ends.next().payload, b"neighbour");
        assert_eq!(bench.engine.stats().dropped(DropReason::MapFailed), nth);
    }
    bench.finish();
}

#[test]
fn a_length_beyond_the_chain_is_malformed_and_spares_its_neighbours() {
    let bench = Bench::new(Policy::Consume, &plain());
    let good = injected(vec![b"good".to_vec()]);
    let beyond = Injected { length: Some(9), ..injected(vec![b"four".to_vec(), b"four".to_vec()]) };
    let outside = Injected { offset: 5, length: Some(1), ..injected(vec![b"four".to_vec(), b"x".to_vec()]) };
    let giant = Injected { length: Some(1 << 20), ..injected(vec![b"four".to_vec()]) };
    bench.inject(&[good.clone(), beyond, outside, giant, good]);
    assert_eq!((bench.ends.next().payload, bench.ends.next().payload), (b"good".to_vec(), b"good".to_vec()));
    let stats = bench.engine.stats();
    assert_eq!((stats.dropped(DropReason::Malformed), stats.dropped(DropReason::Oversize)), (2, 1));
    assert_eq!((stats.indicated, stats.accepted), (5, 2));
    bench.finish();
}

#[test]
fn what_is_longer_than_a_datagram_is_oversize_even_if_it_is_there() {
    let bench = Bench::new(Policy::Consume, &plain());
    let of = |length: usize| injected(vec![vec![7; length]]);
    bench.inject(&[of(1), of(65_536), of(2), of(70_000), of(65_535)]);
    for length in [1, 2, 65_535] {
        assert_eq!(bench.ends.next().payload.len(), length);
    }
    let stats = bench.engine.stats();
    assert_eq!((stats.indicated, stats.dropped(DropReason::Oversize), stats.bytes), (5, 2, 65_538));
    bench.finish();
}

#[test]
fn damaged_control_data_is_malformed() {
    let bench = Bench::new(Policy::Consume, &told("127.0.0.1:0"));
    let bytes = vec![0xff; 24];
    bench.inject(&[Injected { control: Control::Raw(bytes), ..injected(vec![b"x".to_vec()]) }]);
    assert_eq!(bench.engine.stats().dropped(DropReason::Malformed), 1);
    bench.finish();
}

#[test]
fn missing_control_data_is_counted_if_wanted_and_dropped_if_required() {
    let facts = Facts { destination: Some(("192.0.2.1".parse().unwrap(), 3)), ..Facts::default() };
    let whole = Injected { control: Control::Facts(facts), ..injected(vec![b"whole".to_vec()]) };
    let bare = injected(vec![b"bare".to_vec()]);
    for info in [Info::Wanted, Info::Required] {
        let mut options = plain();
        options.wanted.packet_info = info;
        let bench = Bench::new(Policy::Consume, &options);
        bench.inject(&[bare.clone(), whole.clone()]);
        let stats = bench.engine.stats();
        if info == Info::Wanted {
            assert_eq!(bench.ends.next().payload, b"bare");
            assert_eq!((stats.without_info, stats.dropped(DropReason::MissingInfo)), (1, 0));
        } else {
            assert_eq!((stats.without_info, stats.dropped(DropReason::MissingInfo)), (0, 1));
        }
        let seen = bench.ends.next();
        assert_eq!((seen.payload, seen.interface), (b"whole".to_vec(), 3));
        assert_eq!(seen.local.ip().to_string(), "192.0.2.1");
        bench.finish();
    }
}

#[test]
fn what_one_socket_is_told_stands_for_no_other() {
    let client = Client::new(HostConfig::loopback(2));
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let ask = |packet_info, type_of_service| {
        let wanted = Wanted { packet_info, type_of_service, ..Wanted::default() };
        client.listen(&engine, &SocketOptions { wanted, ..plain() })
    };
    let sockets =
        [ask(Info::Off, Info::Required), ask(Info::Required, Info::Required), ask(Info::Wanted, Info::Off)];
    let facts = Facts { type_of_service: Some(0xb8), ..Facts::default() };
    let datagram = Injected { control: Control::Facts(facts), ..injected(vec![b"x".to_vec()]) };
    for _ in 0..2 {
        for socket in &sockets {
            client.kernel.inject(&socket.local_address(), 1, &[datagram.clone(), datagram.clone()]);
        }
    }
    let stats = engine.stats();
    assert_eq!((stats.accepted, stats.dropped(DropReason::MissingInfo), stats.without_info), (8, 4, 4));
    for _ in 0..8 {
        assert_eq!(ends.next().type_of_service, 0xb8);
    }
    for socket in sockets {
        client.close(socket);
    }
    drop(engine);
    client.finish();
}

#[test]
fn control_data_may_change_its_shape_from_datagram_to_datagram() {
    let bench = Bench::new(Policy::Consume, &told("127.0.0.1:0"));
    let shapes: Vec<Facts> = (0..16_u8)
        .map(|bits| Facts {
            destination: (bits & 1 != 0).then(|| ("192.0.2.1".parse().unwrap(), u32::from(bits))),
            type_of_service: (bits & 2 != 0).then_some(bits),
            hop_limit: (bits & 4 != 0).then_some(bits + 100),
            time: (bits & 8 != 0).then_some(u64::from(bits) + 1000),
            coalesced: None,
        })
        .collect();
    let list: Vec<_> = shapes
        .iter()
        .flat_map(|facts| [facts, facts, facts])
        .map(|&facts| Injected { control: Control::Facts(facts), ..injected(vec![b"x".to_vec()]) })
        .collect();
    bench.inject(&list);
    for facts in shapes.iter().flat_map(|facts| [facts, facts, facts]) {
        let seen = bench.ends.next();
        assert_eq!(seen.interface, facts.destination.map_or(0, |(_, interface)| interface));
        assert_eq!(seen.type_of_service, facts.type_of_service.unwrap_or(0));
        assert_eq!(seen.hop_limit, facts.hop_limit.unwrap_or(0));
        assert!(facts.time.is_none_or(|time| seen.time == time));
    }
    bench.finish();
}

#[test]
fn each_datagram_keeps_what_it_was_told_among_others_told_alike() {
    for asked in 1..=3 {
        let info = |place| if asked >= place { Info::Required } else { Info::Off };
        let wanted = Wanted {
            packet_info: info(1),
            type_of_service: info(2),
            hop_limit: info(3),
            ..Wanted::default()
        };
        let bench = Bench::new(Policy::Consume, &SocketOptions { wanted, ..plain() });
        // Runs of every length up to a batch and beyond it, and whole lists of one kind.
        let kinds = (0..12_u8).flat_map(|run| vec![run % 3; usize::from(run) * 7]).chain([0; 100]);
        let kinds: Vec<_> = kinds.collect();
        let facts = |kind: u8| Facts {
            destination: Some((format!("192.0.2.{kind}").parse().unwrap(), u32::from(kind) + 1)),
            type_of_service: (asked >= 2).then_some(kind * 4),
            hop_limit: (asked >= 3).then_some(kind + 60),
            ..Facts::default()
        };
        let list: Vec<_> = kinds
            .iter()
            .map(|&kind| Injected { control: Control::Facts(facts(kind)), ..injected(vec![vec![kind]]) })
            .collect();
        for _ in 0..2 {
            bench.inject(&list);
            for &kind in &kinds {
                let (seen, facts) = (bench.ends.next(), facts(kind));
                assert_eq!(seen.payload, [kind]);
                assert_eq!(Some((seen.local.ip(), seen.interface)), facts.destination);
                assert_eq!(seen.type_of_service, facts.type_of_service.unwrap_or(0));
                assert_eq!(seen.hop_limit, facts.hop_limit.unwrap_or(0));
            }
        }
        bench.finish();
    }
}

#[test]
fn a_list_longer_than_a_batch_is_handled_whole() {
    let bench = Bench::new(Policy::Consume, &plain());
    let list: Vec<_> = (0..100_u8).map(|number| injected(vec![vec![number]])).collect();
    assert_eq!(bench.inject(&list), Indicated::Consumed);
    for number in 0..100 {
        assert_eq!(bench.ends.next().payload, [number]);
    }
    let stats = bench.engine.stats();
    assert_eq!((stats.indicated, stats.accepted, stats.batches), (100, 100, 4));
    bench.finish();
}

#[test]
fn keeping_one_of_a_late_batch_gives_the_earlier_ones_back() {
    let bench = Bench::new(Policy::Consume, &plain());
    let list: Vec<_> = (0..100_u8).map(|number| injected(vec![vec![number]])).collect();
    let prepared = bench.client.kernel.prepare(&bench.socket.local_address(), &list).unwrap();
    assert_eq!(prepared.indicate(0), Indicated::Consumed);
    *bench.engine.handler().policy.lock().unwrap() = Policy::RetainFirst;
    assert_eq!(prepared.indicate(0), Indicated::Retained);
    let mut kept: Vec<_> = (0..4).map(|_| bench.ends.next_retained()).collect();
    assert_eq!(bench.client.kernel.outstanding().indications, 4, "96 came back inside the callback");
    assert_eq!(prepared.indicate(0), Indicated::Busy);
    while kept.pop().is_some() {}
    assert_eq!(bench.client.kernel.outstanding().indications, 0);
    assert_eq!(bench.engine.stats().delivered(), 200);
    bench.finish();
}

#[test]
fn a_list_indicated_inside_a_callback_is_counted_as_nested() {
    use skua_engine::{Batch, Handler, Passive};
    use skua_hosted::HostKernel;

    /// Indicates again from inside the handler, once.
    struct Nesting(HostKernel, std::sync::OnceLock<SocketAddr>);

    impl Handler<HostKernel> for Nesting {
        type Shard = bool;

        fn shard(&self, _: u32, _: &Passive<'_>) -> bool {
            false
        }

        fn receive(&self, done: &mut bool, batch: &mut Batch<'_, HostKernel>) {
            if !std::mem::replace(done, true) {
                let again = [injected(vec![b"in".to_vec()]), injected(vec![b"side".to_vec()])];
                assert_eq!(
                    self.0.inject(self.1.get().unwrap(), batch.processor(), &again),
                    Indicated::Consumed
                );
            }
        }
    }

    let client = Client::new(HostConfig::loopback(1));
    let (engine, socket) = {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let handler = Nesting(client.kernel.clone(), std::sync::OnceLock::new());
        let engine =
            skua_engine::Engine::open(client.kernel.clone(), handler, &Config::default(), &passive).unwrap();
        let socket = engine.open_socket(&client.provider, &plain(), &passive).unwrap();
        engine.handler().1.set(socket.local_address()).unwrap();
        (engine, socket)
    };
    client.kernel.inject(&socket.local_address(), 0, &[injected(vec![b"outer".to_vec()])]);
    let stats = engine.stats();
    assert_eq!((stats.indicated, stats.accepted, stats.dropped(DropReason::Nested)), (3, 1, 2));
    assert!(stats.balances());
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        socket.close(crate::fixture::PATIENCE, &passive).unwrap();
    }
    drop(engine);
    client.finish();
}

#[test]
fn a_copy_refused_because_the_socket_closes_gives_its_slot_back() {
    use skua_engine::{BeyondBudget, Passive};

    let retention =
        Retention { beyond: BeyondBudget::Copy, copy_slots: 1, copy_bytes: 64, ..Retention::default() };
    let client = Client::new(HostConfig::loopback(1));
    let config = Config { retention, ..Config::default() };
    let (engine, ends) = client.engine(Policy::Retain, &config);
    let (first, second) = (client.listen(&engine, &plain()), client.listen(&engine, &plain()));
    let one = injected(vec![b"one".to_vec()]);
    client.kernel.inject(&first.local_address(), 0, std::slice::from_ref(&one));
    let kept = ends.next_retained();
    // The close has closed the rundown and waits for `kept`; what is indicated meanwhile finds it closed.
    let address = first.local_address();
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        assert!(first.close(std::time::Duration::ZERO, &passive).is_err());
    }
    client.kernel.inject(&address, 0, std::slice::from_ref(&one));
    drop(kept);
    client.kernel.inject(&second.local_address(), 0, std::slice::from_ref(&one));
    let kept = ends.next_retained();
    assert!(!kept.is_lent());
    drop(kept);
    assert!(engine.stats().balances());
    drop(ends);
    client.close(second);
    drop(engine);
    client.finish();
}

#[test]
fn sends_from_inside_a_handler_are_counted_on_both_sides() {
    use skua_engine::{Batch, DatagramSocket, Engine, Handler, Passive, SendOptions};
    use skua_hosted::HostKernel;

    type Slot = std::sync::Mutex<Option<DatagramSocket<HostKernel, Echo>>>;

    /// Sends each datagram back to where it came from.
    struct Echo(std::sync::Arc<Slot>);

    impl Handler<HostKernel> for Echo {
        type Shard = ();

        fn shard(&self, _: u32, _: &Passive<'_>) {}

        fn receive(&self, (): &mut (), batch: &mut Batch<'_, HostKernel>) {
            while let Some(datagram) = batch.next_datagram() {
                let mut bytes = [0; 64];
                let length = datagram.payload().copy_to(&mut bytes);
                let socket = self.0.lock().unwrap();
                let socket = socket.as_ref().unwrap();
                socket.send(datagram.remote().into(), &bytes[..length], &SendOptions::default()).unwrap();
            }
        }
    }

    let client = Client::new(HostConfig::loopback(1));
    let slot = std::sync::Arc::new(Slot::default());
    let engine = {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let config = Config { send_slots: 4, ..Config::default() };
        let handler = Echo(std::sync::Arc::clone(&slot));
        let engine = Engine::open(client.kernel.clone(), handler, &config, &passive).unwrap();
        *slot.lock().unwrap() = Some(engine.open_socket(&client.provider, &plain(), &passive).unwrap());
        engine
    };
    let list: Vec<_> = (0..20_u8).map(|number| injected(vec![vec![number]])).collect();
    let local = slot.lock().unwrap().as_ref().unwrap().local_address();
    client.kernel.inject(&local, 0, &list);
    let until = std::time::Instant::now() + crate::fixture::PATIENCE;
    while engine.stats().sends_outstanding() > 0 {
        assert!(std::time::Instant::now() < until, "{:?}", engine.stats());
    }
    let stats = engine.stats();
    assert_eq!(stats.sends_issued, 20);
    assert_eq!(stats.sends_completed + stats.sends_failed, 20, "{stats:?}");
    {
        let socket = slot.lock().unwrap().take().unwrap();
        let passive = Passive::acquire(&client.kernel).unwrap();
        socket.close(crate::fixture::PATIENCE, &passive).unwrap();
    }
    drop(engine);
    client.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_payload_cut_anywhere_arrives_whole(
        payload in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(0_usize..400, 0..10),
        lead in 0_usize..20,
        tail in 0_usize..20,
        unmapped in any::<bool>(),
    ) {
        let mut at: Vec<_> = cuts.into_iter().map(|cut| cut.min(payload.len())).collect();
        at.push(0);
        at.push(payload.len());
        at.sort_unstable();
        let mut parts: Vec<Vec<u8>> = at.windows(2).map(|pair| payload[pair[0]..pair[1]].to_vec()).collect();
        parts[0].splice(0..0, std::iter::repeat_n(0xee, lead));
        parts.last_mut().unwrap().extend(std::iter::repeat_n(0xee, tail));
        let datagram = Injected {
            offset: u32::try_from(lead).unwrap(),
            length: Some(payload.len()),
            unmapped,
            ..injected(parts)
        };
        let bench = Bench::new(Policy::Consume, &plain());
        bench.inject(&[datagram]);
        prop_assert_eq!(bench.ends.next().payload, payload);
        bench.finish();
    }

    #[test]
    fn arbitrary_control_bytes_are_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
        let bench = Bench::new(Policy::Consume, &told("127.0.0.1:0"));
        bench.inject(&[Injected { control: Control::Raw(bytes), ..injected(vec![b"x".to_vec()]) }]);
        prop_assert_eq!(bench.engine.stats().indicated, 1);
        bench.finish();
    }
}
