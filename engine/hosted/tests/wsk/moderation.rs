//! A provider that is told to moderate lets datagrams gather while they keep coming, and nothing else changes.
#![cfg(target_os = "linux")]

use std::net::UdpSocket;
use std::time::Duration;

use skua_hosted::{HostKernel, Outstanding, ProviderConfig};

use crate::raw::socket::Socket;
use crate::raw::{Client, LIMIT, LOCALHOST, with};
use crate::rest::is_at_rest;

/// Long beside the time between two datagrams.
fn moderated() -> HostKernel {
    with(ProviderConfig { moderation: ProviderConfig::LONGEST_MODERATION, ..ProviderConfig::default() })
}

/// Sends `count` datagrams that are a little apart.
fn send(to: &Socket, count: usize) {
    let sender = UdpSocket::bind(LOCALHOST).unwrap();
    for number in 0..count {
        sender.send_to(&number.to_le_bytes(), to.local()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_list_has_several_datagrams_while_they_keep_coming() {
    const COUNT: usize = 400;
    let kernel = moderated();
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    send(&socket, COUNT);
    socket.recorder.wait_for(COUNT);
    let calls = socket.recorder.calls();
    assert!(calls <= COUNT / 2, "{calls} lists for {COUNT} datagrams");
    let numbers: Vec<Vec<u8>> = socket.recorder.datagrams().into_iter().map(|seen| seen.payload).collect();
    assert!(numbers.iter().enumerate().all(|(number, payload)| *payload == number.to_le_bytes()));
    is_at_rest("no more datagrams come", &[format!("recv-{}-0", socket.local().port())]);
    send(&socket, 1);
    socket.recorder.wait_for(COUNT + 1);
    socket.close();
    client.end();
}

#[test]
fn what_gathers_is_indicated_when_the_intake_ends() {
    const COUNT: usize = 150;
    let kernel = moderated();
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    send(&socket, COUNT);
    assert!(kernel.quiesce(Some(&socket.local()), LIMIT));
    assert_eq!((socket.recorder.count(), kernel.lost_below()), (COUNT, Some(0)));
    socket.close();
    client.end();
}

#[test]
fn a_socket_closes_while_its_worker_rests() {
    for count in [20, 60] {
        let kernel = moderated();
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        send(&socket, count);
        socket.close();
        client.end();
        assert_eq!(kernel.outstanding(), Outstanding::default());
    }
}
