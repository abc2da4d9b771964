//! The end, while datagrams are under way.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use skua_engine::Passive;
use skua_forward::Unfinished;

use crate::fixture::{Client, next, peer, wait_for};

#[test]
fn a_close_cancels_sends_that_are_stuck_and_the_datagrams_that_they_carried_go_back() {
    let client = Client::new();
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let rules = [format!("outer any forward {}", inside.local_addr().unwrap())];
    let forwarder = client.open(&rules, 4);
    let [outer, _] = forwarder.local();
    client.kernel.set_congested(true);
    for number in 0..3_u8 {
        outside.send_to(&[number], outer).unwrap();
    }
    wait_for(&forwarder, |stats| stats.engine.retained() == 3);
    let passive = Passive::acquire(&client.kernel).unwrap();
    // The outer socket is closed first and waits for what the inner one's sends carry, for no longer than it was told.
    let Err(Unfinished::Socket(error)) = forwarder.close(Duration::from_millis(20), &passive) else {
        panic!("three datagrams are lent")
    };
    assert_eq!(error.outstanding.inside, 3, "{error}");
    // The closing list sees it through, though nothing can be sent: the inner socket's close has cancelled its sends.
    client.finish();
}

#[test]
fn sockets_that_wait_for_what_each_other_sends_close_when_it_is_sent() {
    let client = Client::new();
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let rules = [
        format!("outer any forward {}", inside.local_addr().unwrap()),
        format!("inner any forward {}", outside.local_addr().unwrap()),
    ];
    let forwarder = client.open(&rules, 4);
    let [outer, inner] = forwarder.local();
    client.kernel.set_congested(true);
    outside.send_to(b"in", outer).unwrap();
    inside.send_to(b"out", inner).unwrap();
    wait_for(&forwarder, |stats| stats.engine.retained() == 2);
    let passive = Passive::acquire(&client.kernel).unwrap();
    let unfinished = forwarder.close(Duration::from_millis(20), &passive);
    assert!(matches!(unfinished, Err(Unfinished::Socket(_))));
    client.kernel.set_congested(false);
    assert_eq!(next(&inside).0, b"in");
    assert_eq!(next(&outside).0, b"out");
    client.finish();
}

#[test]
fn a_close_amid_a_flood_both_ways_leaves_nothing_and_accounts_for_all() {
    for _ in 0..20 {
        let client = Client::new();
        let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
        let rules = [
            format!("outer any forward {}", inside.local_addr().unwrap()),
            format!("inner any forward {}", outside.local_addr().unwrap()),
        ];
        let forwarder = client.open(&rules, 8);
        let [outer, inner] = forwarder.local();
        let over = AtomicBool::new(false);
        let stats = std::thread::scope(|scope| {
            for to in [outer, inner] {
                let over = &over;
                scope.spawn(move || {
                    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                    while !over.load(Ordering::Relaxed) {
                        // Refused once nobody listens.
                        let _refused = socket.send_to(&[1; 100], to);
                        std::thread::yield_now();
                    }
                });
            }
            wait_for(&forwarder, |stats| stats.forwarded >= 50);
            let stats = client.close(forwarder);
            over.store(true, Ordering::Relaxed);
            stats
        });
        assert!(stats.engine.balances() && stats.engine.retained() == 0, "{stats:?}");
        assert_eq!(stats.engine.sends_outstanding(), 0);
        assert_eq!(stats.engine.kept, stats.forwarded + stats.not_sent, "{stats:?}");
        client.finish();
    }
}
