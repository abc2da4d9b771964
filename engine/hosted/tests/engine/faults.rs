//! Running out, at every place where something is taken, and failing, at every place where something can.

// UNSAFETY: calls routines of the kernel by hand.
#![expect(unsafe_code, reason = "memory and events are raw pointers")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use skua_engine::abi::nt::KEVENT;
use skua_engine::abi::zeroed;
use skua_engine::{
    BeyondBudget, Config, DeregisterError, Engine, Events, Kernel, Listener, ListenerState, Memberships,
    OpenError, OpenSocketError, Passive, Registration, Retention, SendOptions,
};
use skua_hosted::fault::{FaultFailure, FaultLoop, Manner};
use skua_hosted::middleware::quirk::Quirk;
use skua_hosted::{HostConfig, HostKernel};
use skua_pools::{Memory, Tag};

use crate::fixture::{Ends, PATIENCE, Policy, Recorder, RecorderEngine, Socket, told, wait_for};

fn config() -> Config<'static> {
    let retention =
        Retention { datagrams: 4, bytes: 4096, beyond: BeyondBudget::Copy, copy_slots: 4, copy_bytes: 512 };
    Config { send_slots: 4, send_bytes: 512, magazine: 2, retention, ..Config::default() }
}

/// Registers, opens, listens, sends to itself one by one and in batches, retains what comes, and closes. Copes with
/// everything that fails once, and checks that nothing is lost without being counted.
fn life(kernel: &HostKernel) {
    let passive = Passive::acquire(kernel).unwrap();
    let Ok(registration) = Registration::register(kernel.clone(), Events::Static, &passive) else { return };
    let Ok(provider) = registration.capture(PATIENCE, &passive) else {
        return deregister(registration, kernel);
    };
    let (recorder, ends) = Recorder::new(Policy::Retain);
    if let Ok(engine) = Engine::open(kernel.clone(), recorder, &config(), &passive) {
        if let Ok(socket) = engine.open_socket(&provider, &told("127.0.0.1:0"), &passive) {
            talk(&engine, &ends, &socket);
            // What cannot be closed in time is the registration's to close.
            let _closed = socket.close(PATIENCE, &passive);
        }
        let mut listener = Listener::new(told("127.0.0.1:0"), Memberships::default());
        let mut now = kernel.ke_query_performance_counter();
        // At most one attempt fails; the next is due within a second.
        for _ in 0..4 {
            now = listener.poll(&engine, &provider, now, &passive).unwrap_or(now)
                + kernel.performance_frequency();
        }
        assert!(matches!(listener.stats(now).state, ListenerState::Open { .. }), "{:?}", listener.stats(now));
        let _closed = listener.close(PATIENCE, &passive);
        drop(listener);
        drop(ends);
        drop(provider);
        deregister(registration, kernel);
        let stats = engine.stats();
        assert!(stats.balances() && stats.retained() == 0 && stats.sends_outstanding() == 0, "{stats:?}");
    } else {
        drop(provider);
        deregister(registration, kernel);
    }
}

/// Sends to the socket itself, keeps what comes for a while, and waits until everything is accounted for.
fn talk(engine: &RecorderEngine, ends: &Ends<HostKernel>, socket: &Socket) {
    let to = socket.local_address();
    let settled = || wait_for(engine, |stats| stats.sends_outstanding() == 0);
    for round in 0..3 {
        let before = engine.stats();
        let single = socket.send(to, b"to itself", &SendOptions::default());
        let batch = socket.send_batch(to, &SendOptions::default(), |batch| {
            batch.push(b"one").and_then(|()| batch.push(b"two")).is_ok()
        });
        let after = settled();
        let sent = u64::from(single.is_ok()) + batch.map_or(0, |(_, sent)| sent as u64);
        let failed = after.sends_failed - before.sends_failed;
        // What failed later was counted among those sent.
        let least = sent.saturating_sub(failed);
        let seen = wait_for(engine, |stats| stats.indicated >= before.indicated + least);
        assert!(seen.balances(), "round {round}: {seen:?}");
        if round == 1 {
            ends.retained.try_iter().for_each(drop);
        }
    }
    ends.retained.try_iter().for_each(drop);
}

/// Closes a registration, again where a wait ended early.
fn deregister(mut registration: Registration<HostKernel>, kernel: &HostKernel) {
    let passive = Passive::acquire(kernel).unwrap();
    for _ in 0..3 {
        match registration.close(PATIENCE, &passive) {
            Ok(()) => return,
            Err(DeregisterError::InUse { registration: still, .. }) => registration = still,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("it cannot be closed");
}

/// The calls that failed in `life` behind these quirks.
fn failed_behind(quirks: &[Quirk]) -> Vec<(&'static str, Manner)> {
    let mut host = HostConfig::loopback(1);
    host.provider.middleware.extend(quirks.iter().map(|quirk| quirk.middleware()));
    let report = FaultLoop::default().run(&host, life).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} sites of {} calls failed in {} runs", report.sites.len(), report.calls, report.runs);
    report.sites.iter().map(|site| (site.call(), site.manner())).collect()
}

#[test]
fn a_life_in_which_any_call_fails_once_ends_with_nothing_left() {
    // So that there is something to map.
    let failed = failed_behind(&[Quirk::UnmappedMdls]);
    for call in [
        "ExAllocatePool2",
        "KeWaitForSingleObject",
        "MmMapLockedPagesSpecifyCache",
        "WskBind",
        "WskCaptureProviderNPI",
        "WskControlClient",
        "WskControlSocket",
        "WskGetLocalAddress",
        "WskRegister",
        "WskSendMessages",
        "WskSendTo",
        "WskSocket",
    ] {
        assert!(failed.contains(&(call, Manner::AtOnce)), "no {call} failed: {failed:?}");
    }
    for call in ["WskBind", "WskControlSocket", "WskSendMessages", "WskSendTo", "WskSocket"] {
        assert!(failed.contains(&(call, Manner::Later)), "no {call} failed later: {failed:?}");
    }
}

#[test]
fn a_life_in_which_any_completion_fails_once_ends_with_nothing_left() {
    let failed = failed_behind(&[Quirk::DeferredCompletion]);
    for call in ["WskBind", "WskControlSocket", "WskSendMessages", "WskSendTo"] {
        assert!(failed.contains(&(call, Manner::InTheEnd)), "no {call} failed in the end: {failed:?}");
    }
}

/// Allocates and frees; whether it was to be had.
fn allocate(kernel: &HostKernel) -> bool {
    let tag = Tag::new(b"Loop");
    let Some(memory) = kernel.allocate(16, tag) else { return false };
    // SAFETY: allocated just now, and not used.
    unsafe { kernel.free(memory, 16, tag) };
    true
}

fn looped(limit: Duration, scenario: impl Fn(&HostKernel) + Send + Sync + 'static) -> FaultFailure {
    let once = FaultLoop { patience: limit, limit: 20 };
    once.run(&HostConfig::loopback(1), scenario).expect_err("the scenario is no good")
}

#[test]
fn the_loop_reports_what_a_failure_leads_to() {
    let panicked = looped(PATIENCE, |kernel| assert!(allocate(kernel), "it was to be had"));
    assert!(
        matches!(&panicked, FaultFailure::Panicked { site: Some(site), message }
        if site.call() == "ExAllocatePool2" && message == "it was to be had"),
        "{panicked}"
    );
    assert!(panicked.to_string().contains("faults::allocate"), "{panicked}");

    let left = looped(Duration::from_millis(50), |kernel| {
        if !allocate(kernel) {
            let _leaked = kernel.allocate(16, Tag::new(b"Leak"));
        }
    });
    assert!(matches!(&left, FaultFailure::Left { outstanding, .. } if outstanding.memory == 16), "{left}");

    let hung = looped(Duration::from_millis(50), |kernel| {
        if !allocate(kernel) {
            loop {
                std::thread::park();
            }
        }
    });
    assert!(matches!(hung, FaultFailure::Hung { site: Some(_), .. }), "{hung}");

    let found = looped(PATIENCE, |kernel| {
        let mut event: KEVENT = zeroed();
        if !allocate(kernel) {
            // SAFETY: writable; nothing waits on it.
            unsafe { kernel.ke_set_event(&raw mut event) };
        }
    });
    assert!(matches!(&found, FaultFailure::Found { findings, .. } if findings.len() == 1), "{found}");
}

#[test]
fn a_scenario_that_takes_another_way_each_time_has_no_end() {
    fn deeper(kernel: &HostKernel, depth: usize) -> bool {
        let ok = if depth == 0 { allocate(kernel) } else { deeper(kernel, depth - 1) };
        // Behind the call, so that it is none at the tail.
        std::hint::black_box(ok)
    }
    let depth = AtomicUsize::new(0);
    let endless = looped(PATIENCE, move |kernel| {
        deeper(kernel, depth.fetch_add(1, Ordering::Relaxed));
    });
    assert!(matches!(endless, FaultFailure::NoEnd { runs: 20 }), "{endless}");
}

#[test]
fn open_asks_for_exactly_what_it_says() {
    for processors in [1, 3] {
        let kernel = HostKernel::new(HostConfig::with_workers(processors));
        let passive = Passive::acquire(&kernel).unwrap();
        let (recorder, _ends) = Recorder::new(Policy::Consume);
        let before = kernel.memory_in_use();
        let engine = Engine::open(kernel.clone(), recorder, &config(), &passive).unwrap();
        let asked = kernel.memory_in_use() - before;
        assert_eq!(asked, Engine::<HostKernel, Recorder<HostKernel>>::bytes(&config(), processors).unwrap());
        drop(engine);
        assert_eq!(kernel.memory_in_use(), before);
    }
}

#[test]
fn fewer_shards_than_processors_is_refused() {
    let kernel = HostKernel::new(HostConfig::with_workers(4));
    let passive = Passive::acquire(&kernel).unwrap();
    let (recorder, _ends) = Recorder::new(Policy::Consume);
    let config = Config { shards: 2, ..config() };
    let error = Engine::open(kernel.clone(), recorder, &config, &passive).err().unwrap();
    assert_eq!(error, OpenError::TooFewShards { processors: 4, shards: 2 });
}

#[test]
fn an_address_in_use_is_told_with_its_status() {
    let client = crate::fixture::Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let options = skua_engine::SocketOptions::new(taken.local_addr().unwrap());
        let error = engine.open_socket(&client.provider, &options, &passive).err().unwrap();
        assert_eq!(error.status(), skua_engine::abi::status::STATUS_ADDRESS_ALREADY_EXISTS);
        assert!(error.to_string().contains("STATUS_ADDRESS_ALREADY_EXISTS"), "{error}");
        assert_eq!(client.kernel.outstanding().sockets, 0, "a failed open leaves nothing open");
    }
    drop(engine);
    client.finish();
}

#[test]
fn a_registration_with_a_socket_is_not_closed() {
    let client = crate::fixture::Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let crate::fixture::Client { kernel, registration, provider } = client;
    let passive = Passive::acquire(&kernel).unwrap();
    drop(provider);
    let error = registration.close(Duration::ZERO, &passive).unwrap_err();
    let DeregisterError::InUse { sockets: 1, captures: 0, registration } = error else {
        panic!("{error}");
    };
    socket.close(PATIENCE, &passive).unwrap();
    registration.close(PATIENCE, &passive).unwrap();
    drop(engine);
    assert!(kernel.outstanding().is_empty());
}

#[test]
fn an_engine_and_a_provider_of_different_kernels_do_not_mix() {
    let (one, other) = (
        crate::fixture::Client::new(HostConfig::default()),
        crate::fixture::Client::new(HostConfig::default()),
    );
    let (engine, _ends) = one.engine(Policy::Consume, &Config::default());
    {
        let passive = Passive::acquire(&one.kernel).unwrap();
        let error = engine.open_socket(&other.provider, &told("127.0.0.1:0"), &passive).err().unwrap();
        assert!(matches!(error, OpenSocketError::OtherKernel), "{error}");
    }
    drop(engine);
    one.finish();
    other.finish();
}

#[test]
fn a_provider_that_is_away_makes_the_capture_time_out() {
    let kernel = HostKernel::new(HostConfig::default());
    kernel.set_provider_away(true);
    let passive = Passive::acquire(&kernel).unwrap();
    let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
    let early = registration.capture(Duration::from_millis(5), &passive);
    assert!(matches!(early.err(), Some(skua_engine::CaptureError::NotReady(_))));
    kernel.set_provider_away(false);
    drop(registration.capture(PATIENCE, &passive).unwrap());
    registration.close(PATIENCE, &passive).unwrap();
    assert!(kernel.outstanding().is_empty());
}
