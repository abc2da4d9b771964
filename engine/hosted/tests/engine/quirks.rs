//! The engine over providers that behave as some do: it receives, retains, sends, listens and closes, and nothing is lost
//! or left.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use skua_engine::{
    BeyondBudget, Config, Listener, ListenerState, Memberships, OpenSocketError, Passive, Retention,
    SendOptions,
};
use skua_hosted::middleware::Function;
use skua_hosted::middleware::quirk::{Quirk, Split};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{Client, Ends, PATIENCE, Policy, RecorderEngine, Socket, sender, told, wait_for};

/// Datagrams that each scenario receives.
const DATAGRAMS: u32 = 40;

fn config() -> Config<'static> {
    let retention = Retention {
        datagrams: DATAGRAMS,
        bytes: 1 << 20,
        beyond: BeyondBudget::Drop,
        copy_slots: 0,
        copy_bytes: 0,
    };
    Config { send_slots: 16, send_bytes: 256, magazine: 4, retention, ..Config::default() }
}

fn behind(quirk: Quirk) -> Client {
    let mut host = HostConfig::default();
    host.provider.middleware.push(quirk.middleware());
    Client::new(host)
}

/// The payload of one datagram: none, short, long.
fn payload(number: u32) -> Vec<u8> {
    (0..number * 211 % 1472).map(|byte| (byte * 7 + number).to_le_bytes()[0]).collect()
}

/// Receives all payloads whole, whatever their order, and keeps them for a while.
fn receive(engine: &RecorderEngine, ends: &Ends<HostKernel>, socket: &Socket) {
    let peer = sender(socket.local_address());
    let mut held = Vec::new();
    let mut payloads = Vec::new();
    for number in 0..DATAGRAMS {
        peer.send(&payload(number)).unwrap();
        payloads.push(ends.next().payload);
        held.push(ends.retained.recv_timeout(PATIENCE).unwrap());
    }
    let mut expected: Vec<_> = (0..DATAGRAMS).map(payload).collect();
    expected.sort();
    payloads.sort();
    assert_eq!(payloads, expected);
    // Released one by one, in no order.
    while !held.is_empty() {
        drop(held.swap_remove(held.len() / 2));
    }
    let stats = wait_for(engine, |stats| stats.indicated == u64::from(DATAGRAMS) && stats.retained() == 0);
    assert!(stats.balances(), "{stats:?}");
}

/// Sends one by one and in batches, where the provider can: the peer gets all of it, and every slot comes back.
fn send(engine: &RecorderEngine, socket: &Socket, single: bool, batch: bool) {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = peer.local_addr().unwrap();
    let mut expected = 0;
    for round in 0..20_u8 {
        let sent = socket.send(to, &[round], &SendOptions::default());
        assert_eq!(sent.is_ok(), single, "{sent:?}");
        expected += usize::from(single);
        let sent = socket.send_batch(to, &SendOptions::default(), |pushed| {
            pushed.push(b"one of").unwrap();
            pushed.push(b"two").unwrap();
        });
        assert_eq!(sent.is_ok(), batch, "{sent:?}");
        expected += 2 * usize::from(batch);
        wait_for(engine, |stats| stats.sends_outstanding() == 0);
    }
    for _ in 0..expected {
        peer.recv(&mut [0; 16]).unwrap();
    }
}

/// Opens, receives, sends and closes, and leaves nothing behind.
fn whole(quirk: Quirk) {
    let client = behind(quirk);
    let (engine, ends) = client.engine(Policy::Retain, &config());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    receive(&engine, &ends, &socket);
    send(&engine, &socket, true, true);
    client.close(socket);
    drop((engine, ends));
    client.finish();
}

#[test]
fn nothing_is_lost_or_left_however_packets_complete() {
    for quirk in [Quirk::InlineCompletion, Quirk::DeferredCompletion, Quirk::PendingAfterInline] {
        println!("{quirk}");
        whole(quirk);
    }
}

#[test]
fn nothing_is_lost_or_left_however_data_is_indicated() {
    let splits = (0..8).map(Split::Seeded).chain([Split::AcrossParts]).map(Quirk::SplitChains);
    let others = [Quirk::MissingControl, Quirk::UnmappedMdls, Quirk::NullMdlForEmpty];
    for quirk in splits.chain(others).chain([Quirk::OneByOne, Quirk::Reversed]) {
        println!("{quirk}");
        whole(quirk);
    }
}

#[test]
fn a_datagram_is_whole_wherever_its_chain_is_cut() {
    let bytes: Vec<u8> = (0..70).collect();
    for place in 1..bytes.len() {
        let client = behind(Quirk::SplitChains(Split::At(place)));
        let (engine, ends) = client.engine(Policy::Consume, &config());
        let socket = client.listen(&engine, &told("127.0.0.1:0"));
        sender(socket.local_address()).send(&bytes).unwrap();
        let seen = ends.next();
        assert_eq!((seen.payload, seen.contiguous), (bytes.clone(), false), "cut at {place}");
        client.close(socket);
        drop((engine, ends));
        client.finish();
    }
}

#[test]
fn a_function_that_is_not_supported_and_not_completed_leaves_nothing_behind() {
    for function in [
        Function::Socket,
        Function::ControlSocket,
        Function::Bind,
        Function::GetLocalAddress,
        Function::SendTo,
        Function::SendMessages,
    ] {
        println!("{function}");
        let client = behind(Quirk::Unsupported(function));
        let (engine, ends) = client.engine(Policy::Retain, &config());
        let opened = {
            let passive = Passive::acquire(&client.kernel).unwrap();
            engine.open_socket(&client.provider, &told("127.0.0.1:0"), &passive)
        };
        match opened {
            Ok(socket) => {
                receive(&engine, &ends, &socket);
                let (single, batch) = (function != Function::SendTo, function != Function::SendMessages);
                send(&engine, &socket, single, batch);
                client.close(socket);
            }
            Err(OpenSocketError::Refused { .. }) => {
                assert!(!matches!(function, Function::SendTo | Function::SendMessages));
            }
            Err(other) => panic!("{other}"),
        }
        drop((engine, ends));
        client.finish();
    }
}

#[test]
fn a_listener_outlives_its_sockets() {
    let client = behind(Quirk::Dying { after: 2 });
    let (engine, ends) = client.engine(Policy::Retain, &config());
    let memberships: Memberships = [].into_iter().collect();
    let mut listener = Listener::new(told("127.0.0.1:0"), memberships);
    let until = Instant::now() + PATIENCE;
    // The clock of the listener runs ahead, so that it does not back off for long.
    let mut now = skua_engine::Kernel::ke_query_performance_counter(&client.kernel);
    let mut received = 0;
    while listener.stats(now).reopened < 3 {
        assert!(Instant::now() < until, "{:?}", listener.stats(now));
        {
            let passive = Passive::acquire(&client.kernel).unwrap();
            listener.poll(&engine, &client.provider, now, &passive).unwrap();
        }
        now += skua_engine::Kernel::performance_frequency(&client.kernel) / 10;
        if matches!(listener.stats(now).state, ListenerState::Open { .. }) {
            let _ = sender(listener.local_address()).send(b"alive?");
        }
        received += ends.retained.recv_timeout(Duration::from_millis(5)).iter().count();
    }
    received += ends.retained.try_iter().count();
    assert!(received >= 6, "{received}");
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        listener.close(PATIENCE, &passive).unwrap();
    }
    let stats = engine.stats();
    assert!(stats.balances() && stats.retained() == 0, "{stats:?}");
    drop((engine, ends));
    client.finish();
}
