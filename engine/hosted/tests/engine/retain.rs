//! Keeping datagrams beyond the callback.

use std::time::{Duration, Instant};

use skua_engine::{BeyondBudget, Config, DropReason, Passive, Retention};
use skua_hosted::HostConfig;

use crate::fixture::{Client, PATIENCE, Policy, sender, told, wait_for};

fn budget(datagrams: u32, bytes: u32) -> Config<'static> {
    Config { retention: Retention { datagrams, bytes, ..Retention::default() }, ..Config::default() }
}

#[test]
fn a_retained_datagram_is_the_providers_own_memory() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &budget(8, 8 * 2048));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    sender(socket.local_address()).send(b"kept").unwrap();
    let seen = ends.next();
    let kept = ends.next_retained();
    assert!(kept.is_lent());
    assert_eq!(kept.payload().address() as usize, seen.address, "not copied");
    let mut bytes = [0; 16];
    assert_eq!(kept.payload().copy_to(&mut bytes), 4);
    assert_eq!(&bytes[..4], b"kept");
    let stats = wait_for(&engine, |stats| stats.kept == 1);
    assert_eq!((stats.retained(), stats.delivered()), (1, 0));
    drop(kept);
    let stats = engine.stats();
    assert_eq!((stats.retained(), stats.delivered()), (0, 1));
    assert!(stats.balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn beyond_the_budget_datagrams_are_dropped_and_counted() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &budget(3, 1 << 20));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    for _ in 0..10 {
        sender.send(b"more").unwrap();
    }
    let stats = wait_for(&engine, |stats| stats.indicated == 10);
    assert_eq!((stats.kept, stats.dropped(DropReason::RetainBudget)), (3, 7));
    let held: Vec<_> = (0..3).map(|_| ends.next_retained()).collect();
    drop(held);
    // What came back is budget again.
    sender.send(b"again").unwrap();
    drop(ends.next_retained());
    assert!(engine.stats().balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn the_budget_counts_bytes_too() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &budget(100, 2500));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    for _ in 0..4 {
        sender.send(&[0; 1000]).unwrap();
    }
    let stats = wait_for(&engine, |stats| stats.indicated == 4);
    assert_eq!((stats.kept, stats.dropped(DropReason::RetainBudget)), (2, 2));
    drop((ends.next_retained(), ends.next_retained()));
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn beyond_the_budget_a_copy_serves_until_slots_run_out() {
    let retention = Retention {
        datagrams: 1,
        bytes: 1 << 20,
        beyond: BeyondBudget::Copy,
        copy_slots: 2,
        copy_bytes: 100,
    };
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &Config { retention, ..Config::default() });
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    let send = |payload: &[u8], indicated| {
        sender.send(payload).unwrap();
        wait_for(&engine, |stats| stats.indicated == indicated)
    };
    send(b"lent", 1);
    send(&[7; 101], 2);
    send(b"copied", 3);
    send(b"copied too", 4);
    let stats = send(b"one too many", 5);
    assert_eq!(stats.kept, 3);
    assert_eq!((stats.dropped(DropReason::Oversize), stats.dropped(DropReason::NoSlot)), (1, 1));
    let kept: Vec<_> = (0..3).map(|_| ends.next_retained()).collect();
    assert_eq!(kept.iter().map(|kept| kept.is_lent()).collect::<Vec<_>>(), [true, false, false]);
    let mut bytes = [0; 100];
    assert_eq!(kept[2].payload().copy_to(&mut bytes), 10);
    assert_eq!(&bytes[..10], b"copied too");
    drop(kept);
    assert_eq!(engine.stats().retained(), 0);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn what_comes_back_inside_the_callback_is_no_trouble() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::RetainAndRelease, &budget(8, 1 << 20));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    for _ in 0..200 {
        sender.send(b"there and back").unwrap();
        ends.next();
    }
    let stats = wait_for(&engine, |stats| stats.delivered() == 200);
    assert_eq!(stats.kept, 200);
    assert!(stats.balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn kept_and_consumed_neighbours_of_one_list_part_ways() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::RetainFirst, &budget(1000, 1 << 24));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    for _ in 0..200 {
        sender.send(b"batch").unwrap();
    }
    let stats = wait_for(&engine, |stats| stats.indicated == 200);
    assert_eq!(stats.kept, stats.batches);
    // In the reverse order of their coming, from another thread.
    let mut kept: Vec<_> = (0..stats.kept).map(|_| ends.next_retained()).collect();
    std::thread::spawn(move || while kept.pop().is_some() {}).join().unwrap();
    assert_eq!(engine.stats().delivered(), 200);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn a_close_waits_for_what_is_retained_and_says_so() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &budget(8, 1 << 20));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    sender(socket.local_address()).send(b"kept").unwrap();
    let kept = ends.next_retained();
    let Client { kernel, mut registration, provider } = client;
    {
        let passive = Passive::acquire(&kernel).unwrap();
        let error = socket.close(Duration::from_millis(20), &passive).unwrap_err();
        assert_eq!(error.outstanding.inside, 1);
        assert!(!error.outstanding.closing, "WskCloseSocket must not be called yet");
        assert!(registration.reap(&passive).is_some());
        // The memory is still ours to read.
        assert_eq!(kept.payload().len(), 4);
        drop(kept);
        let until = Instant::now() + PATIENCE;
        while let Some(outstanding) = registration.reap(&passive) {
            assert!(outstanding.closing && Instant::now() < until, "{outstanding}");
            std::thread::yield_now();
        }
    }
    drop(engine);
    Client { kernel, registration, provider }.finish();
}

#[test]
fn a_dropped_socket_closes_by_itself_when_the_last_comes_back() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &budget(8, 1 << 20));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    sender(socket.local_address()).send(b"kept").unwrap();
    let kept = ends.next_retained();
    drop(socket);
    drop(engine);
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        drop(kept);
    });
    assert!(PATIENCE > Duration::from_millis(30));
    client.finish();
    late.join().unwrap();
}
