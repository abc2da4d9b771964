//! What becomes of each datagram.

use skua_engine::DropReason;

use crate::fixture::{Client, next, peer, wait_for};

#[test]
fn datagrams_of_every_size_pass_both_ways_unchanged() {
    let client = Client::new();
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let rules = [
        format!("outer any forward {}", inside.local_addr().unwrap()),
        format!("inner any forward {}", outside.local_addr().unwrap()),
    ];
    let forwarder = client.open(&rules, 8);
    let [outer, inner] = forwarder.local();
    let mut sent = 0;
    for length in [0, 1, 16, 17, 1_472, 9_000, 65_507] {
        let payload: Vec<u8> = (0..=250).cycle().take(length).collect();
        outside.send_to(&payload, outer).unwrap();
        assert_eq!(next(&inside), (payload.clone(), inner));
        inside.send_to(&payload, inner).unwrap();
        assert_eq!(next(&outside), (payload, outer));
        sent += 2;
    }
    // The last completion may still be under way.
    wait_for(&forwarder, |stats| stats.engine.sends_outstanding() == 0 && stats.engine.retained() == 0);
    assert_eq!([0, 1, 2].map(|rule| forwarder.hits(rule)), [Some(sent / 2), Some(sent / 2), None]);
    let stats = client.close(forwarder);
    assert_eq!((stats.forwarded, stats.not_sent), (sent, 0));
    assert_eq!((stats.engine.indicated, stats.engine.kept, stats.engine.released), (sent, sent, sent));
    assert!(stats.engine.balances() && stats.engine.sends_completed == sent, "{stats:?}");
    client.finish();
}

#[test]
fn what_does_not_pass_is_dropped_for_the_reason_that_it_was_dropped_for() {
    let client = Client::new();
    let [good, bad, stranger] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(peer);
    let inside = peer("127.0.0.1");
    let rules = [
        "outer 127.0.0.2 drop".to_owned(),
        format!("outer 127.0.0.1 forward {}", inside.local_addr().unwrap()),
    ];
    let forwarder = client.open(&rules, 8);
    let [outer, inner] = forwarder.local();
    for round in 0..10_u8 {
        good.send_to(&[round], outer).unwrap();
        bad.send_to(b"bad", outer).unwrap();
        stranger.send_to(b"stranger", outer).unwrap();
        assert_eq!(next(&inside), (vec![round], inner));
    }
    // No rule is about the inner side.
    inside.send_to(b"back", inner).unwrap();
    let stats = wait_for(&forwarder, |stats| stats.engine.indicated == 31);
    assert_eq!(stats.engine.dropped(DropReason::Handler), 10);
    assert_eq!(stats.engine.dropped(DropReason::NotAllowed), 11);
    assert_eq!((forwarder.hits(0), forwarder.hits(1), stats.forwarded), (Some(10), Some(10), 10));
    assert!(stats.engine.balances(), "{stats:?}");
    client.close(forwarder);
    client.finish();
}

#[test]
fn datagrams_beyond_the_budget_are_dropped_and_counted_while_sends_are_stuck() {
    let client = Client::new();
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let rules = [format!("outer any forward {}", inside.local_addr().unwrap())];
    let forwarder = client.open(&rules, 4);
    let [outer, _] = forwarder.local();
    client.kernel.set_congested(true);
    for number in 0..10_u8 {
        outside.send_to(&[number], outer).unwrap();
    }
    let stats = wait_for(&forwarder, |stats| stats.engine.indicated == 10);
    assert_eq!((stats.engine.retained(), stats.forwarded), (4, 4));
    assert_eq!(stats.engine.dropped(DropReason::RetainBudget), 6);
    assert!(stats.engine.balances(), "{stats:?}");
    client.kernel.set_congested(false);
    for number in 0..4 {
        assert_eq!(next(&inside).0, [number]);
    }
    // What has come back can be used again.
    wait_for(&forwarder, |stats| stats.engine.retained() == 0);
    outside.send_to(b"again", outer).unwrap();
    assert_eq!(next(&inside).0, b"again");
    client.close(forwarder);
    client.finish();
}

#[test]
fn two_engines_of_one_driver_do_not_disturb_each_other() {
    let client = Client::new();
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let pass = [format!("outer any forward {}", inside.local_addr().unwrap())];
    let (one, other) = (client.open(&pass, 4), client.open(&["outer any drop".to_owned()], 4));
    let ([to_one, from_one], [to_other, _]) = (one.local(), other.local());
    for round in 0..20_u8 {
        outside.send_to(&[round], to_one).unwrap();
        outside.send_to(&[round], to_other).unwrap();
        assert_eq!(next(&inside), (vec![round], from_one));
    }
    wait_for(&other, |stats| stats.engine.dropped(DropReason::Handler) == 20);
    // One goes while datagrams of the other are under way.
    client.kernel.set_congested(true);
    outside.send_to(b"held", to_one).unwrap();
    wait_for(&one, |stats| stats.engine.retained() == 1);
    client.close(other);
    assert_eq!(one.stats().engine.retained(), 1);
    client.kernel.set_congested(false);
    assert_eq!(next(&inside).0, b"held");
    let stats = client.close(one);
    assert_eq!((stats.forwarded, stats.engine.indicated), (21, 21));
    client.finish();
}
