//! Many connections, much data, and closing at any point.

use std::hash::{DefaultHasher, Hasher};
use std::io::{Read, Write};
use std::net::TcpStream;

use proptest::prelude::*;
use skua_engine::abi::status::{STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_EVENT_ACCEPT, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_ABORTIVE};
use skua_hosted::Transport;

use crate::raw::socket::Buffer;
use crate::raw::stream::{Stream, reset, room};
use crate::raw::{Client, Irp, check, eventually, kernel};

#[test]
fn a_thousand_connections_are_opened_and_closed_without_a_leak() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let mask = WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;
    assert_eq!(listener.event(mask), STATUS_SUCCESS);
    for round in 0..10 {
        let mut open = Vec::new();
        for _ in 0..100 {
            let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
            peer.write_all(b"ping").unwrap();
            let accepted = listener.tape.accepted();
            open.push((peer, accepted));
        }
        assert_eq!(kernel.outstanding().sockets, 101);
        for (index, (peer, accepted)) in open.into_iter().enumerate() {
            assert_eq!(accepted.tape.wait_for_data(4), b"ping");
            if index % 2 == round % 2 {
                drop(peer);
                accepted.tape.wait("no end", |state| state.disconnects.len() == 1);
            }
            accepted.close();
        }
    }
    assert_eq!(kernel.outstanding().sockets, 1);
    listener.close();
    client.end();
}

#[test]
fn much_data_goes_both_ways_unharmed() {
    const BYTES: usize = 32 << 20;
    const BLOCK: usize = 64 << 10;
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, peer) = Stream::pair(&client);
    let hash =
        |hasher: &mut DefaultHasher, bytes: &[u8]| bytes.iter().for_each(|byte| hasher.write_u8(*byte));
    let block_of = |seed: usize| -> Vec<u8> {
        (0..BLOCK).map(|index| (index.wrapping_mul(31) ^ seed.wrapping_mul(17)).to_le_bytes()[0]).collect()
    };
    let (reader, writer) = (peer.try_clone().unwrap(), peer);
    let [sent, heard, said, received] = std::thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let (mut reader, mut hasher, mut block) = (&reader, DefaultHasher::new(), vec![0; BLOCK]);
            loop {
                match reader.read(&mut block).unwrap() {
                    0 => return hasher.finish(),
                    bytes => hash(&mut hasher, &block[..bytes]),
                }
            }
        });
        let said = scope.spawn(|| {
            let (mut writer, mut hasher) = (&writer, DefaultHasher::new());
            for seed in 0..BYTES / BLOCK {
                let block = block_of(seed);
                writer.write_all(&block).unwrap();
                hash(&mut hasher, &block);
            }
            writer.shutdown(std::net::Shutdown::Write).unwrap();
            hasher.finish()
        });
        let sent = scope.spawn(|| {
            let mut hasher = DefaultHasher::new();
            for seed in 0..BYTES / BLOCK {
                let block = block_of(seed + 7);
                let (first, second) = block.split_at(seed % BLOCK);
                assert_eq!(connection.send(&[first, second], 0), (STATUS_SUCCESS, BLOCK));
                hash(&mut hasher, &block);
            }
            assert_eq!(connection.disconnect(None, 0), STATUS_SUCCESS);
            hasher.finish()
        });
        let mut hasher = DefaultHasher::new();
        let mut total = 0;
        loop {
            let (status, data) = connection.receive(&[1000, 50_000], 0);
            assert_eq!(status, STATUS_SUCCESS);
            if data.is_empty() {
                break;
            }
            total += data.len();
            hash(&mut hasher, &data);
        }
        assert_eq!(total, BYTES);
        [sent.join().unwrap(), heard.join().unwrap(), said.join().unwrap(), hasher.finish()]
    });
    assert_eq!(sent, heard);
    assert_eq!(said, received);
    connection.close();
    client.end();
}

/// What is done to a connection before it is closed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Receive,
    CancelLast,
    PeerWrites,
    PeerEnds,
    PeerResets,
    Enable,
    Disconnect,
    Abort,
    Pause,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Send),
        Just(Step::Receive),
        Just(Step::CancelLast),
        Just(Step::PeerWrites),
        Just(Step::PeerEnds),
        Just(Step::PeerResets),
        Just(Step::Enable),
        Just(Step::Disconnect),
        Just(Step::Abort),
        Just(Step::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_close_at_any_point_completes_every_request_once(
        steps in prop::collection::vec(step(), 0..12),
        congested in any::<bool>(),
    ) {
        let kernel = kernel(Transport::Os);
        let client = Client::new(&kernel);
        let (connection, peer) = Stream::pair(&client);
        let mut peer = Some(peer);
        kernel.set_congested(congested);
        let data = Buffer::new(&kernel, &[&[1; 5000], &[2; 70_000]]);
        let target = room(&kernel, &[100, 4000]);
        let mut irps: Vec<(skua_engine::abi::status::NTSTATUS, Irp)> = Vec::new();
        for step in steps {
            let mut irp = Irp::new(&kernel);
            let returned = match step {
                Step::Send => connection.start_send(&data, 0, irp.raw()),
                Step::Receive => connection.start_receive(&target, 0, irp.raw()),
                Step::Disconnect => connection.start_disconnect(Some(&data), 0, irp.raw()),
                Step::Abort => connection.start_disconnect(None, WSK_FLAG_ABORTIVE, irp.raw()),
                Step::CancelLast => {
                    if let Some((_, irp)) = irps.last_mut() {
                        irp.cancel();
                    }
                    continue;
                }
                Step::PeerWrites => {
                    if let Some(peer) = &mut peer {
                        let _ = peer.write_all(&[3; 3000]);
                    }
                    continue;
                }
                Step::PeerEnds => {
                    if let Some(peer) = &peer {
                        let _ = peer.shutdown(std::net::Shutdown::Write);
                    }
                    continue;
                }
                Step::PeerResets => {
                    if let Some(peer) = peer.take() {
                        reset(peer);
                    }
                    continue;
                }
                Step::Enable => {
                    let _ = connection.event(WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT);
                    continue;
                }
                Step::Pause => {
                    std::thread::sleep(std::time::Duration::from_micros(300));
                    continue;
                }
            };
            irps.push((returned, irp));
        }
        let mut close = Irp::new(&kernel);
        let returned = connection.start_close(&mut close);
        check(returned, close.wait());
        for (returned, irp) in &irps {
            prop_assert!(irp.is_complete(), "before the close");
            check(*returned, irp.wait());
        }
        if returned == STATUS_PENDING {
            eventually("indications are left", || kernel.outstanding().indications == 0);
        }
        client.end();
    }
}
