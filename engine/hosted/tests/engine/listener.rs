//! A listener that outlives its sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use skua_engine::abi::status::STATUS_ADDRESS_ALREADY_EXISTS;
use skua_engine::{
    Config, Kernel, Listener, ListenerFailure, ListenerState, ListenerStats, Membership, Memberships,
    OpenSocketError, Passive, Retention, SocketOptions,
};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{Client, PATIENCE, Policy, Recorder, RecorderEngine, sender, told};
use crate::membership::loopback_index;

type RecorderListener = Listener<HostKernel, Recorder<HostKernel>>;

fn listener(local: &str) -> RecorderListener {
    Listener::new(told(local), Memberships::new())
}

fn counter(client: &Client) -> u64 {
    client.kernel.ke_query_performance_counter()
}

fn ticks(client: &Client, milliseconds: u64) -> u64 {
    client.kernel.performance_frequency() / 1000 * milliseconds
}

fn poll(client: &Client, engine: &RecorderEngine, listener: &mut RecorderListener, now: u64) -> Option<u64> {
    let passive = Passive::acquire(&client.kernel).unwrap();
    listener.poll(engine, &client.provider, now, &passive)
}

/// Polls from `now` on whenever it is due, as if time flew, until the listener is open; at which time it is.
fn poll_until_open(
    client: &Client,
    engine: &RecorderEngine,
    listener: &mut RecorderListener,
    mut now: u64,
) -> u64 {
    let until = Instant::now() + PATIENCE;
    loop {
        let due = poll(client, engine, listener, now).unwrap();
        if listener.socket().is_some() {
            return now;
        }
        assert!(due > now, "a wait");
        assert!(Instant::now() < until, "{:?}", listener.stats(now));
        now = due;
        // For the threads of the socket before, which the host's clock is for.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn finish(client: Client, engine: RecorderEngine, mut listener: RecorderListener) {
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        listener.close(PATIENCE, &passive).unwrap();
    }
    drop(engine);
    client.finish();
}

/// What the provider said about the attempt to open.
fn refused(stats: &ListenerStats) -> skua_engine::abi::status::NTSTATUS {
    match stats.failure {
        Some(ListenerFailure::Open(error @ OpenSocketError::Refused { .. })) => error.status(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_socket_that_dies_is_replaced_its_groups_rejoined_and_the_gap_counted() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let group: IpAddr = "239.255.7.9".parse().unwrap();
    let interface = loopback_index(&client);
    let memberships = [Membership { group, interface, source: None }].into_iter().collect();
    let mut listener = Listener::new(told("0.0.0.0:0"), memberships);
    let opened = counter(&client);
    poll(&client, &engine, &mut listener, opened).unwrap();
    let first = listener.stats(opened);
    assert_eq!((first.state, first.closed_ticks), (ListenerState::Open { unjoined: 0 }, 0));
    let local = listener.local_address();
    assert_ne!(local.port(), 0);

    let multicast = socket2::Socket::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    multicast.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let to = SocketAddr::new(group, local.port());
    for death in 1..=3_u64 {
        multicast.send_to(b"group", &to.into()).unwrap();
        assert_eq!(ends.next().local, to);

        let gap_before = listener.stats(0).closed_ticks;
        let before = counter(&client);
        assert_eq!(client.kernel.kill(&local), 1);
        let died = listener.socket().unwrap().died().unwrap();
        assert!((before..=counter(&client)).contains(&died));
        poll(&client, &engine, &mut listener, died).unwrap();
        let stats = listener.stats(died + 7);
        assert_eq!((stats.failure, stats.closed_since), (Some(ListenerFailure::Died), Some(died)));
        assert_eq!(stats.closed_ticks, gap_before + 7);
        assert!(listener.socket().is_none(), "one that died young is not replaced at once");

        let reopened = poll_until_open(&client, &engine, &mut listener, died);
        assert!(reopened >= died + ticks(&client, 250));
        let stats = listener.stats(reopened);
        assert_eq!(stats.state, ListenerState::Open { unjoined: 0 });
        assert_eq!((stats.reopened, stats.attempts, stats.closed_since), (death, 0, None));
        assert_eq!(stats.closed_ticks, gap_before + (reopened - died));
        assert_eq!(listener.local_address(), local, "the port that the stack chose at first");
    }
    multicast.send_to(b"last", &to.into()).unwrap();
    assert_eq!(ends.next().payload, b"last");
    finish(client, engine, listener);
}

#[test]
fn a_socket_that_had_lasted_is_replaced_at_once() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let mut listener = listener("127.0.0.1:0");
    let opened = counter(&client) - ticks(&client, 30_000);
    poll(&client, &engine, &mut listener, opened).unwrap();
    client.kernel.kill(&listener.local_address());
    let died = counter(&client);
    poll(&client, &engine, &mut listener, died).unwrap();
    let stats = listener.stats(died);
    match stats.state {
        ListenerState::Open { .. } => assert_eq!(stats.failure, Some(ListenerFailure::Died)),
        // The threads of the one before still had the port. It was tried.
        _ => assert_eq!((refused(&stats), stats.attempts), (STATUS_ADDRESS_ALREADY_EXISTS, 1)),
    }
    poll_until_open(&client, &engine, &mut listener, died);
    finish(client, engine, listener);
}

#[test]
fn a_port_in_use_is_bound_when_it_becomes_free() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = taken.local_addr().unwrap();
    let mut listener = listener(&local.to_string());
    let first = counter(&client);
    let mut now = first;
    for (attempt, wait) in [(1, 250), (2, 500), (3, 1000)] {
        let due = poll(&client, &engine, &mut listener, now).unwrap();
        let stats = listener.stats(now);
        assert_eq!(due, now + ticks(&client, wait));
        assert_eq!((stats.state, stats.attempts), (ListenerState::Waiting { until: due }, attempt));
        assert_eq!(refused(&stats), STATUS_ADDRESS_ALREADY_EXISTS);
        assert_eq!((stats.closed_since, stats.closed_ticks), (Some(first), now - first));
        poll(&client, &engine, &mut listener, due - 1).unwrap();
        assert_eq!(listener.stats(now).attempts, attempt, "not before it is due");
        now = due;
    }
    drop(taken);
    poll(&client, &engine, &mut listener, now).unwrap();
    let stats = listener.stats(now + 5);
    assert_eq!((stats.state, stats.attempts), (ListenerState::Open { unjoined: 0 }, 0));
    assert_eq!((stats.reopened, stats.closed_since, stats.closed_ticks), (0, None, now - first));
    assert_eq!(refused(&stats), STATUS_ADDRESS_ALREADY_EXISTS, "the latest failure is still told");
    sender(local).send(b"heard").unwrap();
    assert_eq!(ends.next().payload, b"heard");
    finish(client, engine, listener);
}

#[test]
fn one_that_is_closed_while_it_waits_opens_no_more() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut listener = listener(&taken.local_addr().unwrap().to_string());
    let now = counter(&client);
    let first_due = poll(&client, &engine, &mut listener, now).unwrap();
    let due = poll(&client, &engine, &mut listener, first_due).unwrap();
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        listener.close(PATIENCE, &passive).unwrap();
    }
    drop(taken);
    assert_eq!(poll(&client, &engine, &mut listener, due), None);
    let stats = listener.stats(due);
    assert_eq!((stats.state, stats.closed_since), (ListenerState::Closed, None));
    assert_eq!(stats.closed_ticks, first_due - now, "what comes after its end is no gap");
    assert!(listener.socket().is_none());
    finish(client, engine, listener);
}

#[test]
fn a_dead_socket_that_something_keeps_does_not_hold_the_poll_up() {
    let client = Client::new(HostConfig::default());
    let retention = Retention { datagrams: 4, bytes: 1 << 16, ..Retention::default() };
    let (engine, ends) = client.engine(Policy::Retain, &Config { retention, ..Config::default() });
    let mut listener = listener("127.0.0.1:0");
    let now = counter(&client);
    poll(&client, &engine, &mut listener, now).unwrap();
    let local = listener.local_address();
    sender(local).send(b"kept").unwrap();
    let kept = ends.next_retained();
    client.kernel.kill(&local);
    let mut now = counter(&client);
    for _ in 0..4 {
        now = poll(&client, &engine, &mut listener, now).unwrap();
    }
    assert!(listener.socket().is_none());
    assert_eq!(refused(&listener.stats(now)), STATUS_ADDRESS_ALREADY_EXISTS);
    drop(kept);
    poll_until_open(&client, &engine, &mut listener, now);
    finish(client, engine, listener);
}

#[test]
fn a_group_that_cannot_be_joined_is_tried_again_while_the_socket_hears() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let group = "239.255.7.10".parse().unwrap();
    let nowhere = Membership { group, interface: 1 << 30, source: None };
    let somewhere = Membership { interface: loopback_index(&client), ..nowhere };
    let memberships = [somewhere, nowhere, nowhere].into_iter().collect();
    let options = SocketOptions::new("127.0.0.1:0".parse().unwrap());
    let mut listener = Listener::new(options, memberships);
    let mut now = counter(&client);
    for attempts in 1..=4 {
        let due = poll(&client, &engine, &mut listener, now).unwrap();
        let stats = listener.stats(now);
        assert_eq!(due, now + ticks(&client, [250, 500, 1000, 1000][attempts as usize - 1]));
        assert_eq!((stats.state, stats.attempts), (ListenerState::Open { unjoined: 2 }, attempts));
        assert!(matches!(stats.failure, Some(ListenerFailure::Join(_))), "{:?}", stats.failure);
        assert_eq!((stats.closed_since, stats.closed_ticks), (None, 0), "it hears");
        now = due;
    }
    sender(listener.local_address()).send(b"direct").unwrap();
    assert_eq!(ends.next().payload, b"direct");
    finish(client, engine, listener);
}

#[test]
fn memory_that_runs_out_is_waited_for() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let mut listener = listener("127.0.0.1:0");
    let now = counter(&client);
    client.kernel.fail_allocation(1);
    let due = poll(&client, &engine, &mut listener, now).unwrap();
    let failure = listener.stats(now).failure;
    assert_eq!(failure, Some(ListenerFailure::Open(OpenSocketError::OutOfMemory)));
    client.kernel.fail_allocation(0);
    poll(&client, &engine, &mut listener, due).unwrap();
    assert!(listener.socket().is_some());
    finish(client, engine, listener);
}

#[test]
fn one_that_is_dropped_leaves_its_socket_to_the_registration() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let mut listener = listener("127.0.0.1:0");
    let now = counter(&client);
    poll(&client, &engine, &mut listener, now).unwrap();
    assert_eq!(client.kernel.outstanding().sockets, 1);
    drop(listener);
    drop(engine);
    client.finish();
}
