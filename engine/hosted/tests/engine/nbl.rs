//! Datagrams inside network buffer lists reach the handler in place, and are sent out of the lists' memory.

// UNSAFETY: lends lists that this file built, and reads the count that a completion raises.
#![expect(unsafe_code, reason = "lists are lent by address")]

use std::ffi::c_void;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::admission::{AdmissionConfig, Allow, Prefix};
use skua_engine::nbl::{NblFacts, NblList, NblSource, Reserved};
use skua_engine::{BeyondBudget, Config, DropReason, Passive, Retention, SendError, SendOptions};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{Client, PATIENCE, Policy, Recorder, RecorderEngine, told, wait_for};
use crate::hostile;
use crate::packets::{Packet, Packets};

const UDP_HEADER: u32 = 8;

type Source = NblSource<HostKernel, Recorder<HostKernel>>;

fn facts() -> NblFacts {
    let endpoint = |text: &str| text.parse::<SocketAddr>().unwrap().into();
    NblFacts {
        header_bytes: UDP_HEADER,
        remote: endpoint("10.1.2.3:514"),
        local: endpoint("10.9.9.9:9125"),
        interface: 7,
        type_of_service: 0xb8,
        hop_limit: 63,
        ..NblFacts::default()
    }
}

fn client() -> Client {
    Client::new(HostConfig::loopback(2))
}

fn source(client: &Client, engine: &RecorderEngine) -> Source {
    engine.open_nbl_source(3, &Passive::acquire(&client.kernel).unwrap()).unwrap()
}

/// Eight bytes of header and then `payload`.
fn udp(payload: &[u8]) -> Vec<u8> {
    [&[0xaa; UDP_HEADER as usize], payload].concat()
}

/// Hands all packets over; how many there were, and the positions of those that were refused.
fn receive(source: &Source, packets: &mut Packets, facts: &NblFacts) -> (u64, Vec<usize>) {
    let mut refused = Vec::new();
    let first = packets.first();
    // SAFETY: the lists are this test's, over memory that is never paged here.
    let count = unsafe { source.receive(first, facts, |_, buffer| refused.push(buffer)) };
    (count, refused.iter().map(|buffer| packets.position(buffer.as_ptr())).collect())
}

fn leave(client: Client, engine: RecorderEngine, source: Source) {
    let passive = Passive::acquire(&client.kernel).unwrap();
    assert!(source.stop().wait(PATIENCE, &passive).is_ok());
    assert!(engine.stats().balances());
    drop(engine);
    client.finish();
}

#[test]
fn a_datagram_is_handed_on_in_place_with_what_the_filter_knows_of_it() {
    let client = client();
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let source = source(&client, &engine);
    let data = udp(b"payload");
    let mut packets = Packets::new(&client.kernel, &[vec![Packet { before: 34, ..Packet::new(&data, &[]) }]]);
    assert_eq!(receive(&source, &mut packets, &facts()), (1, vec![]));
    let seen = ends.next();
    assert_eq!(seen.payload, b"payload");
    assert_eq!(
        (seen.remote.to_string(), seen.local.to_string()),
        ("10.1.2.3:514".into(), "10.9.9.9:9125".into())
    );
    assert_eq!((seen.interface, seen.type_of_service, seen.hop_limit), (7, 0xb8, 63));
    let stats = engine.stats();
    assert_eq!((stats.indicated, stats.delivered(), stats.bytes), (1, 1, 7));
    leave(client, engine, source);
}

#[test]
fn however_a_datagram_is_cut_into_mdls_its_bytes_are_the_same() {
    let client = client();
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let source = source(&client, &engine);
    let payload = b"0123456789";
    let data = udp(payload);
    let mut cuts = Vec::new();
    for one in 0..=data.len() {
        for other in one..=data.len() {
            cuts.push(Packet { before: 5, ..Packet::new(&data, &[one, other]) });
        }
    }
    let count = cuts.len();
    let mut packets = Packets::new(&client.kernel, &[cuts]);
    assert_eq!(receive(&source, &mut packets, &facts()), (count as u64, vec![]));
    for _ in 0..count {
        assert_eq!(ends.next().payload, payload);
    }
    leave(client, engine, source);
}

#[test]
fn all_buffers_of_all_lists_come_in_order() {
    let client = client();
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let source = source(&client, &engine);
    // More than one batch, lists without a buffer among them.
    let lists: Vec<Vec<Packet>> = (0..20_u8)
        .map(|list| (0..list % 5).map(|buffer| Packet::new(&udp(&[list, buffer]), &[9])).collect())
        .collect();
    let expected: Vec<_> = (0..20).flat_map(|list| (0..list % 5).map(move |buffer| [list, buffer])).collect();
    let mut packets = Packets::new(&client.kernel, &lists);
    assert_eq!(receive(&source, &mut packets, &facts()), (expected.len() as u64, vec![]));
    for payload in expected {
        assert_eq!(ends.next().payload, payload);
    }
    let mut nothing = Packets::new(&client.kernel, &[]);
    assert_eq!(receive(&source, &mut nothing, &facts()), (0, vec![]));
    leave(client, engine, source);
}

#[test]
fn what_contradicts_itself_is_refused_alone_and_named() {
    let client = client();
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let source = source(&client, &engine);
    let data = udp(b"good");
    let claiming = |claims| Packet { claims: Some(claims), ..Packet::new(&data, &[4]) };
    let lists = [
        vec![Packet::new(&data, &[]), claiming(7), claiming(13), Packet::new(&udp(b""), &[])],
        vec![claiming(70_000), claiming(usize::MAX), Packet::new(&data, &[])],
    ];
    let mut packets = Packets::new(&client.kernel, &lists);
    assert_eq!(receive(&source, &mut packets, &facts()), (7, vec![1, 2, 4, 5]));
    for payload in [&b"good"[..], b"", b"good"] {
        assert_eq!(ends.next().payload, payload);
    }
    let stats = engine.stats();
    assert_eq!((stats.dropped(DropReason::Malformed), stats.dropped(DropReason::Oversize)), (2, 2));
    leave(client, engine, source);
}

#[test]
fn what_the_handler_or_the_rules_refuse_is_named() {
    let client = client();
    let allowed = [Prefix::new("10.1.0.0".parse().unwrap(), 16).unwrap()];
    let admission = AdmissionConfig { allow: Allow::Only(&allowed), ..AdmissionConfig::default() };
    let (engine, _ends) = client.engine(Policy::Refuse, &Config { admission, ..Config::default() });
    let source = source(&client, &engine);
    let lists = [vec![Packet::new(&udp(b"a"), &[]); 40]];
    let mut packets = Packets::new(&client.kernel, &lists);
    let all: Vec<usize> = (0..40).collect();
    assert_eq!(receive(&source, &mut packets, &facts()), (40, all.clone()));
    let stranger = NblFacts { remote: "10.2.0.1:1".parse::<SocketAddr>().unwrap().into(), ..facts() };
    assert_eq!(receive(&source, &mut packets, &stranger), (40, all));
    let stats = engine.stats();
    assert_eq!((stats.dropped(DropReason::Handler), stats.dropped(DropReason::NotAllowed)), (40, 40));
    leave(client, engine, source);
}

#[test]
fn mdls_that_are_not_mapped_are_mapped() {
    let client = client();
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let source = source(&client, &engine);
    let packet = Packet { unmapped: true, ..Packet::new(&udp(b"mapped"), &[3, 10]) };
    let mut packets = Packets::new(&client.kernel, &[vec![packet]]);
    let before = client.kernel.mappings();
    assert_eq!(receive(&source, &mut packets, &facts()), (1, vec![]));
    assert_eq!(ends.next().payload, b"mapped");
    // The MDL with nothing but header is not looked at.
    assert_eq!(client.kernel.mappings() - before, 2);
    leave(client, engine, source);
}

#[test]
fn what_is_kept_is_a_copy_and_the_drain_waits_for_it() {
    let client = client();
    let retention =
        Retention { datagrams: 8, bytes: 1 << 20, beyond: BeyondBudget::Copy, copy_slots: 2, copy_bytes: 64 };
    let (engine, ends) = client.engine(Policy::Retain, &Config { retention, ..Config::default() });
    let source = source(&client, &engine);
    let mut packets = Packets::new(&client.kernel, &[vec![Packet::new(&udp(b"kept"), &[9]); 3]]);
    // Two slots.
    assert_eq!(receive(&source, &mut packets, &facts()), (3, vec![2]));
    drop(packets);
    let kept = [ends.next_retained(), ends.next_retained()];
    for kept in &kept {
        let mut bytes = [0; 8];
        assert!(!kept.is_lent());
        assert_eq!(kept.payload().copy_to(&mut bytes), 4);
        assert_eq!(&bytes[..4], b"kept");
        assert_eq!(SocketAddr::from(kept.local()).to_string(), "10.9.9.9:9125");
    }
    let drain = source.stop();
    assert_eq!(drain.outstanding(), 2);
    let passive = Passive::acquire(&client.kernel).unwrap();
    let Err(drain) = drain.wait(Duration::from_millis(1), &passive) else { panic!("two are out") };
    let waiter = std::thread::spawn(move || {
        std::thread::yield_now();
        drop(kept);
    });
    assert!(drain.wait(PATIENCE, &passive).is_ok());
    waiter.join().unwrap();
    assert!(engine.stats().balances());
    drop(engine);
    client.finish();
}

#[test]
fn two_sources_and_a_socket_of_one_engine_do_not_disturb_each_other() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let (one, other) = (source(&client, &engine), source(&client, &engine));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let mut packets = Packets::new(&client.kernel, &[vec![Packet::new(&udp(b"list"), &[])]]);
    let passive = Passive::acquire(&client.kernel).unwrap();
    assert!(one.stop().wait(PATIENCE, &passive).is_ok());
    assert_eq!(receive(&other, &mut packets, &facts()), (1, vec![]));
    assert_eq!(ends.next().payload, b"list");
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"wire", socket.local_address()).unwrap();
    assert_eq!(ends.next().payload, b"wire");
    client.close(socket);
    leave(client, engine, other);
}

unsafe extern "C" fn sent(context: *mut c_void, status: NTSTATUS) {
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: a count that outlives the send.
    unsafe { &*context.cast::<AtomicU64>() }.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn lists_are_sent_by_one_call_out_of_their_own_memory() {
    let client = Client::new(HostConfig::default());
    let config = Config { send_slots: 1, send_bytes: 16, ..Config::default() };
    let (engine, _ends) = client.engine(Policy::Consume, &config);
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = receiver.local_addr().unwrap();
    let back = AtomicU64::new(0);
    let context = std::ptr::from_ref(&back).cast_mut().cast();
    let send = |packets: &mut Packets, reserved| {
        let list = NblList { list: packets.first(), header_bytes: UDP_HEADER, reserved };
        // SAFETY: the lists are there until the send is over, which is waited for.
        unsafe { socket.send_nbl(to, &SendOptions::default(), &list, sent, context) }
    };
    for (round, reserved) in [(1, Reserved::Protocol), (2, Reserved::Miniport)] {
        let lists = [
            vec![Packet::new(&udp(&[1; 900]), &[3, 8, 400]), Packet::new(&udp(b"two"), &[])],
            vec![],
            vec![Packet::new(&udp(b""), &[]), Packet::new(&udp(b"four"), &[10])],
        ];
        let mut packets = Packets::new(&client.kernel, &lists);
        assert_eq!(send(&mut packets, reserved), Ok(4));
        let mut bytes = [0; 2000];
        for payload in [&[1; 900][..], b"two", b"", b"four"] {
            let length = receiver.recv(&mut bytes).expect("it arrives");
            assert_eq!(&bytes[..length], payload);
        }
        wait_for(&engine, |stats| stats.sends_outstanding() == 0);
        assert_eq!(back.load(Ordering::SeqCst), round);
    }
    let stats = engine.stats();
    assert_eq!((stats.sends_issued, stats.sends_completed), (8, 8));

    let short = Packet { claims: Some(3), ..Packet::new(&udp(b"x"), &[]) };
    for lists in [vec![], vec![vec![]], vec![vec![Packet::new(&udp(b"x"), &[]), short]]] {
        let mut packets = Packets::new(&client.kernel, &lists);
        assert_eq!(send(&mut packets, Reserved::Protocol), Err(SendError::Malformed));
    }
    assert_eq!(back.load(Ordering::SeqCst), 2, "what was not handed over does not come back");
    client.close(socket);
    drop(engine);
    client.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lists_made_of_any_bytes_are_handed_on_sent_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        hostile::receive_and_send_any(&bytes);
    }
}

#[test]
fn lists_that_once_were_of_interest_are_handed_on_sent_or_refused() {
    for bytes in hostile::SEEDS {
        hostile::receive_and_send_any(bytes);
    }
}

/// Packets of any bytes, cut anywhere, some of them claiming any length.
fn any_packet() -> impl Strategy<Value = Packet> {
    let data = prop::collection::vec(any::<u8>(), 0..200);
    let claims =
        prop_oneof![4 => Just(None), 1 => (0..300_usize).prop_map(Some), 1 => any::<usize>().prop_map(Some)];
    (data, prop::collection::vec(any::<prop::sample::Index>(), 0..6), 0..40_usize, claims, any::<bool>())
        .prop_map(|(data, cuts, before, claims, unmapped)| {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
            cuts.sort_unstable();
            Packet { before, data, cuts, claims, offset: None, unmapped }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_lists_are_handed_on_or_refused_and_counted(
        lists in prop::collection::vec(prop::collection::vec(any_packet(), 0..20), 0..6),
        header_bytes in prop_oneof![0..40_u32, any::<u32>()],
    ) {
        let client = client();
        let (engine, ends) = client.engine(Policy::Consume, &Config::default());
        let source = source(&client, &engine);
        let mut packets = Packets::new(&client.kernel, &lists);
        let (count, refused) = receive(&source, &mut packets, &NblFacts { header_bytes, ..facts() });
        let all: Vec<&Packet> = lists.iter().flatten().collect();
        prop_assert_eq!(count, all.len() as u64);
        let header = header_bytes as usize;
        for (position, packet) in all.into_iter().enumerate() {
            let length = packet.claims.unwrap_or(packet.data.len());
            if refused.contains(&position) {
                // Refused for a reason: no room for the header, or no bytes behind what is claimed.
                prop_assert!(length < header || length > packet.data.len(), "{:?}", packet);
            } else {
                // Nothing behind the header may be claimed of less than that.
                prop_assert_eq!(ends.next().payload, packet.data.get(header..length).unwrap_or_default());
            }
        }
        leave(client, engine, source);
    }
}
