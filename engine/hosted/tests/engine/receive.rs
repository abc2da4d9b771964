//! What reaches the handler, from senders that are not ours.

use std::net::{IpAddr, UdpSocket};

use skua_engine::{Config, DropReason, SocketOptions};
use skua_hosted::HostConfig;

use crate::fixture::{Client, Policy, sender, told, wait_for};

/// Payload lengths around every edge: empty, one byte, an Ethernet frame, the provider's first part, the largest.
const LENGTHS: [usize; 9] = [0, 1, 64, 1472, 2047, 2048, 2049, 9000, 65_507];

fn pattern(length: usize) -> Vec<u8> {
    (0..=250_u8).cycle().step_by(31).take(length).collect()
}

fn payloads_arrive_whole(local: &str) {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told(local));
    let sender = sender(socket.local_address());
    for length in LENGTHS {
        let payload = pattern(length);
        sender.send(&payload).unwrap();
        let seen = ends.next();
        assert!(seen.payload == payload, "{length} bytes arrived as {}", seen.payload.len());
        assert_eq!(seen.remote, sender.local_addr().unwrap());
        assert_eq!(seen.local, socket.local_address());
        assert!(seen.interface > 0);
        assert!(seen.hop_limit > 0);
    }
    let stats = wait_for(&engine, |stats| stats.accepted == LENGTHS.len() as u64);
    assert_eq!(stats.bytes, LENGTHS.iter().sum::<usize>() as u64);
    // Times of arrival are not to be had from Winsock.
    assert_eq!(stats.without_info, if cfg!(windows) { stats.accepted } else { 0 });
    assert!(stats.balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn ipv4_payloads_of_every_length_arrive_whole() {
    payloads_arrive_whole("127.0.0.1:0");
}

#[test]
fn ipv6_payloads_of_every_length_arrive_whole() {
    payloads_arrive_whole("[::1]:0");
}

#[test]
fn a_dual_stack_socket_names_ipv4_senders_as_ipv4() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("[::]:0"));
    let port = socket.local_address().port();
    let v4 = sender(format!("127.0.0.1:{port}").parse().unwrap());
    v4.send(b"four").unwrap();
    let seen = ends.next();
    assert_eq!(seen.remote, v4.local_addr().unwrap());
    assert_eq!(seen.local.ip(), "127.0.0.1".parse::<IpAddr>().unwrap());
    let v6 = sender(format!("[::1]:{port}").parse().unwrap());
    v6.send(b"six").unwrap();
    let seen = ends.next();
    assert_eq!(seen.remote, v6.local_addr().unwrap());
    assert_eq!(seen.local.ip(), "::1".parse::<IpAddr>().unwrap());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn an_ipv6_only_socket_hears_no_ipv4() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &SocketOptions { only_v6: true, ..told("[::]:0") });
    let port = socket.local_address().port();
    let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
    v4.send_to(b"four", ("127.0.0.1", port)).unwrap();
    sender(format!("[::1]:{port}").parse().unwrap()).send(b"six").unwrap();
    assert_eq!(ends.next().payload, b"six");
    assert_eq!(wait_for(&engine, |stats| stats.indicated > 0).indicated, 1);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn without_control_messages_the_bound_address_stands_in() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &SocketOptions::new("127.0.0.1:0".parse().unwrap()));
    sender(socket.local_address()).send(b"plain").unwrap();
    let seen = ends.next();
    assert_eq!(seen.local, socket.local_address());
    assert_eq!((seen.interface, seen.type_of_service, seen.hop_limit), (0, 0, 0));
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn the_handler_sees_the_buffers_of_the_system_call() {
    // Not the verifier's copies.
    let client = Client::new(HostConfig::default().unverified());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let buffers = client.kernel.receive_buffers(&socket.local_address());
    assert!(!buffers.is_empty());
    let sender = sender(socket.local_address());
    for length in LENGTHS.into_iter().filter(|&length| length > 0) {
        sender.send(&pattern(length)).unwrap();
        let at = ends.next().address;
        assert!(buffers.iter().any(|buffer| buffer.contains(&at)), "{length} bytes lie at {at:#x}, a copy");
    }
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn times_are_of_this_kernels_counter_and_in_order() {
    use skua_engine::Kernel;
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    let before = client.kernel.ke_query_performance_counter();
    let mut last = 0;
    for _ in 0..20 {
        sender.send(b"tick").unwrap();
        let seen = ends.next();
        assert!(seen.time >= last, "time runs backwards");
        last = seen.time;
    }
    let after = client.kernel.ke_query_performance_counter();
    // A millisecond of tolerance: the stack stamps with the wall clock, which is converted.
    let tolerance = client.kernel.performance_frequency() / 1000;
    assert!(last + tolerance >= before && last <= after + tolerance, "{before} {last} {after}");
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn a_refusing_handler_is_counted_and_the_sum_holds() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Refuse, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    for _ in 0..100 {
        sender.send(b"no").unwrap();
    }
    let stats = wait_for(&engine, |stats| stats.indicated == 100);
    assert_eq!(stats.dropped(DropReason::Handler), 100);
    assert_eq!(stats.delivered(), 0);
    assert!(stats.balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn datagrams_after_the_stop_are_counted_as_closing() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let sender = sender(socket.local_address());
    sender.send(b"before").unwrap();
    ends.next();
    socket.stop();
    for _ in 0..10 {
        sender.send(b"after").unwrap();
    }
    let stats = wait_for(&engine, |stats| stats.indicated == 11);
    assert_eq!(stats.dropped(DropReason::Closing), 10);
    assert_eq!(stats.delivered(), 1);
    assert!(stats.balances());
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn several_workers_share_one_port() {
    let client = Client::new(HostConfig::with_workers(2));
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let senders: Vec<_> = (0..64).map(|_| sender(socket.local_address())).collect();
    for sender in &senders {
        sender.send(b"spread").unwrap();
    }
    let stats = wait_for(&engine, |stats| stats.indicated == 64);
    assert_eq!(stats.delivered(), 64);
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn dynamic_events_are_switched_on_after_the_bind() {
    let client = Client::with_events(HostConfig::default(), skua_engine::Events::Dynamic);
    let (engine, ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    sender(socket.local_address()).send(b"on").unwrap();
    assert_eq!(ends.next().payload, b"on");
    client.close(socket);
    drop(engine);
    client.finish();
}
