//! Closing, at every point of a scenario at which something may be under way.

use std::time::Instant;

use skua_engine::{
    BeyondBudget, Config, DropReason, Engine, Events, Passive, Provider, Registration, Retention, SendOptions,
};
use skua_hosted::{HostConfig, HostKernel, ProviderConfig};

use crate::fixture::{Ends, PATIENCE, Policy, Recorder, sender, told};
use crate::points::{NAMES, Points};

/// Datagrams that the scenario receives and sends.
const DATAGRAMS: usize = 6;

fn config() -> Config<'static> {
    let retention = Retention {
        datagrams: 2,
        bytes: 1 << 16,
        beyond: BeyondBudget::Copy,
        copy_slots: 1,
        copy_bytes: 256,
    };
    Config { send_slots: 8, send_bytes: 256, magazine: 4, retention, ..Config::default() }
}

/// Opens, receives, retains, sends and closes; closes at once when the point fires. Whether it did.
fn run(name: &'static str, fire_at: u64) -> bool {
    let points = Points::new(name, fire_at);
    let provider = ProviderConfig { middleware: vec![points.clone()], ..ProviderConfig::default() };
    let kernel = HostKernel::new(HostConfig { provider, ..HostConfig::default() });
    let passive = Passive::acquire(&kernel).unwrap();
    let registration = Registration::register(kernel.clone(), Events::Dynamic, &passive).unwrap();
    let provider = registration.capture(PATIENCE, &passive).unwrap();
    let (recorder, ends) = Recorder::new(Policy::Retain);
    let engine = Engine::open(kernel.clone(), recorder, &config(), &passive).unwrap();
    scenario(&points, &engine, &ends, &provider, &passive);
    points.act();
    drop(ends);
    let stats = engine.stats();
    assert!(stats.balances(), "{stats:?}");
    drop(provider);
    registration.close(PATIENCE, &passive).unwrap();
    let stats = engine.stats();
    assert!(stats.balances() && stats.retained() == 0 && stats.sends_outstanding() == 0, "{stats:?}");
    drop(engine);
    let outstanding = kernel.outstanding();
    assert!(outstanding.is_empty(), "{name} {fire_at}: {outstanding:?}");
    points.has_fired()
}

/// The steps up to the close; it returns early, dropping what it has, when a point has fired.
fn scenario(
    points: &Points,
    engine: &Engine<HostKernel, Recorder<HostKernel>>,
    ends: &Ends<HostKernel>,
    provider: &Provider<HostKernel>,
    passive: &Passive<'_>,
) {
    let Ok(socket) = engine.open_socket(provider, &told("127.0.0.1:0"), passive) else {
        panic!("nothing was made to fail");
    };
    let local = socket.local_address();
    let peer = sender(local);
    let mut held = Vec::new();
    for _ in 0..DATAGRAMS {
        if points.has_fired() {
            return;
        }
        let before = engine.stats().indicated;
        peer.send(b"in").unwrap();
        let until = Instant::now() + PATIENCE;
        while !points.has_fired() && engine.stats().indicated == before {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        held.extend(ends.retained.try_iter());
    }
    assert!(points.has_fired() || engine.stats().dropped(DropReason::NoSlot) > 0);
    let to = peer.local_addr().unwrap();
    for _ in 0..2 {
        if points.has_fired() {
            return;
        }
        socket.send(to, b"out", &SendOptions::default()).unwrap();
    }
    if points.has_fired() {
        return;
    }
    let sent = socket.send_batch(to, &SendOptions::default(), |batch| {
        for _ in 0..DATAGRAMS {
            batch.push(b"many").unwrap();
        }
    });
    assert_eq!(sent, Ok(((), DATAGRAMS)));
    drop(held);
    if points.has_fired() {
        return;
    }
    socket.close(PATIENCE, passive).unwrap();
}

#[test]
fn a_close_at_any_point_leaves_nothing_behind() {
    let hits = NAMES.map(|name| {
        let hit = (1..1000).take_while(|&fire_at| run(name, fire_at)).count();
        assert!(hit > 0, "no run hit {name}");
        (name, hit)
    });
    println!("points at which the close began: {hits:?}");
}
