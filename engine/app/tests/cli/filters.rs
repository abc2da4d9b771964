//! What is let in, and under which reason the rest is counted.

use std::net::UdpSocket;

use crate::sink::{Report, Sink};

/// Sends from two addresses in turn, and waits until all of it is indicated.
fn filtered(args: &[&str], per_source: u64) -> Report {
    let sink = Sink::start(&[&["--listen", "127.0.0.1:0"], args].concat());
    let sockets = ["127.0.0.1:0", "127.0.0.2:0"].map(|from| UdpSocket::bind(from).unwrap());
    for _ in 0..per_source {
        for socket in &sockets {
            socket.send_to(b"x", sink.address()).unwrap();
        }
    }
    let report = sink.stop();
    report.accounts_for(2 * per_source);
    assert_eq!(report.count("lost_below"), 0);
    report
}

#[test]
fn everyone_without_a_list() {
    assert_eq!(filtered(&[], 20).dropped(), 0);
}

#[test]
fn only_prefixes_on_the_list() {
    let report = filtered(&["--allow", "127.0.0.2/32", "--allow", "10.0.0.0/8"], 20);
    assert_eq!(report.summary["drops"]["not_allowed"], 20);
    assert_eq!(report.count("written"), 20);
}

#[test]
fn so_many_from_each_source() {
    let report = filtered(&["--source-rate", "5"], 20);
    let limited = report.summary["drops"]["rate_limited"].as_u64().unwrap();
    // A source begins with a full second's worth; more come in while they are sent, but not twice as many.
    assert!((20..=30).contains(&limited), "{report:?}");
}

#[test]
fn one_in_so_many() {
    let report = filtered(&["--sample", "1/4"], 20);
    assert_eq!(report.summary["drops"]["sampled"], 30);
    assert_eq!(report.count("written"), 10);
}
